// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package tenants

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.opentelemetry.io/collector/component"

	"glasshouse.example/collector/tenancy"
)

// Config of the extension.
type Config struct {
	// Clients maps the name in a client's certificate to its tenant. The name is the first URI, else
	// one of the DNS names, else the common name.
	Clients map[string]string `mapstructure:"clients"`
}

func createDefaultConfig() component.Config { return &Config{} }

// Validate names the first entry that has to be fixed.
func (c *Config) Validate() error {
	if len(c.Clients) == 0 {
		return errors.New("clients: name at least one client and its tenant, such as edge-1: team-a")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Clients)) {
		if name == "" {
			return errors.New("clients: a client's name is empty")
		}
		if err := tenancy.ValidName(c.Clients[name]); err != nil {
			return fmt.Errorf("clients: the tenant of %q %w", name, err)
		}
	}
	return nil
}
