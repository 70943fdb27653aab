// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// step moves a new series on from not shown over shown at 0 to announced. It tells whether the
// series has to be handed on because of that.
func (s *series) step(now time.Time, zeroFor time.Duration) bool {
	switch {
	case s.shown.IsZero():
		s.shown = now
		s.announced = s.announced || zeroFor == 0
		return true
	case !s.announced && now.Sub(s.shown) >= zeroFor:
		s.announced = true
		return s.count > 0
	default:
		return false
	}
}

// write appends the family with all of its series.
func (f *family) write(metrics pmetric.MetricSlice, now pcommon.Timestamp) {
	if len(f.series) == 0 {
		return
	}
	metric := metrics.AppendEmpty()
	metric.SetName(f.config.Name)
	metric.SetDescription(f.config.Description)
	metric.SetUnit(f.config.Unit)
	names := f.labelNames()
	if f.isHistogram() {
		histogram := metric.SetEmptyHistogram()
		histogram.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for _, s := range f.series {
			s.writeHistogram(histogram.DataPoints().AppendEmpty(), f.config.Buckets, names, now)
		}
		return
	}
	total := metric.SetEmptySum()
	total.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	total.SetIsMonotonic(true)
	for _, s := range f.series {
		s.writeSum(total.DataPoints().AppendEmpty(), names, now)
	}
}

func (s *series) writeSum(point pmetric.NumberDataPoint, names []string, now pcommon.Timestamp) {
	point.SetStartTimestamp(pcommon.NewTimestampFromTime(s.start))
	point.SetTimestamp(now)
	s.writeLabels(point.Attributes(), names)
	if !s.announced {
		point.SetDoubleValue(0)
		return
	}
	point.SetDoubleValue(s.sum.value())
	s.writeExemplars(point.Exemplars())
}

func (s *series) writeHistogram(
	point pmetric.HistogramDataPoint, bounds []float64, names []string, now pcommon.Timestamp,
) {
	point.SetStartTimestamp(pcommon.NewTimestampFromTime(s.start))
	point.SetTimestamp(now)
	s.writeLabels(point.Attributes(), names)
	point.ExplicitBounds().FromRaw(bounds)
	if !s.announced {
		point.SetCount(0)
		point.SetSum(0)
		point.BucketCounts().FromRaw(make([]uint64, len(s.buckets)))
		return
	}
	point.SetCount(s.count)
	point.SetSum(s.sum.value())
	point.BucketCounts().FromRaw(s.buckets)
	s.writeExemplars(point.Exemplars())
}

func (s *series) writeLabels(attributes pcommon.Map, names []string) {
	for i, name := range names {
		attributes.PutStr(name, s.values[i])
	}
}

func (s *series) writeExemplars(exemplars pmetric.ExemplarSlice) {
	for _, from := range s.exemplars {
		if from.trace.IsEmpty() {
			continue
		}
		to := exemplars.AppendEmpty()
		to.SetDoubleValue(from.value)
		to.SetTimestamp(from.at)
		to.SetTraceID(from.trace)
		to.SetSpanID(from.span)
	}
}
