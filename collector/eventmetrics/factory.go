// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package eventmetrics is a connector that counts business events: log records with an event
// name go in, cumulative metrics come out.
package eventmetrics

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
)

var componentType = component.MustNewType("event_metrics")

// NewFactory returns the factory of the connector.
func NewFactory() connector.Factory {
	return connector.NewFactory(
		componentType,
		createDefaultConfig,
		connector.WithLogsToMetrics(createLogsToMetrics, component.StabilityLevelBeta),
	)
}

func createDefaultConfig() component.Config {
	return &Config{
		FlushInterval:       defaultFlushInterval,
		InitialZeroDuration: defaultInitialZeroDuration,
		EventAttribute:      defaultEventKey,
		Repeats:             RepeatsConfig{Window: defaultWindow, IDs: defaultIDs},
	}
}

func createLogsToMetrics(
	_ context.Context, set connector.Settings, cfg component.Config, next consumer.Metrics,
) (connector.Logs, error) {
	return newConnector(set, cfg.(*Config), next)
}
