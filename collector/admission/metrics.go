// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"glasshouse.example/collector/deadletter"
)

// originalNameKey is the label with a metric's name where it was replaced or cut.
const originalNameKey = "admission.original_name"

type asideMetrics = aside[pmetric.Metrics, pmetric.ResourceMetrics]

var metrics = signal[pmetric.Metrics, pmetric.ResourceMetrics]{
	name:      signalMetrics,
	resources: func(data pmetric.Metrics) slice[pmetric.ResourceMetrics] { return data.ResourceMetrics() },
	records:   points,
	admit:     admitMetrics,
	takeAll:   takeAllMetrics,
	empty:     pmetric.NewMetrics,
	put: func(to deadletter.Store, ctx context.Context, why, source string, data pmetric.Metrics) error {
		return to.PutMetrics(ctx, why, source, data)
	},
}

func (c *MetricsConfig) part() part {
	return part{
		times: c.TimeConfig,
		text: limits{
			valueBytes: c.ValueBytes, shortBytes: c.ValueBytes, nameBytes: c.NameBytes,
			fileable: true, identifies: true, asJSON: true, leastScale: c.LeastScale,
		},
		index:   newIndexing(c.Index, c.IndexBytes),
		series:  true,
		actions: c.Actions,
	}
}

// points counts a metric without points as one: it is a record, too, and is reported.
func points(r pmetric.ResourceMetrics) (n int) {
	for _, s := range r.ScopeMetrics().All() {
		n += pointsOfScope(s)
	}
	return n
}

func pointsOfScope(s pmetric.ScopeMetrics) (n int) {
	for _, m := range s.Metrics().All() {
		n += max(1, deadletter.Points(m))
	}
	return n
}

func admitMetrics(v *visit, letters *asideMetrics, r pmetric.ResourceMetrics) {
	r.ScopeMetrics().RemoveIf(func(s pmetric.ScopeMetrics) bool {
		if !v.goneOn() {
			return false
		}
		if !v.item(pointsOfScope(s), func() {
			v.scope(s)
			v.shape.within(s.Scope(), s.SchemaUrl())
		}) {
			if v.verdict == setAside {
				takeScopeMetrics(letters, v.why, r, s)
			}
			return true
		}
		s.Metrics().RemoveIf(func(m pmetric.Metric) bool {
			if !v.goneOn() {
				return false
			}
			from := origin{letters, r, s, m}
			if !v.item(max(1, deadletter.Points(m)), func() { v.metric(m) }) {
				if v.verdict == setAside {
					from.takeAll(v.why)
				}
				return true
			}
			had := deadletter.Points(m)
			v.shape.of(m)
			v.points(m, from)
			return had > 0 && deadletter.Points(m) == 0
		})
		return s.Metrics().Len() == 0
	})
}

// metric makes all but the points acceptable.
func (v *visit) metric(m pmetric.Metric) {
	if deadletter.Points(m) == 0 {
		v.hit(noData)
		return
	}
	v.metricName(m)
	v.text(m.Description(), m.SetDescription)
	v.text(m.Unit(), m.SetUnit)
	v.attributes(m.Metadata(), 0, false)
	if temporalityOf(m) == pmetric.AggregationTemporalityUnspecified && v.hit(temporality) {
		setCumulative(m)
	}
}

// metricName repairs a name. Where it is no longer to be read, each point carries the original.
func (v *visit) metricName(m pmetric.Metric) {
	original := m.Name()
	if !utf8.ValidString(original) && v.hit(encoding) {
		m.SetName(validText(original) + "_" + digest(original)[:8])
	}
	most := v.limits.nameBytes
	switch {
	case !isFileable(original) && v.hit(name):
		m.SetName("metric_" + digest(original)[:8])
	case len(m.Name()) > most && v.hit(name):
		m.SetName(prefix(m.Name(), most-markBytes) + "_" + digest(original)[:8])
	default:
		return
	}
	original = prefix(validText(original), most)
	each(m, func(attributes pcommon.Map) { attributes.PutStr(originalNameKey, original) })
}

// each calls f with the attributes of each point.
func each(m pmetric.Metric, f func(pcommon.Map)) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		eachOf(m.Gauge().DataPoints(), f)
	case pmetric.MetricTypeSum:
		eachOf(m.Sum().DataPoints(), f)
	case pmetric.MetricTypeHistogram:
		eachOf(m.Histogram().DataPoints(), f)
	case pmetric.MetricTypeExponentialHistogram:
		eachOf(m.ExponentialHistogram().DataPoints(), f)
	case pmetric.MetricTypeSummary:
		eachOf(m.Summary().DataPoints(), f)
	default:
	}
}

func eachOf[E interface{ Attributes() pcommon.Map }](all slice[E], f func(pcommon.Map)) {
	for i := range all.Len() {
		f(all.At(i).Attributes())
	}
}

// temporalityOf returns cumulative for the types that have none.
func temporalityOf(m pmetric.Metric) pmetric.AggregationTemporality {
	is := pmetric.AggregationTemporalityCumulative
	switch m.Type() {
	case pmetric.MetricTypeSum:
		is = m.Sum().AggregationTemporality()
	case pmetric.MetricTypeHistogram:
		is = m.Histogram().AggregationTemporality()
	case pmetric.MetricTypeExponentialHistogram:
		is = m.ExponentialHistogram().AggregationTemporality()
	default:
	}
	if is != pmetric.AggregationTemporalityCumulative && is != pmetric.AggregationTemporalityDelta {
		return pmetric.AggregationTemporalityUnspecified // a number that has no name yet, too
	}
	return is
}

func setCumulative(m pmetric.Metric) {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	case pmetric.MetricTypeHistogram:
		m.Histogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	case pmetric.MetricTypeExponentialHistogram:
		m.ExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	default:
	}
}
