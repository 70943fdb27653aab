// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package tenants

import (
	"context"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.uber.org/goleak"

	"glasshouse.example/collector/casetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestComponent(t *testing.T) {
	factory := NewFactory()
	casetest.Component{
		Factory: factory, Class: "extension", NoDefault: true,
		Stability: map[string]component.StabilityLevel{"extension": factory.Stability()},
		Create: func(_ string, telemetry component.TelemetrySettings) (component.Component, error) {
			config := &Config{Clients: map[string]string{"edge-1": "team-a"}}
			return factory.Create(context.Background(), extension.Settings{ID: component.NewID(componentType), TelemetrySettings: telemetry}, config)
		},
	}.Check(t)
}
