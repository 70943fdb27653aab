// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// point is what the points of all types have in common.
type point interface {
	Attributes() pcommon.Map
	Timestamp() pcommon.Timestamp
	SetTimestamp(pcommon.Timestamp)
	StartTimestamp() pcommon.Timestamp
	SetStartTimestamp(pcommon.Timestamp)
	Flags() pmetric.DataPointFlags
}

// points makes the points of a metric acceptable, each alone.
func (v *visit) points(m pmetric.Metric, from origin) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		m.Gauge().DataPoints().RemoveIf(func(p pmetric.NumberDataPoint) bool {
			return !v.number(p) && v.take(from, func(to pmetric.Metric) { p.MoveTo(to.Gauge().DataPoints().AppendEmpty()) })
		})
	case pmetric.MetricTypeSum:
		m.Sum().DataPoints().RemoveIf(func(p pmetric.NumberDataPoint) bool {
			return !v.number(p) && v.take(from, func(to pmetric.Metric) { p.MoveTo(to.Sum().DataPoints().AppendEmpty()) })
		})
	case pmetric.MetricTypeHistogram:
		m.Histogram().DataPoints().RemoveIf(func(p pmetric.HistogramDataPoint) bool {
			return !v.histogram(p) && v.take(from, func(to pmetric.Metric) { p.MoveTo(to.Histogram().DataPoints().AppendEmpty()) })
		})
	case pmetric.MetricTypeExponentialHistogram:
		delta := m.ExponentialHistogram().AggregationTemporality() == pmetric.AggregationTemporalityDelta
		m.ExponentialHistogram().DataPoints().RemoveIf(func(p pmetric.ExponentialHistogramDataPoint) bool {
			return !v.exponential(p, delta) && v.take(from, func(to pmetric.Metric) { p.MoveTo(to.ExponentialHistogram().DataPoints().AppendEmpty()) })
		})
	case pmetric.MetricTypeSummary:
		m.Summary().DataPoints().RemoveIf(func(p pmetric.SummaryDataPoint) bool {
			return !v.summary(p) && v.take(from, func(to pmetric.Metric) { p.MoveTo(to.Summary().DataPoints().AppendEmpty()) })
		})
	default:
	}
}

// take moves a point that is set aside. It always reports that the point goes.
func (v *visit) take(from origin, move func(pmetric.Metric)) bool {
	if v.verdict == setAside {
		move(from.to(v.why, 1))
	}
	return true
}

// The checks report whether a point stays. Once the sender has gone all stay as they are.

func (v *visit) number(p pmetric.NumberDataPoint) bool {
	return !v.goneOn() || v.item(1, func() {
		if p.ValueType() == pmetric.NumberDataPointValueTypeEmpty && !p.Flags().NoRecordedValue() {
			v.hit(noValue)
		}
		v.exemplars(p.Exemplars())
		common(v, p)
		v.placed(p.Attributes(), 0, 1)
	})
}

func (v *visit) histogram(p pmetric.HistogramDataPoint) bool {
	return !v.goneOn() || v.item(1, func() {
		v.exemplars(p.Exemplars())
		common(v, p)
		v.placed(p.Attributes(), v.shape.bounds(p.ExplicitBounds()), p.ExplicitBounds().Len()+besideBuckets)
	})
}

func (v *visit) exponential(p pmetric.ExponentialHistogramDataPoint, delta bool) bool {
	return !v.goneOn() || v.item(1, func() {
		v.buckets(p, delta)
		v.exemplars(p.Exemplars())
		common(v, p)
		v.placed(p.Attributes(), 0, 1)
	})
}

func (v *visit) summary(p pmetric.SummaryDataPoint) bool {
	return !v.goneOn() || v.item(1, func() {
		common(v, p)
		v.placed(p.Attributes(), v.shape.quantiles(p.QuantileValues()), p.QuantileValues().Len()+besideQuantiles)
	})
}

// jobLabel is a label that Prometheus makes itself, of service.name: it overwrites an attribute of that
// name, so that series that differ in nothing else become one. exportedJob is the name that it gives
// such a label when it scrapes.
const (
	jobLabel    = "job"
	exportedJob = "exported_job"
)

// labels renames the one that would be overwritten.
func (v *visit) labels(m pcommon.Map) {
	for {
		label, found := m.Get(jobLabel)
		if !found || !v.hit(name) {
			return
		}
		to := exportedJob
		if _, taken := m.Get(to); taken {
			to += "_" + digest(jobLabel)[:8]
		}
		moved := pcommon.NewValueEmpty()
		label.MoveTo(moved)
		m.Remove(jobLabel)
		moved.MoveTo(m.PutEmpty(to))
	}
}

// placed refuses a point of a series that finds no place. One that goes for another reason takes none.
func (v *visit) placed(attributes pcommon.Map, parts uint64, weight int) {
	if v.verdict == keep && !v.shape.admits(attributes, parts, weight) {
		v.hit(series)
	}
}

// common repairs labels and times.
func common[P point](v *visit, p P) {
	v.labels(p.Attributes())
	v.bytes += 32 + v.attributes(p.Attributes(), 0, false).bytes
	switch at := p.Timestamp(); {
	case v.window.has(at):
	case at != 0 && at < v.window.oldest:
		v.hit(late)
	case v.hit(timestamp): // none, or ahead of all clocks
		// One after the other: of two points of a series at once delta_to_cumulative drops one.
		p.SetTimestamp(v.window.now + v.stamped)
		v.stamped++
	}
	// A series cannot begin after its point. With that point it has an unknown beginning; with a zero
	// one, delta_to_cumulative takes the point for one of an older series and drops it.
	if p.StartTimestamp() > p.Timestamp() && v.hit(timestamp) {
		p.SetStartTimestamp(p.Timestamp())
	}
}

// exemplars drops those without a value, for which a backend refuses the whole batch.
func (v *visit) exemplars(all pmetric.ExemplarSlice) {
	if all.Len() == 0 {
		return
	}
	all.RemoveIf(func(one pmetric.Exemplar) bool {
		if one.ValueType() == pmetric.ExemplarValueTypeEmpty && v.hit(exemplar) {
			return true
		}
		v.attributes(one.FilteredAttributes(), 0, false)
		// An old one stays: senders repeat the last they have, and a backend leaves it out alone.
		if at := one.Timestamp(); at > v.window.newest && v.hit(timestamp) {
			one.SetTimestamp(v.window.now)
		}
		return false
	})
}
