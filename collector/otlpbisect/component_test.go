// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"context"
	"fmt"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
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

// TestDataIsOnlyRead: data that others get, too, cannot be changed. An exporter that announces that it
// changes data is given a copy.
func TestDataIsOnlyRead(t *testing.T) {
	factory, ctx := NewFactory(), context.Background()
	set := exporter.Settings{ID: component.NewID(componentType), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
	for name, batched := range map[string]bool{"in batches": true, "at once": false} {
		config := testConfig("http://127.0.0.1:1")
		if batched {
			config = queued("http://127.0.0.1:1")
			config.QueueConfig.Get().StorageID = nil
		} else {
			config.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]()
		}
		config.DeadLetter = nil
		config.RetryConfig.MaxElapsedTime = 1 // away, and not asked again
		logs, err := factory.CreateLogs(ctx, set, config)
		fatal(t, err)
		traces, err := factory.CreateTraces(ctx, set, config)
		fatal(t, err)
		metrics, err := factory.CreateMetrics(ctx, set, config)
		fatal(t, err)
		for signal, one := range map[string]interface {
			component.Component
			Capabilities() consumer.Capabilities
		}{"logs": logs, "traces": traces, "metrics": metrics} {
			if one.Capabilities().MutatesData {
				t.Errorf("%s, %s: announces that it changes data", signal, name)
			}
			fatal(t, one.Start(ctx, componenttest.NewNopHost()))
		}
		// Each panics where it changes what is shared.
		sent, spans, points := logTrial().make(numbered(3)), traceTrial().make(numbered(3)), metricTrial().make(numbered(3))
		sent.MarkReadOnly()
		spans.MarkReadOnly()
		points.MarkReadOnly()
		_ = logs.ConsumeLogs(ctx, sent) // nobody is there to take it
		_ = traces.ConsumeTraces(ctx, spans)
		_ = metrics.ConsumeMetrics(ctx, points)
		for _, one := range []component.Component{logs, traces, metrics} {
			fatal(t, one.Shutdown(ctx))
		}
	}
}
