// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package kafkabisect

import (
	"errors"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/kafkaexporter"
	"go.opentelemetry.io/collector/component"
)

// Config of the exporter: that of the stock exporter kafka, and one key.
type Config struct {
	Kafka kafkaexporter.Config `mapstructure:",squash"`

	// DeadLetter names an extension that keeps what the brokers refuse. Without it that is lost.
	DeadLetter *component.ID `mapstructure:"dead_letter"`
}

func createDefaultConfig() component.Config {
	return &Config{Kafka: *stock.CreateDefaultConfig().(*kafkaexporter.Config)}
}

// Validate names the first key that has to be fixed.
func (c *Config) Validate() error {
	if !c.Kafka.BackOffConfig.Enabled {
		return errors.New("retry_on_failure.enabled: must be true, or a batch is dropped at the first fault")
	}
	if c.Kafka.TimeoutSettings.Timeout <= 0 {
		return errors.New("timeout: must be over 0, or brokers that are away hold a batch indefinitely")
	}
	return nil
}
