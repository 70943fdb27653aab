// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"context"
	"fmt"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.uber.org/goleak"

	"glasshouse.example/collector/casetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestComponent(t *testing.T) {
	factory, ctx := NewFactory(), context.Background()
	casetest.Component{
		Factory: factory, Class: "exporter", NoDefault: true,
		Stability: map[string]component.StabilityLevel{
			"traces": factory.TracesStability(), "metrics": factory.MetricsStability(), "logs": factory.LogsStability(),
		},
		Create: func(signal string, telemetry component.TelemetrySettings) (component.Component, error) {
			set := exporter.Settings{ID: component.NewID(componentType), TelemetrySettings: telemetry}
			config := factory.CreateDefaultConfig()
			config.(*Config).ClientConfig.Endpoint = "http://127.0.0.1:4318"
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
