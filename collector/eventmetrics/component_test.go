// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"context"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.uber.org/goleak"

	"glasshouse.example/collector/casetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestComponent(t *testing.T) {
	factory := NewFactory()
	casetest.Component{
		Factory: factory, Class: "connector", NoDefault: true,
		Stability: map[string]component.StabilityLevel{"logs_to_metrics": factory.LogsToMetricsStability()},
		Create: func(_ string, telemetry component.TelemetrySettings) (component.Component, error) {
			config := factory.CreateDefaultConfig().(*Config)
			config.Families = []FamilyConfig{{
				Name: "payments", Events: map[string]string{"payment.created": "created"}, EventLabel: "state",
				Labels: []LabelConfig{{Name: "currency", Attribute: "payment.currency", Known: []string{"EUR"}}},
			}}
			set := connector.Settings{ID: component.NewID(componentType), TelemetrySettings: telemetry}
			return factory.CreateLogsToMetrics(context.Background(), set, config, consumertest.NewNop())
		},
	}.Check(t)
}
