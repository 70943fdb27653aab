// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package piiprocessor

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
		Factory: factory, Class: "processor", NoDefault: true,
		Stability: map[string]component.StabilityLevel{
			"traces": factory.TracesStability(), "metrics": factory.MetricsStability(), "logs": factory.LogsStability(),
		},
		Create: func(signal string, telemetry component.TelemetrySettings) (component.Component, error) {
			set := processor.Settings{ID: component.NewID(componentType), TelemetrySettings: telemetry}
			switch signal {
			case "traces":
				return factory.CreateTraces(ctx, set, testConfig(), consumertest.NewNop())
			case "metrics":
				return factory.CreateMetrics(ctx, set, testConfig(), consumertest.NewNop())
			case "logs":
				return factory.CreateLogs(ctx, set, testConfig(), consumertest.NewNop())
			}
			return nil, fmt.Errorf("no signal %s", signal)
		},
	}.Check(t)
}
