// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"fmt"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/goleak"

	"glasshouse.example/collector/casetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestComponent(t *testing.T) {
	factory, ctx := NewFactory(), context.Background()
	casetest.Component{
		Factory: factory, Class: "processor",
		Stability: map[string]component.StabilityLevel{
			"traces": factory.TracesStability(), "metrics": factory.MetricsStability(), "logs": factory.LogsStability(),
		},
		Create: func(signal string, telemetry component.TelemetrySettings) (component.Component, error) {
			set := processor.Settings{ID: component.NewID(componentType), TelemetrySettings: telemetry}
			config := factory.CreateDefaultConfig()
			switch signal {
			case "traces":
				return factory.CreateTraces(ctx, set, config, consumertest.NewNop())
			case "metrics":
				return factory.CreateMetrics(ctx, set, config, consumertest.NewNop())
			case "logs":
				return factory.CreateLogs(ctx, set, config, consumertest.NewNop())
			}
			return nil, fmt.Errorf("no signal %s", signal)
		},
	}.Check(t)
}
