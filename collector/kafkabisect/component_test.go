// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package kafkabisect

import (
	"context"
	"fmt"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"

	"glasshouse.example/collector/casetest"
)

func TestComponent(t *testing.T) {
	factory, ctx := NewFactory(), context.Background()
	casetest.Component{
		Factory: factory, Class: "exporter",
		Stability: map[string]component.StabilityLevel{
			"traces": factory.TracesStability(), "metrics": factory.MetricsStability(), "logs": factory.LogsStability(),
		},
		Create: func(signal string, telemetry component.TelemetrySettings) (component.Component, error) {
			set := exporter.Settings{ID: component.NewID(componentType), TelemetrySettings: telemetry}
			config := factory.CreateDefaultConfig()
			switch signal {
			case "traces":
				return factory.CreateTraces(ctx, set, config)
			case "metrics":
				return factory.CreateMetrics(ctx, set, config)
			case "logs":
				return factory.CreateLogs(ctx, set, config)
			}
			return nil, fmt.Errorf("no signal %s", signal)
		},
	}.Check(t)
}
