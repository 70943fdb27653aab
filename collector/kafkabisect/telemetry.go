// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package kafkabisect

import (
	"context"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const scopeName = "glasshouse.example/collector/kafkabisect"

// usualReasons are exposed at 0 from the start, so that increase() sees the first record.
var usualReasons = []string{reasonOf(kerr.MessageTooLarge), reasonOf(kerr.InvalidRecord)}

// reasonOf is Kafka's own word: message_too_large.
func reasonOf(answer *kerr.Error) string { return strings.ToLower(answer.Message) }

// telemetry is what the exporter reports of itself.
type telemetry struct {
	refusals metric.Int64Counter
	halvings metric.Int64Counter
	exporter attribute.KeyValue
	signal   attribute.KeyValue
}

func newTelemetry(provider metric.MeterProvider, exporter, signal string) (*telemetry, error) {
	meter := provider.Meter(scopeName)
	refusals, err := meter.Int64Counter(
		"otelcol_exporter_kafka_bisect_refused",
		metric.WithDescription("Log records, spans and data points that the brokers cannot take"),
		metric.WithUnit("{record}"),
	)
	if err != nil {
		return nil, err
	}
	halvings, err := meter.Int64Counter(
		"otelcol_exporter_kafka_bisect_splits",
		metric.WithDescription("How often a batch or a part of one was halved because the brokers refused it"),
		metric.WithUnit("{split}"),
	)
	if err != nil {
		return nil, err
	}
	t := &telemetry{
		refusals: refusals, halvings: halvings,
		exporter: attribute.String("exporter", exporter), signal: attribute.String("signal", signal),
	}
	for _, reason := range usualReasons {
		t.refused(context.Background(), reason, 0)
	}
	t.halvings.Add(context.Background(), 0, metric.WithAttributes(t.exporter, t.signal))
	return t, nil
}

func (t *telemetry) refused(ctx context.Context, reason string, items int) {
	t.refusals.Add(ctx, int64(items), metric.WithAttributes(t.exporter, t.signal, attribute.String("reason", reason)))
}

func (t *telemetry) split(ctx context.Context) {
	t.halvings.Add(ctx, 1, metric.WithAttributes(t.exporter, t.signal))
}
