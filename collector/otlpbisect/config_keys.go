// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/confmap"
)

var _ confmap.Unmarshaler = (*Config)(nil)

// Unmarshal refuses keys that are not known. The Collector itself does so for most components, but
// not for one that takes in an HTTP client's keys: dead_leter would be no dead letters at all.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if err := conf.Unmarshal(c); err != nil {
		return err
	}
	return knownKeys("", conf.ToStringMap(), reflect.TypeFor[Config]())
}

func knownKeys(under string, keys map[string]any, structure reflect.Type) error {
	fields := map[string]reflect.Type{}
	addFields(fields, structure)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		field, known := fields[key]
		if !known {
			return fmt.Errorf("%s%s: there is no such key", under, key)
		}
		below, isMap := keys[key].(map[string]any)
		if !isMap || field.Kind() != reflect.Struct || reflect.PointerTo(field).Implements(unmarshaler) {
			continue
		}
		if err := knownKeys(under+key+".", below, field); err != nil {
			return err
		}
	}
	return nil
}

// unmarshaler is what a type has that checks its keys by itself.
var unmarshaler = reflect.TypeFor[confmap.Unmarshaler]()

func addFields(fields map[string]reflect.Type, structure reflect.Type) {
	for i := range structure.NumField() {
		field := structure.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		switch {
		case !field.IsExported():
		case strings.Contains(options, "squash"):
			addFields(fields, field.Type)
		case name != "":
			fields[name] = field.Type
		}
	}
}
