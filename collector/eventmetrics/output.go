// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// write fills a metric with what has changed of a family.
func (p *portion) write(metric pmetric.Metric, now pcommon.Timestamp) {
	config := p.family.config
	metric.SetName(config.Name)
	metric.SetDescription(config.Description)
	metric.SetUnit(config.Unit)
	names := p.family.labelNames()
	if p.family.isHistogram() {
		histogram := metric.SetEmptyHistogram()
		histogram.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for i := range p.readings {
			if r := &p.readings[i]; !r.failed {
				r.writeHistogram(histogram.DataPoints().AppendEmpty(), config.Buckets, names, now)
			}
		}
		return
	}
	total := metric.SetEmptySum()
	total.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	total.SetIsMonotonic(true)
	for i := range p.readings {
		if r := &p.readings[i]; !r.failed {
			r.writeSum(total.DataPoints().AppendEmpty(), names, now)
		}
	}
}

func (r *reading) writeSum(point pmetric.NumberDataPoint, names []string, now pcommon.Timestamp) {
	point.SetStartTimestamp(pcommon.NewTimestampFromTime(r.start))
	point.SetTimestamp(now)
	r.writeLabels(point.Attributes(), names)
	if !r.initialized {
		point.SetDoubleValue(0)
		return
	}
	point.SetDoubleValue(r.sum.value())
	r.writeExemplars(point.Exemplars())
}

func (r *reading) writeHistogram(
	point pmetric.HistogramDataPoint, bounds []float64, names []string, now pcommon.Timestamp,
) {
	point.SetStartTimestamp(pcommon.NewTimestampFromTime(r.start))
	point.SetTimestamp(now)
	r.writeLabels(point.Attributes(), names)
	point.ExplicitBounds().FromRaw(bounds)
	if !r.initialized {
		point.SetCount(0)
		point.SetSum(0)
		point.BucketCounts().FromRaw(make([]uint64, len(r.buckets)))
		return
	}
	point.SetCount(r.count)
	point.SetSum(r.sum.value())
	point.BucketCounts().FromRaw(r.buckets)
	r.writeExemplars(point.Exemplars())
}

func (r *reading) writeLabels(attributes pcommon.Map, names []string) {
	attributes.EnsureCapacity(len(names))
	for i, name := range names {
		attributes.PutStr(name, r.series.values[i])
	}
}

func (r *reading) writeExemplars(exemplars pmetric.ExemplarSlice) {
	for _, from := range r.exemplars {
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
