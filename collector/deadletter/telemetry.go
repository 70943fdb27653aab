// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const scopeName = "glasshouse.example/collector/deadletter"

// telemetry counts items. Its labels are words of the callers' code, never a value of a record.
type telemetry struct {
	written  metric.Int64Counter
	lost     metric.Int64Counter
	unwatch  func() error
	provider metric.MeterProvider
}

func newTelemetry(provider metric.MeterProvider) (*telemetry, error) {
	meter := provider.Meter(scopeName)
	written, err := meter.Int64Counter(
		"otelcol_extension_dead_letter_written",
		metric.WithDescription("Log records, spans and data points kept as dead letters"),
		metric.WithUnit("{record}"),
	)
	if err != nil {
		return nil, err
	}
	lost, err := meter.Int64Counter(
		"otelcol_extension_dead_letter_lost",
		metric.WithDescription("Log records, spans and data points that could not even be kept as dead letters"),
		metric.WithUnit("{record}"),
	)
	return &telemetry{written: written, lost: lost, provider: provider}, err
}

// watch shows how full the files are, as they are when somebody looks: they are renamed away by
// others.
func (t *telemetry) watch(used func() int64, capacity int64) error {
	meter := t.provider.Meter(scopeName)
	usedGauge, err := meter.Int64ObservableGauge(
		"otelcol_extension_dead_letter_used",
		metric.WithDescription("Size of the dead letters"),
		metric.WithUnit("By"),
	)
	if err != nil {
		return err
	}
	capacityGauge, err := meter.Int64ObservableGauge(
		"otelcol_extension_dead_letter_capacity",
		metric.WithDescription("Size that the dead letters may have"),
		metric.WithUnit("By"),
	)
	if err != nil {
		return err
	}
	registration, err := meter.RegisterCallback(
		func(_ context.Context, observer metric.Observer) error {
			observer.ObserveInt64(usedGauge, used())
			observer.ObserveInt64(capacityGauge, capacity)
			return nil
		}, usedGauge, capacityGauge)
	if err != nil {
		return err
	}
	t.unwatch = registration.Unregister
	return nil
}

func labels(signal, reason string) metric.MeasurementOption {
	return metric.WithAttributes(
		attribute.String("signal", signal), attribute.String("reason", reason))
}
