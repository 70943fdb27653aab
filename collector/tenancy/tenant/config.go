// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"fmt"

	"go.opentelemetry.io/collector/component"
)

// Where the tenant stands.
const (
	fromClient   = "client"
	fromTopic    = "topic"
	fromResource = "resource"
)

// Config of the processor.
type Config struct {
	// From is where the tenant stands: client, as the extension tenants knows it; topic, the name of
	// the Kafka topic behind its first dot; resource, the attribute that this processor has set
	// before, for what stands behind tail sampling.
	From string `mapstructure:"from"`
}

func createDefaultConfig() component.Config { return &Config{From: fromClient} }

// Validate names the key that has to be fixed.
func (c *Config) Validate() error {
	switch c.From {
	case fromClient, fromTopic, fromResource:
		return nil
	}
	return fmt.Errorf("from: is %q, must be client, topic or resource", c.From)
}
