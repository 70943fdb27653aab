// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/confmap"
)

var _ confmap.Unmarshaler = (*Config)(nil)

// Unmarshal refuses keys under their former names, and says the new ones.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if err := renamedKeys(conf.ToStringMap()); err != nil {
		return err
	}
	return conf.Unmarshal(c)
}

func renamedKeys(config map[string]any) error {
	if _, old := config["zero_for"]; old {
		return errors.New("zero_for: is now named initial_zero_duration")
	}
	for i, family := range entriesOf(config["families"]) {
		for j, label := range entriesOf(family["labels"]) {
			if _, old := label["more"]; old {
				return fmt.Errorf("families[%d] (%v): labels[%d].more: is now named max_dynamic_values",
					i, family["name"], j)
			}
		}
	}
	return nil
}

// entriesOf returns the maps of a list. What else is there is found by the decoder.
func entriesOf(list any) []map[string]any {
	entries, _ := list.([]any)
	found := make([]map[string]any, len(entries))
	for i, entry := range entries {
		found[i], _ = entry.(map[string]any)
	}
	return found
}
