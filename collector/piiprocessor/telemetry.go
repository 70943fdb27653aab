// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package piiprocessor

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const scopeName = "glasshouse.example/collector/piiprocessor"

// Actions on a record that cannot be checked.
const (
	dropped = "dropped"
	masked  = "masked"
)

// hit is one rule at one surface.
type hit struct {
	rule    string
	surface int
}

// telemetry is what the processor reports of itself: names of rules and surfaces and numbers, never
// a value.
type telemetry struct {
	redacted  metric.Int64Counter
	unscanned metric.Int64Counter

	signal   string
	surfaces []string
	actions  map[string]metric.MeasurementOption

	mu     sync.Mutex
	labels map[hit]metric.MeasurementOption // made when a rule first hits there
}

func newTelemetry(
	provider metric.MeterProvider, signal string, surfaces []string,
) (*telemetry, error) {
	meter := provider.Meter(scopeName)
	redacted, err := meter.Int64Counter(
		"otelcol_processor_pii_redacted",
		metric.WithDescription("Hits replaced, by rule, signal and surface"),
		metric.WithUnit("{hit}"),
	)
	if err != nil {
		return nil, err
	}
	unscanned, err := meter.Int64Counter(
		"otelcol_processor_pii_unscanned",
		metric.WithDescription("Spans, log records and data points that could not be checked"),
		metric.WithUnit("{record}"),
	)
	if err != nil {
		return nil, err
	}
	t := &telemetry{
		redacted:  redacted,
		unscanned: unscanned,
		signal:    signal,
		surfaces:  surfaces,
		actions:   map[string]metric.MeasurementOption{},
		labels:    map[hit]metric.MeasurementOption{},
	}
	for _, action := range []string{dropped, masked} {
		t.actions[action] = metric.WithAttributeSet(attribute.NewSet(
			attribute.String("signal", signal), attribute.String("action", action)))
		// Exposed from the start, so that increase() sees the first one.
		unscanned.Add(context.Background(), 0, t.actions[action])
	}
	return t, nil
}

// report adds what one batch had.
func (t *telemetry) report(ctx context.Context, hits map[hit]int64, unscanned map[string]int64) {
	for one, n := range hits {
		t.redacted.Add(ctx, n, t.label(one))
	}
	for action, n := range unscanned {
		t.unscanned.Add(ctx, n, t.actions[action])
	}
}

func (t *telemetry) label(one hit) metric.MeasurementOption {
	t.mu.Lock()
	defer t.mu.Unlock()
	label, known := t.labels[one]
	if !known {
		label = metric.WithAttributeSet(attribute.NewSet(
			attribute.String("rule", one.rule),
			attribute.String("signal", t.signal),
			attribute.String("surface", t.surfaces[one.surface]),
		))
		t.labels[one] = label
	}
	return label
}
