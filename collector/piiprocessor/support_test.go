// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package piiprocessor

import (
	"context"
	"errors"
	"slices"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"
)

const (
	policyPath = "../../redaction/rules.yaml"
	testKey    = "0123456789abcdef0123456789abcdef"
)

func testConfig() *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Policy = policyPath
	cfg.HMACKey = configopaque.String(testKey)
	return cfg
}

func testSettings(telemetry *componenttest.Telemetry) processor.Settings {
	return processor.Settings{
		ID:                component.NewID(componentType),
		TelemetrySettings: telemetry.NewTelemetrySettings(),
	}
}

// pipeline is the processor of one signal on encoded OTLP, so that one test can serve all three.
type pipeline struct {
	signal   string
	surfaces []string
	// run returns what is left of a request: nil when nothing is.
	run func([]byte) ([]byte, error)
}

// pipelines makes the processors of all signals, each less the surface named.
func pipelines(t testing.TB, set processor.Settings, cfg *Config, without string) []pipeline {
	ctx := context.Background()
	allTraces, allLogs, allMetrics := newTraceSurfaces(), newLogSurfaces(), newMetricSurfaces()
	traceChecker, err := newChecker(set, cfg, "traces", less(allTraces, without))
	fatal(t, err)
	logChecker, err := newChecker(set, cfg, "logs", less(allLogs, without))
	fatal(t, err)
	metricChecker, err := newChecker(set, cfg, "metrics", less(allMetrics, without))
	fatal(t, err)
	doTraces, doLogs, doMetrics := processTraces(traceChecker), processLogs(logChecker), processMetrics(metricChecker)
	return []pipeline{
		{"traces", allTraces.names(), func(in []byte) ([]byte, error) {
			data, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(in)
			if err != nil {
				return nil, errNotOTLP
			}
			data, err = doTraces(ctx, data)
			if err != nil {
				return nil, unskip(err)
			}
			return (&ptrace.ProtoMarshaler{}).MarshalTraces(data)
		}},
		{"logs", allLogs.names(), func(in []byte) ([]byte, error) {
			data, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(in)
			if err != nil {
				return nil, errNotOTLP
			}
			data, err = doLogs(ctx, data)
			if err != nil {
				return nil, unskip(err)
			}
			return (&plog.ProtoMarshaler{}).MarshalLogs(data)
		}},
		{"metrics", allMetrics.names(), func(in []byte) ([]byte, error) {
			data, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(in)
			if err != nil {
				return nil, errNotOTLP
			}
			data, err = doMetrics(ctx, data)
			if err != nil {
				return nil, unskip(err)
			}
			return (&pmetric.ProtoMarshaler{}).MarshalMetrics(data)
		}},
	}
}

var errNotOTLP = errors.New("not OTLP")

func unskip(err error) error {
	if errors.Is(err, processorhelper.ErrSkipProcessingData) {
		return nil
	}
	return err
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// less returns the surfaces less one.
func less[R resource, S scope, I any](v surfaces[R, S, I], name string) surfaces[R, S, I] {
	return surfaces[R, S, I]{
		resource: drop(v.resource, name),
		scope:    drop(v.scope, name),
		item:     drop(v.item, name),
	}
}

func drop[T any](list []surface[T], name string) []surface[T] {
	return slices.DeleteFunc(slices.Clone(list), func(one surface[T]) bool {
		return one.name == name
	})
}
