// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/protobuf/encoding/protowire"

	"glasshouse.example/collector/deadletter"
)

// TestPartsAreTheWhole parts random data again and again. Each item is compared with all that it
// stands in, so that nothing is lost, doubled, moved or robbed of its resource, scope or metric.
func TestPartsAreTheWhole(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		partsAreTheWhole(t, random, logs(), randomLogs(random), logItems)
		partsAreTheWhole(t, random, traces(), randomTraces(random), traceItems)
		partsAreTheWhole(t, random, metrics(), randomMetrics(random), metricItems)
		cutsAreTheWhole(t, random, logs(), randomLogs(random), logItems)
		cutsAreTheWhole(t, random, traces(), randomTraces(random), traceItems)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func partsAreTheWhole[T any](t *testing.T, random *rand.Rand, signal signal[T], data T, items func(*testing.T, T) []string) {
	t.Helper()
	want := items(t, data)
	if got := signal.count(data); got != len(want) {
		t.Errorf("%s: %d items are counted as %d", signal.name, len(want), got)
	}
	parts := []T{data}
	for range 20 {
		at := random.IntN(len(parts))
		n := signal.count(parts[at])
		if n < 2 {
			continue
		}
		cut := 1 + random.IntN(n-1)
		left, right := signal.part(parts[at], 0, cut), signal.part(parts[at], cut, n)
		if signal.count(left) != cut || signal.count(right) != n-cut {
			t.Errorf("%s: %d parted at %d make %d and %d", signal.name, n, cut, signal.count(left), signal.count(right))
		}
		parts = slices.Replace(parts, at, at+1, left, right)
	}
	if got := items(t, data); !slices.Equal(got, want) {
		t.Errorf("%s: the data was changed", signal.name)
	}
	var got []string
	for _, part := range parts {
		got = append(got, items(t, part)...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: the parts are not the whole: %q", signal.name, difference(got, want))
	}
	requests := make([]*request[T], len(parts))
	for i, part := range parts {
		encoded, err := signal.encode(part)
		fatal(t, err)
		requests[i], err = newRequest(&signal, encoded)
		fatal(t, err)
	}
	whole, err := signal.decode(join(requests).bytes)
	fatal(t, err)
	if joined := items(t, whole); !slices.Equal(joined, want) {
		t.Errorf("%s: joined they are not the whole", signal.name)
	}
}

// cutsAreTheWhole does the same with what is parted as it is encoded.
func cutsAreTheWhole[T any](t *testing.T, random *rand.Rand, signal signal[T], data T, items func(*testing.T, T) []string) {
	t.Helper()
	want := items(t, data)
	whole, err := signal.encode(data)
	fatal(t, err)
	before := slices.Clone(whole)
	parts := [][]byte{whole}
	for range 20 {
		at := random.IntN(len(parts))
		n, ok := signal.layers.count(parts[at])
		if !ok {
			t.Fatalf("%s: not known", signal.name)
		}
		if n < 2 {
			continue
		}
		cut := 1 + random.IntN(n-1)
		parts = slices.Replace(parts, at, at+1, signal.layers.cut(parts[at], 0, cut), signal.layers.cut(parts[at], cut, n))
	}
	if !slices.Equal(whole, before) {
		t.Errorf("%s: the message was changed", signal.name)
	}
	var got []string
	for _, part := range parts {
		decoded, err := signal.decode(part)
		fatal(t, err)
		if n, _ := signal.layers.count(part); n != signal.count(decoded) {
			t.Errorf("%s: %d items are counted as %d", signal.name, signal.count(decoded), n)
		}
		got = append(got, items(t, decoded)...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: the parts are not the whole: %q", signal.name, difference(got, want))
	}
}

// TestOddMessagesAreNotCut: what stands in a field that is not known would be in each part.
func TestOddMessagesAreNotCut(t *testing.T) {
	known := resourceScopeItem
	record := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), nil)
	within := func(field protowire.Number, inner []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), inner)
	}
	good := within(1, within(2, record))
	if n, ok := known.count(good); n != 1 || !ok {
		t.Errorf("one record: %d, %t", n, ok)
	}
	for name, odd := range map[string][]byte{
		"the scopes of old":      within(1, within(1000, record)),
		"a field of tomorrow":    within(1, within(2, within(4, nil))),
		"a request of tomorrow":  append(slices.Clone(good), within(2, nil)...),
		"a number":               within(1, protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), 1)),
		"what breaks off":        good[:len(good)-1],
		"an inner that does so":  within(1, within(2, record[:1])),
		"no message but letters": []byte("letters"),
	} {
		if _, ok := known.count(odd); ok {
			t.Errorf("%s is cut", name)
		}
	}
}

func asText(t *testing.T, value any) string {
	text, err := json.Marshal(value)
	fatal(t, err)
	return string(text)
}

// logItems returns all of each record.
func logItems(t *testing.T, data plog.Logs) (found []string) {
	for _, resource := range data.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				one := plog.NewLogs()
				madeResource := one.ResourceLogs().AppendEmpty()
				resource.CopyTo(madeResource)
				madeResource.ScopeLogs().RemoveIf(func(plog.ScopeLogs) bool { return true })
				madeScope := madeResource.ScopeLogs().AppendEmpty()
				scope.CopyTo(madeScope)
				madeScope.LogRecords().RemoveIf(func(plog.LogRecord) bool { return true })
				record.CopyTo(madeScope.LogRecords().AppendEmpty())
				text, err := (&plog.JSONMarshaler{}).MarshalLogs(one)
				fatal(t, err)
				found = append(found, string(text))
			}
		}
	}
	return found
}

func traceItems(t *testing.T, data ptrace.Traces) (found []string) {
	for _, resource := range data.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				one := ptrace.NewTraces()
				madeResource := one.ResourceSpans().AppendEmpty()
				resource.CopyTo(madeResource)
				madeResource.ScopeSpans().RemoveIf(func(ptrace.ScopeSpans) bool { return true })
				madeScope := madeResource.ScopeSpans().AppendEmpty()
				scope.CopyTo(madeScope)
				madeScope.Spans().RemoveIf(func(ptrace.Span) bool { return true })
				span.CopyTo(madeScope.Spans().AppendEmpty())
				text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(one)
				fatal(t, err)
				found = append(found, string(text))
			}
		}
	}
	return found
}

func metricItems(t *testing.T, data pmetric.Metrics) (found []string) {
	for _, resource := range data.ResourceMetrics().All() {
		for _, scope := range resource.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				about := asText(t, []any{
					resource.SchemaUrl(), resource.Resource().Attributes().AsRaw(), scope.SchemaUrl(),
					scope.Scope().Name(), scope.Scope().Version(), scope.Scope().Attributes().AsRaw(),
					metric.Name(), metric.Unit(), metric.Description(), metric.Metadata().AsRaw(), metric.Type().String(),
				})
				switch metric.Type() {
				case pmetric.MetricTypeSum:
					about += asText(t, []any{metric.Sum().IsMonotonic(), metric.Sum().AggregationTemporality()})
				case pmetric.MetricTypeHistogram:
					about += asText(t, metric.Histogram().AggregationTemporality())
				case pmetric.MetricTypeExponentialHistogram:
					about += asText(t, metric.ExponentialHistogram().AggregationTemporality())
				}
				if deadletter.Points(metric) == 0 {
					found = append(found, about)
				}
				for _, point := range pointTexts(metric) {
					found = append(found, about+point)
				}
			}
		}
	}
	return found
}

func pointTexts(metric pmetric.Metric) (found []string) {
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		for _, point := range metric.Gauge().DataPoints().All() {
			found = append(found, fmt.Sprint("gauge ", point.IntValue(), point.Attributes().AsRaw()))
		}
	case pmetric.MetricTypeSum:
		for _, point := range metric.Sum().DataPoints().All() {
			found = append(found, fmt.Sprint("sum ", point.IntValue(), point.Attributes().AsRaw()))
		}
	case pmetric.MetricTypeHistogram:
		for _, point := range metric.Histogram().DataPoints().All() {
			found = append(found, fmt.Sprint("histogram ", point.Count(), point.BucketCounts().AsRaw(), point.Attributes().AsRaw()))
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, point := range metric.ExponentialHistogram().DataPoints().All() {
			found = append(found, fmt.Sprint("exponential ", point.Count(), point.Scale(), point.Attributes().AsRaw()))
		}
	case pmetric.MetricTypeSummary:
		for _, point := range metric.Summary().DataPoints().All() {
			found = append(found, fmt.Sprint("summary ", point.Count(), point.Attributes().AsRaw()))
		}
	}
	return found
}

func describe(random *rand.Rand, attributes pcommon.Map) {
	for range random.IntN(3) {
		attributes.PutInt(fmt.Sprint("k", random.IntN(5)), random.Int64N(1000))
	}
}

func randomLogs(random *rand.Rand) plog.Logs {
	data := plog.NewLogs()
	for i := range 1 + random.IntN(4) {
		resource := data.ResourceLogs().AppendEmpty()
		resource.SetSchemaUrl(fmt.Sprint("resource/", i))
		describe(random, resource.Resource().Attributes())
		resource.Resource().SetDroppedAttributesCount(uint32(random.IntN(9)))
		for j := range random.IntN(4) {
			scope := resource.ScopeLogs().AppendEmpty()
			scope.SetSchemaUrl(fmt.Sprint("scope/", j))
			scope.Scope().SetName(fmt.Sprint("scope ", j))
			describe(random, scope.Scope().Attributes())
			for range random.IntN(7) {
				record := scope.LogRecords().AppendEmpty()
				record.SetTimestamp(pcommon.Timestamp(random.Uint64()))
				record.SetTraceID(pcommon.TraceID{byte(random.IntN(255)), 1})
				record.SetEventName("event")
				record.Body().SetInt(random.Int64())
				describe(random, record.Attributes())
			}
		}
	}
	return data
}

func randomTraces(random *rand.Rand) ptrace.Traces {
	data := ptrace.NewTraces()
	for i := range 1 + random.IntN(4) {
		resource := data.ResourceSpans().AppendEmpty()
		resource.SetSchemaUrl(fmt.Sprint("resource/", i))
		describe(random, resource.Resource().Attributes())
		for j := range random.IntN(4) {
			scope := resource.ScopeSpans().AppendEmpty()
			scope.SetSchemaUrl(fmt.Sprint("scope/", j))
			scope.Scope().SetVersion(fmt.Sprint(j))
			describe(random, scope.Scope().Attributes())
			for range random.IntN(7) {
				span := scope.Spans().AppendEmpty()
				span.SetName(fmt.Sprint(random.Int64()))
				span.SetSpanID(pcommon.SpanID{byte(random.IntN(255)), 1})
				span.Status().SetMessage("status")
				span.Links().AppendEmpty().TraceState().FromRaw("a=b")
				describe(random, span.Events().AppendEmpty().Attributes())
			}
		}
	}
	return data
}

func randomMetrics(random *rand.Rand) pmetric.Metrics {
	data := pmetric.NewMetrics()
	for i := range 1 + random.IntN(4) {
		resource := data.ResourceMetrics().AppendEmpty()
		resource.SetSchemaUrl(fmt.Sprint("resource/", i))
		describe(random, resource.Resource().Attributes())
		for j := range random.IntN(3) {
			scope := resource.ScopeMetrics().AppendEmpty()
			scope.SetSchemaUrl(fmt.Sprint("scope/", j))
			scope.Scope().SetName(fmt.Sprint("scope ", j))
			scope.Scope().SetVersion(fmt.Sprint(random.IntN(3)))
			describe(random, scope.Scope().Attributes())
			for k := range random.IntN(4) {
				metric := scope.Metrics().AppendEmpty()
				metric.SetName(fmt.Sprint("metric ", k))
				metric.SetUnit("s")
				metric.SetDescription(fmt.Sprint(random.IntN(9)))
				describe(random, metric.Metadata())
				randomPoints(random, metric)
			}
		}
	}
	return data
}

func randomPoints(random *rand.Rand, metric pmetric.Metric) {
	temporality := pmetric.AggregationTemporality(random.IntN(3))
	n := random.IntN(6)
	switch random.IntN(6) {
	case 0:
		points := metric.SetEmptyGauge().DataPoints()
		for range n {
			describe(random, points.AppendEmpty().Attributes())
			points.At(points.Len() - 1).SetIntValue(random.Int64())
		}
	case 1:
		sum := metric.SetEmptySum()
		sum.SetIsMonotonic(random.IntN(2) == 0)
		sum.SetAggregationTemporality(temporality)
		for range n {
			describe(random, sum.DataPoints().AppendEmpty().Attributes())
			sum.DataPoints().At(sum.DataPoints().Len() - 1).SetIntValue(random.Int64())
		}
	case 2:
		histogram := metric.SetEmptyHistogram()
		histogram.SetAggregationTemporality(temporality)
		for range n {
			point := histogram.DataPoints().AppendEmpty()
			point.SetCount(random.Uint64())
			point.BucketCounts().FromRaw([]uint64{random.Uint64(), 1})
		}
	case 3:
		histogram := metric.SetEmptyExponentialHistogram()
		histogram.SetAggregationTemporality(temporality)
		for range n {
			point := histogram.DataPoints().AppendEmpty()
			point.SetCount(random.Uint64())
			point.SetScale(int32(random.IntN(20)))
		}
	case 4:
		points := metric.SetEmptySummary().DataPoints()
		for range n {
			points.AppendEmpty().SetCount(random.Uint64())
		}
	}
}
