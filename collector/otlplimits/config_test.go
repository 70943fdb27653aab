// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension"
)

func TestValidateNamesTheKey(t *testing.T) {
	for text, c := range map[string]settings{
		"":                      {},
		"max_depth":             {"max_depth": 0},
		"max_depth:":            {"max_depth": 257},
		"max_attributes":        {"max_attributes": 0},
		"max_request_mib":       {"max_request_mib": -1},
		"max_decoded_mib":       {"max_decoded_mib": 0},
		"max_decoded_mib:":      {"max_decoded_mib": 19},
		"max_in_flight_mib":     {"max_in_flight_mib": 127},
		"least_garbage_mib":     {"least_garbage_mib": -1},
		"max_concurrent":        {"max_concurrent": 0},
		"read_timeout":          {"read_timeout": "0s"},
		"handshake_timeout":     {"handshake_timeout": "0s"},
		"access.ask_for":        {"access": map[string]any{"ask_for": ""}},
		"access.ask_for:":       {"access": map[string]any{"ask_for": "Token"}},
		"access.authenticator":  {"access": map[string]any{"ask_for": "token"}},
		"access.authenticator:": {"access": map[string]any{"ask_for": "token", "authenticator": "/x"}},
		"traces_url_path":       {"traces_url_path": "v1/traces"},
		"metrics_url_path":      {"metrics_url_path": ""},
		"logs_url_path":         {"logs_url_path": "/v1/metrics"},
	} {
		cfg := createDefaultConfig().(*Config)
		fatal(t, confmap.NewFromStringMap(c).Unmarshal(cfg))
		err := cfg.Validate()
		if text == "" {
			fatal(t, err)
		} else if err == nil || !strings.HasPrefix(err.Error(), strings.TrimSuffix(text, ":")+": ") {
			t.Errorf("%v: %v", c, err)
		}
	}
	if err := confmap.NewFromStringMap(settings{"max_dept": 3}).Unmarshal(createDefaultConfig()); err == nil {
		t.Error("an unknown key was taken")
	}
}

// Each counter is there with all its labels before anything is counted.
func TestCountersAreThereFromTheStart(t *testing.T) {
	telemetry := componenttest.NewTelemetry()
	ext, err := NewFactory().Create(context.Background(), extension.Settings{
		ID: component.NewID(componentType), TelemetrySettings: telemetry.NewTelemetrySettings(),
	}, createDefaultConfig())
	fatal(t, err)
	fatal(t, ext.Start(context.Background(), host{}))
	s := &server{telemetry: telemetry}
	for _, protocol := range []string{overGRPC, overHTTP} {
		for _, reason := range []string{
			forSize, forDecodedSize, forInFlight, forConcurrency, forSlowness, forForm,
			forToken, forHost,
		} {
			s.wantCounted(t, "refused", protocol, reason, 0)
		}
		for _, reason := range []string{forDepth, forAttributes, forIDs, forForm} {
			s.wantCounted(t, "repaired", protocol, reason, 0)
		}
	}
	for _, gauge := range []string{"in_flight", "in_flight_capacity"} {
		if _, err := telemetry.GetMetric("otelcol_extension_otlp_limits_" + gauge); err != nil {
			t.Error(err)
		}
	}
	fatal(t, ext.Shutdown(context.Background()))
	fatal(t, telemetry.Shutdown(context.Background()))
}
