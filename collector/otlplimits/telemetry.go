// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"glasshouse.example/collector/connections"
)

const scopeName = "glasshouse.example/collector/otlplimits"

// Protocols.
const (
	overGRPC = "grpc"
	overHTTP = "http"
)

// Reasons to refuse a request, and to repair one.
const (
	forSize        = "size"
	forDecodedSize = "decoded_size"
	forInFlight    = "in_flight"
	forConcurrency = "concurrency"
	forSlowness    = "slow"
	forForm        = "malformed"
	forToken       = "unauthenticated"
	forHost        = "host"

	forDepth      = "depth"
	forAttributes = "attributes"
	forIDs        = "ids"
)

// telemetry is what the extension reports of itself: numbers and fixed words, never a value.
type telemetry struct {
	refusals, repairs metric.Int64Counter
	labels            map[[2]string]metric.MeasurementOption
}

func newTelemetry(provider metric.MeterProvider, memory *memoryBudget) (*telemetry, error) {
	meter := provider.Meter(scopeName)
	refusals, err := meter.Int64Counter(
		"otelcol_extension_otlp_limits_refused",
		metric.WithDescription("Requests refused before they were decoded, by protocol and reason"),
		metric.WithUnit("{request}"),
	)
	if err != nil {
		return nil, err
	}
	repairs, err := meter.Int64Counter(
		"otelcol_extension_otlp_limits_repaired",
		metric.WithDescription("Values, lists and fields repaired in place, by protocol and reason"),
		metric.WithUnit("{value}"),
	)
	if err != nil {
		return nil, err
	}
	t := &telemetry{refusals, repairs, map[[2]string]metric.MeasurementOption{}}
	for _, protocol := range []string{overGRPC, overHTTP} {
		// Exposed from the start, so that increase() sees the first one.
		for _, reason := range []string{
			forSize, forDecodedSize, forInFlight, forConcurrency, forSlowness, forForm, forToken, forHost,
		} {
			refusals.Add(context.Background(), 0, t.label(protocol, reason))
		}
		for _, reason := range []string{forDepth, forAttributes, forIDs, forForm} {
			repairs.Add(context.Background(), 0, t.label(protocol, reason))
		}
	}
	return t, t.observe(meter, memory)
}

// label makes the labels once, before the first request.
func (t *telemetry) label(protocol, reason string) metric.MeasurementOption {
	key := [2]string{protocol, reason}
	if _, known := t.labels[key]; !known {
		t.labels[key] = metric.WithAttributeSet(attribute.NewSet(
			attribute.String("protocol", protocol), attribute.String("reason", reason)))
	}
	return t.labels[key]
}

func (t *telemetry) observe(meter metric.Meter, memory *memoryBudget) error {
	used, err := meter.Int64ObservableGauge(
		"otelcol_extension_otlp_limits_in_flight",
		metric.WithDescription("Memory that requests in flight have reserved"),
		metric.WithUnit("By"),
	)
	if err != nil {
		return err
	}
	most, err := meter.Int64ObservableGauge(
		"otelcol_extension_otlp_limits_in_flight_capacity",
		metric.WithDescription("Memory that requests in flight may reserve"),
		metric.WithUnit("By"),
	)
	if err != nil {
		return err
	}
	open, err := meter.Int64ObservableGauge(
		"otelcol_extension_otlp_limits_connections",
		metric.WithDescription("Connections that a listener holds, by its port"),
		metric.WithUnit("{connection}"),
	)
	if err != nil {
		return err
	}
	capacity, err := meter.Int64ObservableGauge(
		"otelcol_extension_otlp_limits_connections_capacity",
		metric.WithDescription("Connections that a listener may hold, by its port"),
		metric.WithUnit("{connection}"),
	)
	if err != nil {
		return err
	}
	closed, err := meter.Int64ObservableCounter(
		"otelcol_extension_otlp_limits_connections_closed",
		metric.WithDescription("Connections closed to make a place for others, by the listener's port"),
		metric.WithUnit("{connection}"),
	)
	if err != nil {
		return err
	}
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(used, memory.used())
		o.ObserveInt64(most, memory.shares.most)
		for _, one := range connections.States() {
			port := metric.WithAttributes(attribute.String("port", one.Port()))
			o.ObserveInt64(open, int64(one.Open), port)
			o.ObserveInt64(capacity, int64(one.Most), port)
			o.ObserveInt64(closed, one.Closed, port)
		}
		return nil
	}, used, most, open, capacity, closed)
	return err
}

func (t *telemetry) refused(protocol, reason string) {
	if reason == "" {
		return
	}
	t.refusals.Add(context.Background(), 1, t.labels[[2]string{protocol, reason}])
}

func (t *telemetry) repaired(protocol string, r report) {
	for _, one := range []struct {
		reason string
		n      int64
	}{{forDepth, r.emptied}, {forAttributes, r.shortened}, {forIDs, r.ids}, {forForm, r.odd}} {
		if one.n > 0 {
			t.repairs.Add(context.Background(), one.n, t.labels[[2]string{protocol, one.reason}])
		}
	}
}
