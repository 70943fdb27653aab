// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"glasshouse.example/collector/deadletter"
)

// origin is where a point stands, so that one that is set aside keeps its resource, scope and
// metric.
type origin struct {
	letters  *asideMetrics
	resource pmetric.ResourceMetrics
	scope    pmetric.ScopeMetrics
	metric   pmetric.Metric
}

// to returns the metric among the dead letters that takes points of this one.
func (o origin) to(why reason, records int) pmetric.Metric {
	batch, at := o.letters.batch(why, records)
	if at.fromResource != o.resource {
		into := batch.ResourceMetrics().AppendEmpty()
		o.resource.Resource().CopyTo(into.Resource())
		into.SetSchemaUrl(o.resource.SchemaUrl())
		*at = place{fromResource: o.resource, toResource: into}
	}
	if at.fromScope != o.scope {
		scope := at.toResource.(pmetric.ResourceMetrics).ScopeMetrics().AppendEmpty()
		o.scope.Scope().CopyTo(scope.Scope())
		scope.SetSchemaUrl(o.scope.SchemaUrl())
		at.fromScope, at.toScope = o.scope, scope
	}
	if at.fromMetric != o.metric {
		made := at.toScope.(pmetric.ScopeMetrics).Metrics().AppendEmpty()
		describe(o.metric, made)
		at.fromMetric, at.toMetric = o.metric, made
	}
	return at.toMetric.(pmetric.Metric)
}

func (o origin) takeAll(why reason) {
	o.metric.MoveTo(o.to(why, max(1, deadletter.Points(o.metric))))
}

// describe copies a metric without its points.
func describe(from, to pmetric.Metric) {
	to.SetName(from.Name())
	to.SetDescription(from.Description())
	to.SetUnit(from.Unit())
	from.Metadata().CopyTo(to.Metadata())
	switch from.Type() {
	case pmetric.MetricTypeGauge:
		to.SetEmptyGauge()
	case pmetric.MetricTypeSum:
		to.SetEmptySum().SetAggregationTemporality(from.Sum().AggregationTemporality())
		to.Sum().SetIsMonotonic(from.Sum().IsMonotonic())
	case pmetric.MetricTypeHistogram:
		to.SetEmptyHistogram().SetAggregationTemporality(from.Histogram().AggregationTemporality())
	case pmetric.MetricTypeExponentialHistogram:
		to.SetEmptyExponentialHistogram().SetAggregationTemporality(
			from.ExponentialHistogram().AggregationTemporality())
	case pmetric.MetricTypeSummary:
		to.SetEmptySummary()
	default:
	}
}

func takeScopeMetrics(letters *asideMetrics, why reason, r pmetric.ResourceMetrics, s pmetric.ScopeMetrics) {
	for _, m := range s.Metrics().All() {
		origin{letters, r, s, m}.takeAll(why)
	}
}

func takeAllMetrics(letters *asideMetrics, why reason, r pmetric.ResourceMetrics) {
	for _, s := range r.ScopeMetrics().All() {
		takeScopeMetrics(letters, why, r, s)
	}
}
