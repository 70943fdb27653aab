// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// telemetry counts what could not be counted as sent. Labels are names from the configuration,
// never a value from a record.
type telemetry struct {
	unreadables metric.Int64Counter
	others      metric.Int64Counter
}

func newTelemetry(provider metric.MeterProvider) (*telemetry, error) {
	meter := provider.Meter(scopeName)
	unreadables, err := meter.Int64Counter(
		"otelcol_connector_event_metrics_unreadable",
		metric.WithDescription("Events whose number to measure is none"),
		metric.WithUnit("{event}"),
	)
	if err != nil {
		return nil, err
	}
	others, err := meter.Int64Counter(
		"otelcol_connector_event_metrics_other",
		metric.WithDescription("Label values counted as other, because there was no place for more"),
		metric.WithUnit("{value}"),
	)
	return &telemetry{unreadables, others}, err
}

func (t *telemetry) unreadable(ctx context.Context, family string) {
	t.unreadables.Add(ctx, 1, metric.WithAttributes(attribute.String("family", family)))
}

func (t *telemetry) other(ctx context.Context, family, label string) {
	t.others.Add(ctx, 1, metric.WithAttributes(
		attribute.String("family", family), attribute.String("label", label)))
}
