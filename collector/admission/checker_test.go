// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"glasshouse.example/collector/casetest"
)

// checker holds what is passed on against the limits, as a backend does. It shares no code with what
// it checks.
type checker struct {
	config *Config
	found  []string
	kinds  map[string]bool // of what was found: positive controls
}

var fileableName = regexp.MustCompile(`[A-Za-z0-9]`)

func (c *checker) fail(format string, values ...any) {
	c.found = append(c.found, fmt.Sprintf(format, values...))
	if c.kinds == nil {
		c.kinds = map[string]bool{}
	}
	c.kinds[format] = true
}

func (c *checker) text(where, s string, most int) {
	if !utf8.ValidString(s) {
		c.fail("%s is no UTF-8: %q", where, s)
	}
	if len(s) > most {
		c.fail("%s has %d bytes", where, len(s))
	}
}

// json reports whether a value that a backend stores as JSON has one.
func (c *checker) json(where string, v pcommon.Value) {
	if v.Type() != pcommon.ValueTypeSlice && v.Type() != pcommon.ValueTypeMap {
		return
	}
	if _, err := json.Marshal(v.AsRaw()); err != nil {
		c.fail("%s has no JSON: %v", where, err)
	}
}

// inside checks the text in a value, to any depth.
func (c *checker) inside(where string, v pcommon.Value) {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		c.text(where, v.Str(), math.MaxInt)
	case pcommon.ValueTypeSlice:
		for _, item := range v.Slice().All() {
			c.inside(where+"[]", item)
		}
	case pcommon.ValueTypeMap:
		for key, item := range v.Map().All() {
			c.text("a name in "+where, key, math.MaxInt)
			c.inside(where+"."+key, item)
		}
	}
}

// leaves are what a backend stores of a map that it takes apart.
func leaves(v pcommon.Value, each func(pcommon.Value)) {
	if v.Type() != pcommon.ValueTypeMap {
		each(v)
		return
	}
	for _, item := range v.Map().All() {
		leaves(item, each)
	}
}

type limitsOfAttributes struct {
	names, values int
	fileable      bool
	apart         bool // maps are taken apart
	count         int
	asJSON        bool
}

func (c *checker) attributes(where string, m pcommon.Map, limits limitsOfAttributes) {
	count := 0
	for key, v := range m.All() {
		place := where + " " + fmt.Sprintf("%.20q", key)
		c.text("the name of "+place, key, limits.names)
		if key == "" || limits.fileable && !fileableName.MatchString(key) {
			c.fail("%s cannot be filed", place)
		}
		c.inside(place, v)
		each := func(leaf pcommon.Value) {
			count++
			if n := len(leaf.AsString()); n > limits.values {
				c.fail("%s has %d bytes", place, n)
			}
			if limits.asJSON {
				c.json(place, leaf)
			}
		}
		if limits.apart {
			leaves(v, each)
		} else {
			each(v)
		}
	}
	if limits.count > 0 && count > limits.count {
		c.fail("%s are %d", where, count)
	}
}

func (c *checker) time(where string, at pcommon.Timestamp, times TimeConfig) {
	oldest, newest := casetest.Now.Add(-times.Oldest).UnixNano(), casetest.Now.Add(times.Newest).UnixNano()
	if at > math.MaxInt64 || int64(at) < oldest || int64(at) > newest {
		c.fail("%s is %d", where, uint64(at))
	}
}

func (c *checker) index(m pcommon.Map, keys []string, most int) {
	keys = append([]string{"service.name", "service.namespace", "deployment.environment.name"}, keys...)
	met := map[string]int{}
	for key, v := range m.All() {
		met[key]++
		if !slices.Contains(keys, key) {
			continue
		}
		if v.Type() != pcommon.ValueTypeStr {
			c.fail("%s is no text", key)
		}
		c.text(key, v.AsString(), most)
	}
	for _, key := range keys {
		if met[key] > 1 {
			c.fail("%s stands %d times", key, met[key])
		}
	}
}

func (c *checker) logs(data plog.Logs) {
	config := c.config.Logs
	limits := limitsOfAttributes{names: config.AttributesBytes, values: config.ValueBytes, fileable: true, apart: true, asJSON: true}
	for _, r := range data.ResourceLogs().All() {
		c.index(r.Resource().Attributes(), config.Index, config.IndexBytes)
		c.attributes("the resource's attributes", r.Resource().Attributes(), limits)
		c.text("the resource's schema", r.SchemaUrl(), config.ValueBytes)
		for _, s := range r.ScopeLogs().All() {
			c.attributes("the scope's attributes", s.Scope().Attributes(), limits)
			c.text("the scope's name", s.Scope().Name(), config.ValueBytes)
			c.text("the scope's version", s.Scope().Version(), config.ValueBytes)
			c.text("the scope's schema", s.SchemaUrl(), config.ValueBytes)
			for _, record := range s.LogRecords().All() {
				c.attributes("the attributes", record.Attributes(), limits)
				c.text("the event", record.EventName(), config.ValueBytes)
				c.severity(record)
				c.inside("the body", record.Body())
				c.json("the body", record.Body())
				c.text("the body", record.Body().AsString(), config.BodyBytes)
				count, size := storedByLoki(r, s, record, config.Index)
				if count > config.Attributes || size > config.AttributesBytes {
					c.fail("Loki stores %d attributes of %d bytes", count, size)
				}
				at := record.Timestamp()
				if at == 0 {
					at = record.ObservedTimestamp()
				}
				if at != 0 {
					c.time("the time", at, config.TimeConfig)
				}
			}
		}
	}
}

func (c *checker) traces(data ptrace.Traces) {
	config := c.config.Traces
	limits := limitsOfAttributes{names: math.MaxInt, values: config.ValueBytes, apart: true, count: config.Attributes}
	for _, r := range data.ResourceSpans().All() {
		c.index(r.Resource().Attributes(), nil, 512)
		c.attributes("the resource's attributes", r.Resource().Attributes(), limits)
		c.text("the resource's schema", r.SchemaUrl(), config.ValueBytes)
		for _, s := range r.ScopeSpans().All() {
			c.attributes("the scope's attributes", s.Scope().Attributes(), limits)
			c.text("the scope's name", s.Scope().Name(), config.ValueBytes)
			c.text("the scope's version", s.Scope().Version(), config.ValueBytes)
			c.text("the scope's schema", s.SchemaUrl(), config.ValueBytes)
			for _, span := range s.Spans().All() {
				c.attributes("the span's attributes", span.Attributes(), limits)
				c.text("the name", span.Name(), config.ValueBytes)
				c.text("the status", span.Status().Message(), config.ValueBytes)
				c.text("the state", span.TraceState().AsRaw(), config.ValueBytes)
				if span.TraceID() == [16]byte{} || span.SpanID() == [8]byte{} {
					c.fail("an id is zero")
				}
				c.time("the start", span.StartTimestamp(), config.TimeConfig)
				c.time("the end", span.EndTimestamp(), config.TimeConfig)
				if span.EndTimestamp() < span.StartTimestamp() {
					c.fail("the end is before the start")
				}
				for _, event := range span.Events().All() {
					c.attributes("an event's attributes", event.Attributes(), limits)
					c.text("an event's name", event.Name(), config.ValueBytes)
					c.time("an event's time", event.Timestamp(), config.TimeConfig)
				}
				for _, link := range span.Links().All() {
					c.attributes("a link's attributes", link.Attributes(), limits)
					c.text("a link's state", link.TraceState().AsRaw(), config.ValueBytes)
				}
			}
		}
	}
}

func (c *checker) metrics(data pmetric.Metrics) {
	config := c.config.Metrics
	limits := limitsOfAttributes{names: config.NameBytes, values: config.ValueBytes, fileable: true, asJSON: true}
	for _, r := range data.ResourceMetrics().All() {
		c.index(r.Resource().Attributes(), config.Index, config.IndexBytes)
		c.attributes("the resource's attributes", r.Resource().Attributes(), limits)
		c.text("the resource's schema", r.SchemaUrl(), config.ValueBytes)
		for _, s := range r.ScopeMetrics().All() {
			c.attributes("the scope's attributes", s.Scope().Attributes(), limits)
			c.text("the scope's name", s.Scope().Name(), config.ValueBytes)
			c.text("the scope's version", s.Scope().Version(), config.ValueBytes)
			c.text("the scope's schema", s.SchemaUrl(), config.ValueBytes)
			for _, m := range s.Metrics().All() {
				c.metric(m, limits)
			}
		}
	}
}

func (c *checker) metric(m pmetric.Metric, limits limitsOfAttributes) {
	config := c.config.Metrics
	c.text("the metric's name", m.Name(), config.NameBytes)
	if !fileableName.MatchString(m.Name()) {
		c.fail("the metric %q cannot be filed", m.Name())
	}
	c.text("the description", m.Description(), config.ValueBytes)
	c.text("the unit", m.Unit(), config.ValueBytes)
	c.attributes("the metadata", m.Metadata(), limits)
	temporality := func(is pmetric.AggregationTemporality) {
		if is != pmetric.AggregationTemporalityCumulative && is != pmetric.AggregationTemporalityDelta {
			c.fail("the temporality is %d", is)
		}
	}
	points := 0
	common := func(p point) {
		points++
		c.attributes("the labels", p.Attributes(), limits)
		c.time("the time", p.Timestamp(), config.TimeConfig)
		if p.StartTimestamp() > p.Timestamp() {
			c.fail("the start is after the time")
		}
	}
	exemplars := func(all pmetric.ExemplarSlice) {
		for _, one := range all.All() {
			c.attributes("an exemplar's attributes", one.FilteredAttributes(), limits)
			if one.ValueType() == pmetric.ExemplarValueTypeEmpty {
				c.fail("an exemplar has no value")
			}
			if int64(one.Timestamp()) > casetest.Now.Add(config.Newest).UnixNano() || one.Timestamp() > math.MaxInt64 {
				c.fail("an exemplar is of %d", one.Timestamp())
			}
		}
	}
	numbers := func(all pmetric.NumberDataPointSlice) {
		for _, p := range all.All() {
			common(p)
			exemplars(p.Exemplars())
			if p.ValueType() == pmetric.NumberDataPointValueTypeEmpty && !p.Flags().NoRecordedValue() {
				c.fail("a point has no value")
			}
		}
	}
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		numbers(m.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		temporality(m.Sum().AggregationTemporality())
		numbers(m.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		temporality(m.Histogram().AggregationTemporality())
		for _, p := range m.Histogram().DataPoints().All() {
			common(p)
			exemplars(p.Exemplars())
		}
	case pmetric.MetricTypeExponentialHistogram:
		temporality(m.ExponentialHistogram().AggregationTemporality())
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			common(p)
			exemplars(p.Exemplars())
			c.histogram(p, m.ExponentialHistogram().AggregationTemporality())
		}
	case pmetric.MetricTypeSummary:
		for _, p := range m.Summary().DataPoints().All() {
			common(p)
		}
	}
	if points == 0 {
		c.fail("a metric has no points")
	}
}

// histogram has the rules of Prometheus' conversion from OTLP and of its Histogram.Validate
// (storage/remote/otlptranslator, model/histogram).
func (c *checker) histogram(p pmetric.ExponentialHistogramDataPoint, temporality pmetric.AggregationTemporality) {
	const leastSchema, mostSchema = -4, 8
	if p.Scale() < leastSchema || p.Scale() > 20 {
		c.fail("the scale is %d", p.Scale())
	}
	sum := float64(p.ZeroCount())
	exact := p.ZeroCount()
	for _, side := range []pmetric.ExponentialHistogramDataPointBuckets{p.Positive(), p.Negative()} {
		last := int64(side.Offset()) + int64(side.BucketCounts().Len())
		if last > math.MaxInt32 || side.Offset() == math.MinInt32 || last>>max(0, p.Scale()-mostSchema) > 1<<20 {
			c.fail("buckets go up to %d", last)
		}
		for _, n := range side.BucketCounts().All() {
			if n > math.MaxInt64 {
				c.fail("a bucket has %d", n)
			}
			sum += float64(n)
			exact += n
		}
		if n := side.BucketCounts().Len(); n > 1024 {
			c.fail("there are %d buckets", n)
		} else if n > 0 && (side.BucketCounts().At(0) == 0 || side.BucketCounts().At(n-1) == 0) {
			c.fail("an end is empty")
		}
	}
	if sum > math.MaxInt64 {
		c.fail("the sum of the counts is over all numbers")
	}
	if !p.Flags().NoRecordedValue() && exact != p.Count() {
		c.fail("buckets have %d, the count is %d", exact, p.Count())
	}
	if temporality == pmetric.AggregationTemporalityDelta && (p.ZeroThreshold() != 0 || p.Scale() > mostSchema) {
		c.fail("delta_to_cumulative would walk far: scale %d, threshold %g", p.Scale(), p.ZeroThreshold())
	}
}

// severity holds a text to the short names of OTLP.
func (c *checker) severity(record plog.LogRecord) {
	number, text := record.SeverityNumber(), record.SeverityText()
	switch {
	case number < 0 || number > 24:
		c.fail("the severity is %d", number)
	case number == 0 && text != "" && text != "UNSPECIFIED", number > 0 && text != strings.ToUpper(number.String()):
		c.fail("the severity %d is %q", number, text)
	}
}
