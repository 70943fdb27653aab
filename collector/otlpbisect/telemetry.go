// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const scopeName = "glasshouse.example/collector/otlpbisect"

// Statuses that are no HTTP status.
const (
	statusPartial  = "partial_success"
	statusEncode   = "encode"
	statusNoAnswer = "no_answer"
)

// usualStatuses are exposed at 0 from the start, so that increase() sees the first record.
var usualStatuses = []string{"400", "413", "422", "429", "500", statusNoAnswer, statusPartial}

// telemetry is what the exporter reports of itself: numbers by status, never a text of the backend.
type telemetry struct {
	refusals metric.Int64Counter
	halvings metric.Int64Counter
	exporter attribute.KeyValue
	signal   attribute.KeyValue
}

func newTelemetry(provider metric.MeterProvider, exporter, signal string) (*telemetry, error) {
	meter := provider.Meter(scopeName)
	refusals, err := meter.Int64Counter(
		"otelcol_exporter_otlp_bisect_refused",
		metric.WithDescription("Log records, spans and data points that the backend did not take"),
		metric.WithUnit("{record}"),
	)
	if err != nil {
		return nil, err
	}
	halvings, err := meter.Int64Counter(
		"otelcol_exporter_otlp_bisect_splits",
		metric.WithDescription("How often a batch or a part of one was halved because the backend refused it"),
		metric.WithUnit("{split}"),
	)
	if err != nil {
		return nil, err
	}
	t := &telemetry{
		refusals: refusals, halvings: halvings,
		exporter: attribute.String("exporter", exporter), signal: attribute.String("signal", signal),
	}
	for _, status := range usualStatuses {
		t.refused(context.Background(), status, 0)
	}
	t.split(context.Background(), 0)
	return t, nil
}

func (t *telemetry) refused(ctx context.Context, status string, items int) {
	t.refusals.Add(ctx, int64(items), metric.WithAttributes(
		t.exporter, t.signal, attribute.String("status", status)))
}

func (t *telemetry) split(ctx context.Context, times int) {
	t.halvings.Add(ctx, int64(times), metric.WithAttributes(t.exporter, t.signal))
}

// quietFor is how long a kind of line is not written again. Counters show how often.
const quietFor = 10 * time.Second

// seldom lets one through in a while.
type seldom struct {
	mutex sync.Mutex
	last  time.Time
}

func (s *seldom) now(now time.Time) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if !s.last.IsZero() && now.Sub(s.last) < quietFor {
		return false
	}
	s.last = now
	return true
}
