// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package durablestorage

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const scopeName = "glasshouse.example/collector/durablestorage"

// telemetry counts what was found at the start. Its label is a file's name, never a value of a
// record.
type telemetry struct {
	lost     metric.Int64Counter
	provider metric.MeterProvider
	watched  metric.Registration
}

func newTelemetry(provider metric.MeterProvider) (*telemetry, error) {
	lost, err := provider.Meter(scopeName).Int64Counter(
		"otelcol_extension_durable_storage_lost",
		metric.WithDescription("Queued requests that could not be read from a damaged file"),
		metric.WithUnit("{request}"),
	)
	return &telemetry{lost: lost, provider: provider}, err
}

// watch shows how many files are set aside, as they are when somebody looks: a person takes them
// away.
func (t *telemetry) watch(setAside func() int64) error {
	meter := t.provider.Meter(scopeName)
	gauge, err := meter.Int64ObservableGauge(
		"otelcol_extension_durable_storage_set_aside",
		metric.WithDescription("Damaged files that were set aside and are still there"),
		metric.WithUnit("{file}"),
	)
	if err != nil {
		return err
	}
	t.watched, err = meter.RegisterCallback(
		func(_ context.Context, observer metric.Observer) error {
			observer.ObserveInt64(gauge, setAside())
			return nil
		}, gauge)
	return err
}

func (t *telemetry) unwatch() error {
	if t.watched == nil {
		return nil
	}
	watched := t.watched
	t.watched = nil
	return watched.Unregister()
}

func (t *telemetry) damaged(ctx context.Context, file string, lost uint64) {
	t.lost.Add(ctx, int64(lost), metric.WithAttributes(attribute.String("file", file)))
}
