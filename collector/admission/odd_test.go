// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/xpdata"
)

// odd makes requests of what nobody means to send.
type odd struct{ *rand.Rand }

func pick[T any](o odd, from ...T) T { return from[o.IntN(len(from))] }

// seldom is true once in n times.
func (o odd) seldom(n int) bool { return o.IntN(n) == 0 }

func (o odd) text() string {
	if !o.seldom(4) {
		return pick(o, "a", "shop", "order packed", "GET /orders/{id}", "key.1", "x9")
	}
	return pick(o, "", "_", ".", "__", " ", "сумма", "名前", "é1", "🦊", "\x00", "\x1f\"\\\u2028", "\xff", "a\xc3", "\x80b",
		"__name__", "le", "job", overflowKey, repairedKey, originalTimeKey, serviceName, "other",
		strings.Repeat("long ", o.IntN(500)), strings.Repeat("я", o.IntN(2000)), strings.Repeat("\x01", o.IntN(1000)),
		strings.Repeat("\xff", o.IntN(1000)))
}

func (o odd) double() float64 {
	return pick(o, 0, 1.5, -1, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64, -0.0)
}

func (o odd) int() int64 { return pick(o, 0, 1, -1, math.MaxInt64, math.MinInt64, o.Int64()) }

func (o odd) unsigned() uint64 {
	if !o.seldom(6) {
		return o.Uint64N(5)
	}
	return pick(o, 0, math.MaxUint64, 1<<63, 1<<63-1, o.Uint64())
}

func (o odd) time() pcommon.Timestamp {
	if !o.seldom(4) {
		return at(-time.Duration(o.IntN(int(20 * time.Hour))))
	}
	return pick(o, 0, 1, math.MaxUint64, 1<<63, 1<<63-1, 11651379494838206464,
		at(0), at(9*time.Minute), at(9*time.Minute+1), at(2*time.Hour), at(time.Hour), at(time.Hour+1), at(-23*time.Hour), at(-23*time.Hour-1),
		at(-24*time.Hour), at(-335*time.Hour), at(-335*time.Hour-1), at(-480*time.Hour), pcommon.Timestamp(o.Uint64()))
}

func (o odd) value(v pcommon.Value, depth int) {
	switch kind := o.IntN(12); {
	case kind < 6:
		v.SetStr(o.text())
	case kind == 6:
		v.SetInt(o.int())
	case kind == 7:
		v.SetDouble(o.double())
	case kind == 8:
		v.SetBool(o.seldom(2))
	case kind == 9:
		v.SetEmptyBytes().FromRaw([]byte(o.text()))
	case kind == 10 && depth < 4:
		o.attributes(v.SetEmptyMap(), depth+1)
	case kind == 11 && depth < 4:
		list := v.SetEmptySlice()
		for range o.IntN(5) {
			o.value(list.AppendEmpty(), depth+1)
		}
	}
}

// attributes may have a name twice, and seldom are far too many.
func (o odd) attributes(m pcommon.Map, depth int) {
	n := o.IntN(5)
	if o.seldom(60) {
		n = o.IntN(1200) >> depth
	}
	var made xpdata.MapBuilder
	for range n {
		o.value(made.AppendEmpty(o.text()), depth)
	}
	made.UnsafeIntoMap(m)
}

func (o odd) resource(r pcommon.Resource) {
	o.attributes(r.Attributes(), 0)
	for _, key := range []string{serviceName, serviceNamespace, serviceEnvironment} {
		if o.seldom(2) {
			v, _ := r.Attributes().GetOrPutEmpty(key)
			o.value(v, 0)
		}
	}
}

func (o odd) scope(s pcommon.InstrumentationScope) {
	s.SetName(o.text())
	s.SetVersion(o.text())
	o.attributes(s.Attributes(), 0)
}

func (o odd) logs() plog.Logs {
	data := plog.NewLogs()
	for range o.IntN(4) {
		r := data.ResourceLogs().AppendEmpty()
		o.resource(r.Resource())
		r.SetSchemaUrl(o.text())
		for range o.IntN(3) {
			s := r.ScopeLogs().AppendEmpty()
			o.scope(s.Scope())
			s.SetSchemaUrl(o.text())
			for range o.IntN(6) {
				record := s.LogRecords().AppendEmpty()
				record.SetTimestamp(o.time())
				record.SetObservedTimestamp(o.time())
				record.SetSeverityText(o.text())
				record.SetSeverityNumber(plog.SeverityNumber(o.int()))
				record.SetEventName(o.text())
				record.SetFlags(plog.LogRecordFlags(o.Uint32()))
				record.SetDroppedAttributesCount(o.Uint32())
				o.value(record.Body(), 0)
				o.attributes(record.Attributes(), 0)
			}
		}
	}
	return data
}

func (o odd) traceID() (id pcommon.TraceID) {
	if !o.seldom(5) {
		id[o.IntN(16)] = 1
	}
	return id
}

func (o odd) spanID() (id pcommon.SpanID) {
	if !o.seldom(5) {
		id[o.IntN(8)] = 1
	}
	return id
}

func (o odd) traces() ptrace.Traces {
	data := ptrace.NewTraces()
	for range o.IntN(4) {
		r := data.ResourceSpans().AppendEmpty()
		o.resource(r.Resource())
		r.SetSchemaUrl(o.text())
		for range o.IntN(3) {
			s := r.ScopeSpans().AppendEmpty()
			o.scope(s.Scope())
			s.SetSchemaUrl(o.text())
			for range o.IntN(6) {
				span := s.Spans().AppendEmpty()
				span.SetTraceID(o.traceID())
				span.SetSpanID(o.spanID())
				span.SetParentSpanID(o.spanID())
				span.SetName(o.text())
				span.SetKind(ptrace.SpanKind(o.int()))
				span.TraceState().FromRaw(o.text())
				span.SetStartTimestamp(o.time())
				span.SetEndTimestamp(o.time())
				span.Status().SetMessage(o.text())
				o.attributes(span.Attributes(), 0)
				for range o.IntN(3) {
					event := span.Events().AppendEmpty()
					event.SetName(o.text())
					event.SetTimestamp(o.time())
					o.attributes(event.Attributes(), 0)
					link := span.Links().AppendEmpty()
					link.SetTraceID(o.traceID())
					link.SetSpanID(o.spanID())
					link.TraceState().FromRaw(o.text())
					o.attributes(link.Attributes(), 0)
				}
			}
		}
	}
	return data
}

func (o odd) exemplars(all pmetric.ExemplarSlice) {
	for range o.IntN(3) {
		one := all.AppendEmpty()
		one.SetTimestamp(o.time())
		one.SetTraceID(o.traceID())
		o.attributes(one.FilteredAttributes(), 0)
		switch o.IntN(4) {
		case 0:
		case 1:
			one.SetIntValue(o.int())
		default:
			one.SetDoubleValue(o.double())
		}
	}
}

func (o odd) buckets(b pmetric.ExponentialHistogramDataPointBuckets) {
	b.SetOffset(int32(pick(o, 0, 1, -1, 100, -5000, math.MinInt32, math.MaxInt32, int64(int32(o.Uint32())))))
	n := o.IntN(6)
	if o.seldom(50) {
		n = 3000
	}
	for range n {
		b.BucketCounts().Append(o.unsigned())
	}
}

func (o odd) point(p point) {
	p.SetTimestamp(o.time())
	p.SetStartTimestamp(o.time())
	o.attributes(p.Attributes(), 0)
}

func (o odd) flags() pmetric.DataPointFlags { return pmetric.DataPointFlags(o.IntN(8) / 7) }

func (o odd) number(p pmetric.NumberDataPoint) {
	o.point(p)
	p.SetFlags(o.flags())
	o.exemplars(p.Exemplars())
	switch o.IntN(4) {
	case 0:
	case 1:
		p.SetIntValue(o.int())
	default:
		p.SetDoubleValue(o.double())
	}
}

func (o odd) metric(m pmetric.Metric) {
	m.SetName(o.text())
	m.SetDescription(o.text())
	m.SetUnit(o.text())
	o.attributes(m.Metadata(), 0)
	temporality := pmetric.AggregationTemporality(pick(o, 0, 1, 2, 2, 3, -1))
	points := o.IntN(4)
	switch o.IntN(6) {
	case 0:
	case 1:
		m.SetEmptyGauge()
		for range points {
			o.number(m.Gauge().DataPoints().AppendEmpty())
		}
	case 2:
		m.SetEmptySum().SetAggregationTemporality(temporality)
		for range points {
			o.number(m.Sum().DataPoints().AppendEmpty())
		}
	case 3:
		m.SetEmptyHistogram().SetAggregationTemporality(temporality)
		for range points {
			p := m.Histogram().DataPoints().AppendEmpty()
			o.point(p)
			p.SetFlags(o.flags())
			o.exemplars(p.Exemplars())
			p.SetCount(o.unsigned())
			p.SetSum(o.double())
			for range o.IntN(4) {
				p.BucketCounts().Append(o.unsigned())
				p.ExplicitBounds().Append(o.double())
			}
		}
	case 4:
		m.SetEmptyExponentialHistogram().SetAggregationTemporality(temporality)
		for range points {
			p := m.ExponentialHistogram().DataPoints().AppendEmpty()
			o.point(p)
			p.SetFlags(o.flags())
			o.exemplars(p.Exemplars())
			p.SetScale(int32(pick(o, 0, 3, 20, -4, -5, -20, 21, math.MinInt32, math.MaxInt32, int64(o.IntN(40)-20))))
			o.buckets(p.Positive())
			o.buckets(p.Negative())
			p.SetZeroCount(o.unsigned())
			p.SetZeroThreshold(o.double())
			p.SetCount(o.unsigned())
			p.SetSum(o.double())
		}
	case 5:
		m.SetEmptySummary()
		for range points {
			p := m.Summary().DataPoints().AppendEmpty()
			o.point(p)
			p.SetFlags(o.flags())
			p.SetCount(o.unsigned())
			p.QuantileValues().AppendEmpty().SetQuantile(o.double())
		}
	}
}

func (o odd) metrics() pmetric.Metrics {
	data := pmetric.NewMetrics()
	for range o.IntN(4) {
		r := data.ResourceMetrics().AppendEmpty()
		o.resource(r.Resource())
		r.SetSchemaUrl(o.text())
		for range o.IntN(3) {
			s := r.ScopeMetrics().AppendEmpty()
			o.scope(s.Scope())
			s.SetSchemaUrl(o.text())
			for range o.IntN(6) {
				o.metric(s.Metrics().AppendEmpty())
			}
		}
	}
	return data
}

// request returns one of a signal, as protobuf.
func (o odd) request(signal string) (otlp []byte, err error) {
	switch signal {
	case signalLogs:
		return (&plog.ProtoMarshaler{}).MarshalLogs(o.logs())
	case signalTraces:
		return (&ptrace.ProtoMarshaler{}).MarshalTraces(o.traces())
	default:
		return (&pmetric.ProtoMarshaler{}).MarshalMetrics(o.metrics())
	}
}
