// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package tenants

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const scope = "glasshouse.example/collector/tenancy/tenants"

type telemetry struct{ refusals metric.Int64Counter }

func newTelemetry(provider metric.MeterProvider) (*telemetry, error) {
	counter, err := provider.Meter(scope).Int64Counter(
		"otelcol_extension_tenants_refused",
		metric.WithDescription("Requests of clients that have no tenant"), metric.WithUnit("{request}"))
	if err != nil {
		return nil, err
	}
	made := &telemetry{refusals: counter}
	// Seen at 0 before the first: increase() needs that.
	for _, why := range []*refusal{withoutCertificate, unknownClient} {
		made.add(why.reason, 0)
	}
	return made, nil
}

func (t *telemetry) refused(reason string) { t.add(reason, 1) }

func (t *telemetry) add(reason string, count int64) {
	t.refusals.Add(context.Background(), count, metric.WithAttributes(attribute.String("reason", reason)))
}
