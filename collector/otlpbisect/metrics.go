// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"context"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"glasshouse.example/collector/deadletter"
)

func metrics() signal[pmetric.Metrics] {
	return signal[pmetric.Metrics]{
		name:   "metrics",
		count:  countPoints,
		items:  path{{1}, {2}, {2}, {5, 7, 9, 10, 11}, {1}},
		decode: (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics,
		encode: func(data pmetric.Metrics) ([]byte, error) {
			return pmetricotlp.NewExportRequestFromMetrics(data).MarshalProto()
		},
		rejected: rejectedMetrics,
		part:     partMetrics,
		keep: func(ctx context.Context, store deadletter.Store, reason, source string, data pmetric.Metrics) error {
			return store.PutMetrics(ctx, reason, source, data)
		},
	}
}

func rejectedMetrics(body []byte, json bool) (int64, string, error) {
	response := pmetricotlp.NewExportResponse()
	decode := response.UnmarshalProto
	if json {
		decode = response.UnmarshalJSON
	}
	if err := decode(body); err != nil {
		return 0, "", err
	}
	return response.PartialSuccess().RejectedDataPoints(), response.PartialSuccess().ErrorMessage(), nil
}

func countPoints(data pmetric.Metrics) int {
	count := 0
	for _, resource := range data.ResourceMetrics().All() {
		for _, scope := range resource.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				count += items(metric)
			}
		}
	}
	return count
}

// items of a metric. One without points is an item too: a backend may refuse it, and it has to
// be found then.
func items(metric pmetric.Metric) int { return max(1, deadletter.Points(metric)) }

func partMetrics(data pmetric.Metrics, from, to int) pmetric.Metrics {
	made := pmetric.NewMetrics()
	at := 0
	for _, resource := range data.ResourceMetrics().All() {
		var madeResource pmetric.ResourceMetrics
		newResource := true
		for _, scope := range resource.ScopeMetrics().All() {
			var madeScope pmetric.ScopeMetrics
			newScope := true
			for _, metric := range scope.Metrics().All() {
				first, last := within(at, items(metric), from, to)
				at += items(metric)
				if first >= last {
					continue
				}
				if newResource {
					newResource = false
					madeResource = made.ResourceMetrics().AppendEmpty()
					madeResource.SetSchemaUrl(resource.SchemaUrl())
					resource.Resource().CopyTo(madeResource.Resource())
				}
				if newScope {
					newScope = false
					madeScope = madeResource.ScopeMetrics().AppendEmpty()
					madeScope.SetSchemaUrl(scope.SchemaUrl())
					scope.Scope().CopyTo(madeScope.Scope())
				}
				partMetric(metric, madeScope.Metrics().AppendEmpty(), first, last)
			}
		}
	}
	return made
}

func partMetric(metric, made pmetric.Metric, first, last int) {
	if last-first == items(metric) {
		metric.CopyTo(made)
		return
	}
	made.SetName(metric.Name())
	made.SetDescription(metric.Description())
	made.SetUnit(metric.Unit())
	metric.Metadata().CopyTo(made.Metadata())
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		partPoints(metric.Gauge().DataPoints(), made.SetEmptyGauge().DataPoints(), first, last)
	case pmetric.MetricTypeSum:
		sum := made.SetEmptySum()
		sum.SetIsMonotonic(metric.Sum().IsMonotonic())
		sum.SetAggregationTemporality(metric.Sum().AggregationTemporality())
		partPoints(metric.Sum().DataPoints(), sum.DataPoints(), first, last)
	case pmetric.MetricTypeHistogram:
		histogram := made.SetEmptyHistogram()
		histogram.SetAggregationTemporality(metric.Histogram().AggregationTemporality())
		partPoints(metric.Histogram().DataPoints(), histogram.DataPoints(), first, last)
	case pmetric.MetricTypeExponentialHistogram:
		histogram := made.SetEmptyExponentialHistogram()
		histogram.SetAggregationTemporality(metric.ExponentialHistogram().AggregationTemporality())
		partPoints(metric.ExponentialHistogram().DataPoints(), histogram.DataPoints(), first, last)
	case pmetric.MetricTypeSummary:
		partPoints(metric.Summary().DataPoints(), made.SetEmptySummary().DataPoints(), first, last)
	}
}

type pointSlice[P any] interface {
	At(int) P
	AppendEmpty() P
	EnsureCapacity(int)
}

func partPoints[P interface{ CopyTo(P) }, S pointSlice[P]](from, to S, first, last int) {
	to.EnsureCapacity(last - first)
	for i := first; i < last; i++ {
		from.At(i).CopyTo(to.AppendEmpty())
	}
}
