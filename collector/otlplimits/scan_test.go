// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
)

var wide = bounds{depth: defaultMaxDepth, attributes: defaultMaxAttributes, decoded: math.MaxInt64}

// scan looks through a copy of a request and returns what became of it.
func scan(b bounds, root messageID, body []byte, json bool) ([]byte, report) {
	out := bytes.Clone(body)
	s := newScanners(b)
	if json {
		return out, s.jsonText(out, root)
	}
	return out, s.protobuf(out, root, true)
}

// lists calls for each list of attributes and for each body of a decoded request.
func lists(request exportRequest, onMap func(pcommon.Map), onValue func(pcommon.Value)) {
	switch r := request.(type) {
	case plogotlp.ExportRequest:
		for _, rl := range r.Logs().ResourceLogs().All() {
			onMap(rl.Resource().Attributes())
			for _, sl := range rl.ScopeLogs().All() {
				onMap(sl.Scope().Attributes())
				for _, record := range sl.LogRecords().All() {
					onMap(record.Attributes())
					onValue(record.Body())
				}
			}
		}
	case ptraceotlp.ExportRequest:
		for _, rs := range r.Traces().ResourceSpans().All() {
			onMap(rs.Resource().Attributes())
			for _, ss := range rs.ScopeSpans().All() {
				onMap(ss.Scope().Attributes())
				for _, span := range ss.Spans().All() {
					onMap(span.Attributes())
					for _, event := range span.Events().All() {
						onMap(event.Attributes())
					}
					for _, link := range span.Links().All() {
						onMap(link.Attributes())
					}
				}
			}
		}
	case pmetricotlp.ExportRequest:
		for _, rm := range r.Metrics().ResourceMetrics().All() {
			onMap(rm.Resource().Attributes())
			for _, sm := range rm.ScopeMetrics().All() {
				onMap(sm.Scope().Attributes())
				for _, m := range sm.Metrics().All() {
					onMap(m.Metadata())
					points(m, onMap)
				}
			}
		}
	}
}

func points(m pmetric.Metric, onMap func(pcommon.Map)) {
	exemplars := func(all pmetric.ExemplarSlice) {
		for _, e := range all.All() {
			onMap(e.FilteredAttributes())
		}
	}
	numbers := func(all pmetric.NumberDataPointSlice) {
		for _, p := range all.All() {
			onMap(p.Attributes())
			exemplars(p.Exemplars())
		}
	}
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		numbers(m.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		numbers(m.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			onMap(p.Attributes())
			exemplars(p.Exemplars())
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			onMap(p.Attributes())
			exemplars(p.Exemplars())
		}
	case pmetric.MetricTypeSummary:
		for _, p := range m.Summary().DataPoints().All() {
			onMap(p.Attributes())
		}
	}
}

// deepest counts levels as the pii processor does: attributes are at 0, what is in a map or list
// that has items one below it.
func deepest(request exportRequest) (depth, widest int) {
	var ofMap func(pcommon.Map, int)
	var ofValue func(pcommon.Value, int)
	ofMap = func(m pcommon.Map, level int) {
		depth, widest = max(depth, level), max(widest, m.Len())
		for _, v := range m.All() {
			ofValue(v, level)
		}
	}
	ofValue = func(v pcommon.Value, level int) {
		switch v.Type() {
		case pcommon.ValueTypeMap:
			if v.Map().Len() > 0 {
				ofMap(v.Map(), level+1)
			}
		case pcommon.ValueTypeSlice:
			if v.Slice().Len() > 0 {
				depth = max(depth, level+1)
			}
			for _, item := range v.Slice().All() {
				ofValue(item, level+1)
			}
		}
	}
	lists(request, func(m pcommon.Map) { ofMap(m, 0) }, func(v pcommon.Value) { ofValue(v, 0) })
	return depth, widest
}

// prune empties what is too deep in a decoded request, as the scan should have.
func prune(request exportRequest, bound int, json bool) {
	var ofMap func(pcommon.Map, int)
	var ofValue func(pcommon.Value, int)
	empty := func(v pcommon.Value) {
		switch {
		case !json:
			pcommon.NewValueEmpty().CopyTo(v)
		case v.Type() == pcommon.ValueTypeMap:
			v.SetEmptyMap()
		default:
			v.SetEmptySlice()
		}
	}
	ofMap = func(m pcommon.Map, level int) {
		for _, v := range m.All() {
			ofValue(v, level)
		}
	}
	ofValue = func(v pcommon.Value, level int) {
		switch v.Type() {
		case pcommon.ValueTypeMap:
			if v.Map().Len() > 0 && level >= bound {
				empty(v)
			} else {
				ofMap(v.Map(), level+1)
			}
		case pcommon.ValueTypeSlice:
			if v.Slice().Len() > 0 && level >= bound {
				empty(v)
				return
			}
			for _, item := range v.Slice().All() {
				ofValue(item, level+1)
			}
		}
	}
	lists(request, func(m pcommon.Map) { ofMap(m, 0) }, func(v pcommon.Value) { ofValue(v, 0) })
}

// holds adds up what a decoded request holds beside its texts: structs, pointers, numbers in lists.
func holds(v reflect.Value) int64 {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return 0
		}
		return int64(v.Elem().Type().Size()) + inside(v.Elem())
	}
	return inside(v)
}

func inside(v reflect.Value) (sum int64) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			sum += holds(v.Field(i))
		}
	case reflect.Pointer, reflect.Interface:
		return holds(v)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return 0 // bytes are on the wire as well
		}
		sum = int64(v.Len()) * int64(v.Type().Elem().Size())
		for i := range v.Len() {
			sum += holds(v.Index(i))
		}
	}
	return sum
}

func holdsOf(request exportRequest) int64 {
	orig := reflect.ValueOf(request).Field(0)
	return inside(orig.Elem())
}

// judge holds the scan of one request to what it promises, whatever the request is.
func judge(t *testing.T, b bounds, root messageID, body []byte, json bool) {
	t.Helper()
	out, found := scan(b, root, body, json)
	if len(out) != len(body) {
		t.Fatalf("%d bytes became %d", len(body), len(out))
	}
	before, after := newRequest(root), newRequest(root)
	unmarshal := func(r exportRequest, body []byte) error {
		if json {
			return r.UnmarshalJSON(body)
		}
		return r.UnmarshalProto(body)
	}
	errBefore := unmarshal(before, body)
	if found.outcome != passed {
		if errBefore == nil && found.outcome == malformed &&
			(!json && properProtobuf(root, body) || json && properJSON(body)) {
			t.Fatalf("refused, but the decoder takes it: %q", body)
		}
		return
	}
	if err := unmarshal(after, out); err != nil {
		t.Fatalf("passed, but the decoder refuses it: %v\n%q\n%q", err, body, out)
	}
	proper := !json && properProtobuf(root, body) || json && properJSON(body)
	if errBefore == nil && found.odd+found.ids > 0 && proper {
		t.Fatalf("repaired %+v, but the decoder takes it: %q", found, body)
	}
	if held := holdsOf(after); held > found.decoded {
		t.Fatalf("decoded it holds %d, estimated were %d: %q", held, found.decoded, body)
	}
	if errBefore != nil || !proper {
		return
	}
	depth, widest := deepest(before)
	if afterDepth, _ := deepest(after); afterDepth > b.depth {
		t.Fatalf("%d levels are left: %q", afterDepth, body)
	}
	if found.emptied == 0 && found.shortened == 0 && !bytes.Equal(written(t, before), written(t, after)) {
		t.Fatalf("changed and not counted: %q to %q", body, out)
	}
	if depth > b.depth && found.emptied+found.shortened == 0 {
		t.Fatalf("%d levels, and nothing was emptied: %q", depth, body)
	}
	if widest <= b.attributes {
		prune(before, b.depth, json)
		if want, got := written(t, before), written(t, after); !bytes.Equal(want, got) && found.shortened == 0 {
			t.Fatalf("another request came out:\n%q\n%q\nwant %q\ngot  %q", body, out, want, got)
		}
	}
}

// properJSON reports whether a text has the form of JSON, and no empty name: the decoder takes more.
func properJSON(body []byte) bool {
	return stdjson.Valid(body) && !emptyName.Match(body)
}

// properProtobuf reports whether OTLP's own decoder takes a request: the receiver's takes some broken
// groups as well.
func properProtobuf(root messageID, body []byte) bool {
	return proto.Unmarshal(body, dynamicpb.NewMessage(descriptors[root])) == nil
}

var emptyName = regexp.MustCompile(`""\s*:`)

func written(t *testing.T, request exportRequest) []byte {
	t.Helper()
	out, err := request.MarshalProto()
	fatal(t, err)
	return out
}

const seed = 20261126

func TestOrdinaryRequestsAreLeftAlone(t *testing.T) {
	t.Log("seed", seed)
	for i := range uint64(300) {
		for _, odd := range []bool{false, true} {
			for root, descriptor := range descriptors {
				g := newGenerator(seed+i, 5, odd)
				for json, body := range map[bool][]byte{
					false: g.protobuf(descriptor, 0), true: []byte(g.json(descriptor, 0)),
				} {
					if _, err := decode(root, body, json); err != nil {
						t.Fatalf("the generator made what the decoder refuses: %v\n%q", err, body)
					}
					out, found := scan(wide, root, body, json)
					if found.outcome != passed || !bytes.Equal(out, body) {
						t.Fatalf("%+v\n%q\n%q", found, body, out)
					}
					judge(t, wide, root, body, json)
					judge(t, bounds{depth: 2, attributes: 2, decoded: math.MaxInt64}, root, body, json)
				}
			}
		}
	}
}

// places puts a value where OTLP has values.
var places = map[string]struct {
	root messageID
	put  func(value []byte) []byte
}{
	"resource": {logsRequest, func(v []byte) []byte { return tagged(1, tagged(1, tagged(1, pair("k", v)))) }},
	"scope":    {traceRequest, func(v []byte) []byte { return tagged(1, tagged(2, tagged(1, tagged(3, pair("k", v))))) }},
	"log":      {logsRequest, func(v []byte) []byte { return logsOf(record("b", pair("k", v))) }},
	"body":     {logsRequest, func(v []byte) []byte { return logsOf(tagged(5, v)) }},
	"span":     {traceRequest, func(v []byte) []byte { return tagged(1, tagged(2, tagged(2, tagged(9, pair("k", v))))) }},
	"event": {traceRequest, func(v []byte) []byte {
		return tagged(1, tagged(2, tagged(2, tagged(11, tagged(3, pair("k", v))))))
	}},
	"link": {traceRequest, func(v []byte) []byte {
		return tagged(1, tagged(2, tagged(2, tagged(13, tagged(4, pair("k", v))))))
	}},
	"metadata": {metricsRequest, func(v []byte) []byte { return tagged(1, tagged(2, tagged(2, tagged(12, pair("k", v))))) }},
	"point": {metricsRequest, func(v []byte) []byte {
		return tagged(1, tagged(2, tagged(2, tagged(5, tagged(1, tagged(7, pair("k", v)))))))
	}},
	"exemplar": {metricsRequest, func(v []byte) []byte {
		return tagged(1, tagged(2, tagged(2, tagged(5, tagged(1, tagged(5, tagged(7, pair("k", v))))))))
	}},
	"old scope": {logsRequest, func(v []byte) []byte {
		return tagged(1, tagged(deprecatedNumber, tagged(2, record("b", pair("k", v)))))
	}},
}

// What is as deep as max_depth stays, what is one level deeper does not, in all places and for
// maps and lists alike.
func TestDepthIsThatOfPII(t *testing.T) {
	for name, place := range places {
		for kind, nest := range map[string]func(int, []byte) []byte{"list": listOf, "map": mapOf} {
			for _, levels := range []int{31, 32, 33, 34, 60} {
				body := place.put(nest(levels, text("x")))
				request := newRequest(place.root)
				fatal(t, request.UnmarshalProto(body))
				if depth, _ := deepest(request); depth != levels {
					t.Fatalf("%s: %d levels of %s count as %d", name, levels, kind, depth)
				}
				asJSON, err := request.MarshalJSON()
				fatal(t, err)
				for json, body := range map[bool][]byte{false: body, true: asJSON} {
					out, found := scan(wide, place.root, body, json)
					if levels <= 32 {
						if found.emptied != 0 || !bytes.Equal(out, body) {
							t.Errorf("%s, %d levels of %s, JSON %v: %+v", name, levels, kind, json, found)
						}
						continue
					}
					if found.emptied != 1 {
						t.Errorf("%s, %d levels of %s, JSON %v: %+v", name, levels, kind, json, found)
					}
					left := newRequest(place.root)
					if json {
						fatal(t, left.UnmarshalJSON(out))
					} else {
						fatal(t, left.UnmarshalProto(out))
					}
					if depth, _ := deepest(left); depth != 32 {
						t.Errorf("%s, %d levels of %s, JSON %v: %d are left", name, levels, kind, json, depth)
					}
					judge(t, wide, place.root, body, json)
				}
			}
		}
	}
}

// A tag may come in more bytes than it needs, and in numbers whose high bits the decoder cuts off.
func TestDepthWithLongTags(t *testing.T) {
	inside := listOf(1, text("x"))
	value := inside[2:] // without its tag and length
	for _, tag := range [][]byte{
		{0x2a}, {0xaa, 0x00}, {0xaa, 0x80, 0x80, 0x00}, {0xaa, 0x80, 0x80, 0x80, 0x80, 0x01},
		{0xaa, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01},
	} {
		deep := join(tag, appendVarint(nil, uint64(len(value))), value)
		body := logsOf(tagged(5, listOf(2, deep)))
		narrow := bounds{depth: 2, attributes: 9, decoded: math.MaxInt64}
		if _, found := scan(narrow, logsRequest, body, false); found.emptied != 1 {
			t.Errorf("tag %x: %+v", tag, found)
		}
		judge(t, narrow, logsRequest, body, false)
	}
}

// The decoder loses its place in groups: it takes what is in them for fields of the message around.
func TestGroupsAreHidden(t *testing.T) {
	for name, c := range map[string]struct {
		group []byte
		odd   int64
	}{
		"an empty one":                {[]byte{0x6b, 0x6c}, 0},
		"a long empty one":            {[]byte{0x9b, 0x06, 0x9c, 0x06}, 0},
		"one with a number":           {[]byte{0x9b, 0x06, 0x08, 0x01, 0x9c, 0x06}, 0},
		"one with a record's text":    {join([]byte{0x9b, 0x06}, tagged(3, []byte("x")), []byte{0x9c, 0x06}), 0},
		"one in one":                  {[]byte{0x6b, 0x6b, 0x08, 0x01, 0x6c, 0x6c}, 0},
		"one in the place of a field": {[]byte{0x0b, 0x0c}, 1},
		"one that does not end":       {[]byte{0x9b, 0x06}, 1},
		"an end of none":              {[]byte{0x9c, 0x06}, 1},
	} {
		body := logsOf(join(c.group, record("b")), record("next"))
		out, found := scan(wide, logsRequest, body, false)
		if found.outcome != passed || found.odd != c.odd {
			t.Errorf("%s: %+v", name, found)
			continue
		}
		request := plogotlp.NewExportRequest()
		fatal(t, request.UnmarshalProto(out))
		left := request.Logs().ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
		last := left.At(left.Len() - 1)
		if last.Body().Str() != "next" || last.SeverityText() != "" {
			t.Errorf("%s: the next record is %q", name, last.Body().Str())
		}
		if c.odd == 0 && (left.Len() != 2 || left.At(0).Body().Str() != "b") {
			t.Errorf("%s: the record is lost", name)
		}
		judge(t, wide, logsRequest, body, false)
	}
}

// What the decoder would refuse the whole request for costs its field, or the message that does not
// hold together.
func TestOddFieldsOfProtobuf(t *testing.T) {
	varint, fixed8, fixed4 := []byte{0x01}, make([]byte, 8), make([]byte, 4)
	for name, c := range map[string]struct {
		root messageID
		odd  []byte // in a record
		kept bool   // the record itself
	}{
		"a time that is a varint":       {logsRequest, join([]byte{1<<3 | wireVarint}, varint), true},
		"a time that is a text":         {logsRequest, tagged(1, []byte("12:00")), true},
		"a severity of eight bytes":     {logsRequest, join([]byte{2<<3 | wireFixed8}, fixed8), true},
		"flags that are a varint":       {logsRequest, join([]byte{8<<3 | wireVarint}, varint), true},
		"a text that is a number":       {logsRequest, join([]byte{3<<3 | wireVarint}, varint), true},
		"attributes that are a number":  {logsRequest, join([]byte{6<<3 | wireFixed4}, fixed4), true},
		"an empty text for a number":    {logsRequest, tagged(2, nil), true},
		"a trace id of five bytes":      {logsRequest, tagged(9, []byte("short")), true},
		"a trace id that is a number":   {logsRequest, join([]byte{9<<3 | wireVarint}, varint), true},
		"a broken attribute":            {logsRequest, tagged(6, []byte{0x0a, 0x7f}), true},
		"a broken value":                {logsRequest, tagged(6, pair("k", []byte{0x0a, 0x7f})), true},
		"a value of a broken list":      {logsRequest, tagged(5, tagged(5, []byte{0x0a, 0x7f})), true},
		"field number 0":                {logsRequest, []byte{0x00, 0x01}, false},
		"a length beyond the end":       {logsRequest, []byte{0x1a, 0x7f, 'x'}, false},
		"a length of 2^63":              {logsRequest, join([]byte{0x1a}, bytes.Repeat([]byte{0x80}, 9), varint), false},
		"an endless varint":             {logsRequest, join([]byte{2 << 3}, bytes.Repeat([]byte{0xff}, 20)), false},
		"a number cut off":              {logsRequest, []byte{1<<3 | wireFixed8, 1, 2}, false},
		"wire type 7":                   {logsRequest, []byte{0x0f, 0x01}, false},
		"a span's status, a number":     {traceRequest, join([]byte{15<<3 | wireFixed8}, fixed8), true},
		"a span's kind, an empty text":  {traceRequest, tagged(6, nil), false},    // two bytes, and
		"a span's time, a varint":       {traceRequest, []byte{7 << 3, 1}, false}, // no number to spare
		"a span's event that is broken": {traceRequest, tagged(11, []byte{0x0a}), true},
	} {
		put := func(record []byte) []byte {
			good := tagged(2, tagged(5, text("good")))
			return tagged(1, tagged(2, join(good, tagged(2, join(record, tagged(5, text("odd")))), good)))
		}
		body := put(c.odd)
		if _, err := decode(c.root, body, false); err == nil {
			t.Errorf("%s: the decoder takes it", name)
		}
		out, found := scan(wide, c.root, body, false)
		if found.outcome != passed || found.odd+found.ids != 1 {
			t.Errorf("%s: %+v", name, found)
			continue
		}
		left := newRequest(c.root)
		fatal(t, left.UnmarshalProto(out))
		want := put(nil)
		if !c.kept {
			want = tagged(1, tagged(2, bytes.Repeat(tagged(2, tagged(5, text("good"))), 2)))
		}
		reference := newRequest(c.root)
		fatal(t, reference.UnmarshalProto(want))
		if got, want := written(t, left), written(t, reference); !bytes.Equal(got, want) &&
			!strings.Contains(name, "broken") { // these leave an empty value or event
			t.Errorf("%s: %q became %q", name, want, got)
		}
		if found := newScanners(wide).protobuf(body, c.root, false); found.outcome != unwritable {
			t.Errorf("%s, read only: %+v", name, found)
		}
		judge(t, wide, c.root, body, false)
	}
	// Above records, nobody else is left who could be spared.
	for name, body := range map[string][]byte{
		"request":                   {0x0a, 0x7f},
		"records that are a number": tagged(1, tagged(2, join(tagged(2, record("b")), []byte{2<<3 | wireVarint, 1}))),
		"a resource that is one":    tagged(1, join([]byte{1<<3 | wireVarint, 1}, tagged(2, tagged(2, record("b"))))),
		"resource":                  join(logsOf(record("b")), tagged(1, []byte{0x1a, 0x7f})),
		"scope":                     tagged(1, join(tagged(2, tagged(2, record("b"))), tagged(2, []byte{0x1a, 0x7f}))),
	} {
		if _, found := scan(wide, logsRequest, body, false); found.outcome != malformed {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

// Numbers one after the other have to be whole ones.
func TestOddPackedNumbers(t *testing.T) {
	histogram := func(field []byte) []byte {
		return tagged(1, tagged(2, tagged(2, tagged(9, tagged(1, field)))))
	}
	exponential := func(field []byte) []byte {
		return tagged(1, tagged(2, tagged(2, tagged(10, tagged(1, tagged(8, field))))))
	}
	for name, c := range map[string]struct {
		body []byte
		odd  int64
	}{
		"two counts":            {histogram(tagged(6, make([]byte, 16))), 0},
		"counts cut off":        {histogram(tagged(6, make([]byte, 15))), 1},
		"bounds cut off":        {histogram(tagged(7, make([]byte, 9))), 1},
		"no counts":             {histogram(tagged(6, nil)), 0},
		"three varints":         {exponential(tagged(2, []byte{1, 0xff, 0x7f, 2})), 0},
		"the longest varint":    {exponential(tagged(2, append(bytes.Repeat([]byte{0xff}, 9), 1))), 0},
		"too long a varint":     {exponential(tagged(2, append(bytes.Repeat([]byte{0xff}, 10), 1))), 1},
		"a varint without end":  {exponential(tagged(2, []byte{1, 0xff})), 1},
		"one count, not packed": {exponential([]byte{2 << 3, 7}), 0},
	} {
		_, err := decode(metricsRequest, c.body, false)
		_, found := scan(wide, metricsRequest, c.body, false)
		if found.outcome != passed || found.odd != c.odd || (err == nil) != (c.odd == 0) {
			t.Errorf("%s: %+v, the decoder says %v", name, found, err)
		}
		judge(t, wide, metricsRequest, c.body, false)
	}
}

// What was meant for somewhere else is refused, rather than repaired until nothing is left of it.
func TestMistakenRequests(t *testing.T) {
	for _, n := range []int{1, 2, 50} {
		logsProto, _ := sampleLogs(t, n)
		spansProto, _ := sampleSpans(t, n)
		for root, body := range map[messageID][]byte{logsRequest: spansProto, traceRequest: logsProto} {
			if _, found := scan(wide, root, body, false); found.outcome != malformed {
				t.Errorf("%d records: %+v", n, found)
			}
		}
	}
	junk := newGenerator(seed, 0, false)
	for range 1000 {
		body := junk.bytes(200)
		if _, found := scan(wide, logsRequest, body, false); found.outcome == passed && found.odd > 1 {
			t.Errorf("%+v: %q", found, body)
		}
	}
}

// attributesOf makes n attributes of one size each.
func attributesOf(n int, attribute []byte) (all [][]byte) {
	for range n {
		all = append(all, attribute)
	}
	return all
}

func TestListsAreShortened(t *testing.T) {
	narrow := bounds{depth: 32, attributes: 3, decoded: math.MaxInt64}
	long := pair(repeat(300, "k"), text(repeat(20000, "v")))
	for name, c := range map[string]struct {
		body []byte
		want int // attributes left
		cut  int64
	}{
		"as many as may be": {record("b", attributesOf(3, pair("k", text("v")))...), 3, 0},
		"one more":          {record("b", attributesOf(4, pair("k", text("v")))...), 3, 1},
		"many":              {record("b", attributesOf(1000, pair("k", text("v")))...), 3, 1},
		"many empty ones":   {record("b", attributesOf(1000, nil)...), 3, 1},
		"long ones":         {record("b", attributesOf(10, long)...), 3, 1},
		// Two bytes are too few to hide: they stay where they stand alone.
		"an empty one alone": {record("b", attributesOf(4, nil)...), 4, 1},
		"two empty ones":     {record("b", attributesOf(5, nil)...), 3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			// A field between shows that what follows keeps its place.
			body := logsOf(join(c.body, tagged(3, []byte("INFO"))), record("next", pair("a", text("b"))))
			out, found := scan(narrow, logsRequest, body, false)
			if found.shortened != c.cut {
				t.Errorf("%+v", found)
			}
			request := plogotlp.NewExportRequest()
			fatal(t, request.UnmarshalProto(out))
			records := request.Logs().ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
			if records.At(0).Attributes().Len() != c.want || records.At(0).SeverityText() != "INFO" ||
				records.At(1).Body().Str() != "next" || records.At(1).Attributes().Len() != 1 {
				t.Errorf("%d attributes are left, then %q and %q", records.At(0).Attributes().Len(),
					records.At(0).SeverityText(), records.At(1).Body().Str())
			}
			before := plogotlp.NewExportRequest()
			fatal(t, before.UnmarshalProto(body))
			asJSON, err := before.MarshalJSON()
			fatal(t, err)
			out, found = scan(narrow, logsRequest, asJSON, true)
			fatal(t, request.UnmarshalJSON(out))
			records = request.Logs().ResourceLogs().At(1).ScopeLogs().At(0).LogRecords()
			if got := records.At(0).Attributes().Len(); got != min(c.want, 3) || found.shortened != c.cut {
				t.Errorf("JSON: %d attributes are left, %+v", got, found)
			}
		})
	}
	// A span has used up all numbers of one byte.
	span := tagged(1, tagged(2, tagged(2, join(attributes9(10)...))))
	out, found := scan(narrow, traceRequest, span, false)
	request := ptraceotlp.NewExportRequest()
	fatal(t, request.UnmarshalProto(out))
	left := request.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes().Len()
	if left != 3 || found.shortened != 1 {
		t.Errorf("%d attributes of a span are left, %+v", left, found)
	}
}

func attributes9(n int) (all [][]byte) {
	for range n {
		all = append(all, tagged(9, nil))
	}
	return all
}

func TestBlankHidesEachLength(t *testing.T) {
	sizes := []int{1 << 21, 1<<21 + 7}
	for n := leastBlank; n < 20000; n++ {
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		body := bytes.Repeat([]byte{0xff}, n)
		blank(body)
		tag, pos, ok := varint(body, 0, n)
		size, pos, ok2 := varint(body, pos, n)
		if !ok || !ok2 || tag != 2047<<3|wireBytes || pos+int(size) != n {
			t.Fatalf("%d bytes became a field of %d and %d", n, pos, size)
		}
	}
}

// jsonLog is a request in JSON with one log record.
func jsonLog(record string) []byte {
	return []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[` + record + `]}]}]}`)
}

// The decoder reads more than JSON. All of this it would take for something else than it looks.
func TestJSONThatIsNone(t *testing.T) {
	for _, body := range []string{
		``, ` `, `[]`, `1`, `"x"`, `{`, `{"resourceLogs":[`, `{"resourceLogs":[}`, `{"resourceLogs":[{]}`,
		`{"resourceLogs":,"scopeLogs":,,"logRecords":,,"body":,"arrayValue":,"values":,,"arrayValue":,"values":,`,
		`{"resourceLogs" []}`, `{resourceLogs:[]}`, `{'resourceLogs':[]}`, `{"resourceLogs":[],}`,
		`{"resourceLogs":[{},]}`, `{"resourceLogs":[{}{}]}`, `{"resourceLogs":[,{}]}`, `{"resourceLogs":{}}`, `{"resourceLogs":"[{},{},{}]"}`, `{"resourceLogs":5}`,
		`{"resourceLogs":true}`, `{"resourceLogs":[{"scopeLogs":{"logRecords":[{}]}}]}`, `{"resourceLogs":[{"resource":"x"}]}`,
		`{"":{"resourceLogs":[]}}`,
		`{"x":nul}`, `{"x":tru}`, `{"x":falsy}`, `{"x":nan}`,
		string(jsonLog(`{"timeUnixNano":01}`)), string(jsonLog(`{"timeUnixNano":1x}`)),
		string(jsonLog(`{"body":{"stringValue":"a` + "\n" + `b"}}`)), string(jsonLog(`{"body":{"stringValue":"\x"}}`)),
		string(jsonLog(`{"body":{"stringValue":"\u12g4"}}`)), string(jsonLog(`{"body":{"stringValue":"\u12`)),
		string(jsonLog(`{"body":{"doubleValue":.5}}`)), string(jsonLog(`{"body":{"doubleValue":1.}}`)),
		string(jsonLog(`{"body":{"doubleValue":-}}`)), string(jsonLog(`{"body":{"doubleValue":NaN}}`)),
		string(jsonLog(`{"unknown":1` + repeat(longestNumber, "0") + `}`)),
		string(jsonLog(`{"unknown":-0` + repeat(1000, "1") + `e1}`)),
	} {
		if _, found := scan(wide, logsRequest, []byte(body), true); found.outcome != malformed {
			t.Errorf("passed: %.200s", body)
		}
	}
}

// What the decoder would refuse the whole request for costs its field: first, last or between others.
func TestOddFieldsOfJSON(t *testing.T) {
	for _, member := range []string{
		`"timeUnixNano":{"attributes":[{}]}`, `"timeUnixNano":true`, `"timeUnixNano":-1`, `"timeUnixNano":1.5`,
		`"timeUnixNano":1e3`, `"timeUnixNano":99999999999999999999999`, `"timeUnixNano":` + repeat(5000, "9"),
		`"timeUnixNano":"noon"`, `"timeUnixNano":""`, `"timeUnixNano":"-1"`, `"timeUnixNano":"18446744073709551616"`,
		`"severityText":5`, `"severityText":{"a":1}`, `"severityText":[]`, `"severityNumber":"LOUD"`,
		`"severityNumber":"SEVERITY_NUMBER_TRACE"`, `"severityNumber":2147483648`, `"severityNumber":[9]`,
		`"traceId":5`, `"traceId":["\"{}"]`, `"flags":"1.0"`, `"flags":-1`,
		`"body":"a text"`, `"body":"5"`, `"body":[]`, `"body":5`, `"attributes":{}`, `"attributes":"[{},{}]"`, `"attributes":7`,
		`"droppedAttributesCount":"x"`, `"droppedAttributesCount" : [ { "deep" : [[[[]]]] } ] `,
	} {
		for form, record := range map[string]string{
			"alone": `{` + member + `}`, "first": `{ ` + member + ` , "eventName":"kept"}`,
			"last": `{"eventName":"kept" , ` + member + `}`, "between": `{"eventName":"kept",` + member + `,"unknown":1}`,
		} {
			body := jsonLog(`{},` + record + `,{"eventName":"next"}`)
			if _, err := decode(logsRequest, body, true); err == nil {
				t.Errorf("the decoder takes %.100s", member)
			}
			out, found := scan(wide, logsRequest, body, true)
			if found.outcome != passed || found.odd != 1 {
				t.Errorf("%s, %.100s: %+v", form, member, found)
				continue
			}
			request := plogotlp.NewExportRequest()
			if err := request.UnmarshalJSON(out); err != nil {
				t.Errorf("%s, %.100s: %v\n%s", form, member, err, out)
				continue
			}
			left := request.Logs().ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
			if left.Len() != 3 || left.At(2).EventName() != "next" || form != "alone" && left.At(1).EventName() != "kept" {
				t.Errorf("%s, %.100s: %.300s", form, member, out)
			}
			judge(t, wide, logsRequest, body, true)
		}
	}
	for _, value := range []string{
		`"boolValue":1`, `"boolValue":"true"`, `"intValue":1.5`, `"intValue":"1.5"`, `"intValue":9223372036854775808`,
		`"doubleValue":"x"`, `"doubleValue":1e999`,
		`"bytesValue":"a"`, `"bytesValue":"a-_b"`, `"bytesValue":5`, `"intValue":"` + repeat(longestNumber+1, "1") + `"`,
		`"arrayValue":[]`, `"arrayValue":{"values":{}}`, `"arrayValue":{"values":[5,{"intValue":1},"x"]}`,
		`"kvlistValue":{"values":[[]]}`, `"stringValue":5`, `"stringValue":null,"boolValue":null,"intValue":null`,
	} {
		body := jsonLog(`{"body":{` + value + `}},{"eventName":"next"}`)
		out, found := scan(wide, logsRequest, body, true)
		request := plogotlp.NewExportRequest()
		if err := request.UnmarshalJSON(out); err != nil || found.outcome != passed || request.Logs().LogRecordCount() != 2 {
			t.Errorf("%.100s: %+v, %v\n%.300s", value, found, err, out)
		}
		judge(t, wide, logsRequest, body, true)
	}
}

func TestOddListsOfJSON(t *testing.T) {
	for _, member := range []string{`"bucketCounts":"5"`, `"bucketCounts":5`, `"explicitBounds":{}`, `"exemplars":true`} {
		body := []byte(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[{` + member + `},{"count":7}]}}]}]}]}`)
		out, found := scan(wide, metricsRequest, body, true)
		request := pmetricotlp.NewExportRequest()
		if err := request.UnmarshalJSON(out); err != nil || found.odd != 1 || request.Metrics().DataPointCount() != 2 {
			t.Errorf("%s: %+v, %v", member, found, err)
		}
		judge(t, wide, metricsRequest, body, true)
	}
}

// null says that there is nothing, in JSON: the decoder takes it for some fields only.
func TestNullInEachField(t *testing.T) {
	for root := range descriptors {
		for id, wrap := range jsonWays(root) {
			for _, f := range messages[id].fields {
				body := []byte(wrap(`{"` + f.name + `":null}`))
				out, found := scan(wide, root, body, true)
				if found.outcome != passed || found.odd != 0 {
					t.Errorf("%s: %+v", body, found)
				}
				if _, err := decode(root, out, true); err != nil {
					t.Errorf("%s: %v", out, err)
				}
			}
		}
	}
}

// jsonWays is ways in JSON.
func jsonWays(root messageID) map[messageID]func(string) string {
	found := map[messageID]func(string) string{root: func(b string) string { return b }}
	for again := true; again; {
		again = false
		for id, outer := range found {
			for _, f := range messages[id].fields {
				if _, known := found[f.child]; f.child != unknownMessage && !known {
					found[f.child] = func(b string) string {
						if f.list {
							b = "[" + b + "]"
						}
						return outer(`{"` + f.name + `":` + b + `}`)
					}
					again = true
				}
			}
		}
	}
	return found
}

func TestJSONThatIsOne(t *testing.T) {
	for _, body := range []string{
		`{}`, `null`, ` {"resourceLogs" : null } `, `{"resourceLogs":[null,{}]}`, `{"resource_logs":[]}`,
		`{} and what follows`, `{"resource\u004cogs":[]}`, `{"a\"b\\c\/d\u00e9":[{"a":[]}]}`,
		string(jsonLog(`null`)), string(jsonLog(`{"body":null,"attributes":null,"severityText":null}`)),
		string(jsonLog(`{"timeUnixNano":18446744073709551615,"severityNumber":"SEVERITY_NUMBER_INFO"}`)),
		string(jsonLog(`{"timeUnixNano":"18446744073709551615","severityNumber":9,"flags":"1"}`)),
		string(jsonLog(`{"traceId":"","spanId":"0123456789abcdef","body":{"bytesValue":"aGk="}}`)),
		string(jsonLog(`{"body":{"arrayValue":{"values":[null,{},{"intValue":"-5"},{"intValue":-5},{"doubleValue":-1.5E+3}]}}}`)),
		string(jsonLog(`{"attributes":[{"key":"\ud83d\ude00 \ud800 \\ \/","value":{"boolValue":true}}]}`)),
		string(jsonLog(`{"body":{"doubleValue":"0.` + repeat(1000, "1") + `"},"unknown":-0.` + repeat(1000, "1") + `e-5}`)),
		string(jsonLog(`{"body":{"stringValue":"` + repeat(10000, "1") + `"}}`)),
		string(jsonLog(`{"body":{"stringValue":"` + "caf\xc3\xa9 \xff" + `"}}`)),
	} {
		if _, err := decode(logsRequest, []byte(body), true); err != nil {
			t.Fatalf("the decoder refuses %s: %v", body, err)
		}
		out, found := scan(wide, logsRequest, []byte(body), true)
		if found.outcome != passed || string(out) != body {
			t.Errorf("%+v: %s", found, body)
		}
		judge(t, wide, logsRequest, []byte(body), true)
	}
}

// A name may be written with escapes, and is the same name then.
func TestEscapedNamesAreSeen(t *testing.T) {
	deep := `{"a\u0072rayValue":{"v\u0061lues":[{"\u0061rray_value":{"values":[{"arrayValue":{"values":[{"intValue":1}]}}]}}]}}`
	narrow := bounds{depth: 2, attributes: 9, decoded: math.MaxInt64}
	if _, found := scan(narrow, logsRequest, jsonLog(`{"body":`+deep+`}`), true); found.emptied != 1 {
		t.Errorf("%+v", found)
	}
	judge(t, narrow, logsRequest, jsonLog(`{"body":`+deep+`}`), true)
}

// What OTLP does not have is bounded too: the decoder skips it by recursion, up to 10,000 levels,
// and refuses the request then.
func TestUnknownNestingIsCut(t *testing.T) {
	for _, levels := range []int{60, 63, 64, 65, 66, 67, 100, 20000} {
		body := jsonLog(`{"unknown":` + repeat(levels, "[") + repeat(levels, "]") + `,"severityText":"kept"}`)
		out, found := scan(wide, logsRequest, body, true)
		if found.outcome != passed || (found.emptied == 1) != (levels >= unknownNesting+2) {
			t.Errorf("%d levels: %+v", levels, found)
		}
		request := plogotlp.NewExportRequest()
		fatal(t, request.UnmarshalJSON(out))
		if got := request.Logs().ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).SeverityText(); got != "kept" {
			t.Errorf("%d levels: the field behind is %q", levels, got)
		}
	}
	objects := jsonLog(`{"unknown":` + repeat(500, `{"a":`) + `1` + repeat(500, "}") + `}`)
	if _, found := scan(wide, logsRequest, objects, true); found.outcome != passed || found.emptied != 1 {
		t.Errorf("%+v", found)
	}
}

// All levels of a bomb are never on any stack: neither ours nor the decoder's.
func TestTwoMillionLevels(t *testing.T) {
	body := logsOf(record("b"), tagged(5, listOf(1_900_000, nil)), record("b"))
	out, found := scan(wide, logsRequest, body, false)
	if found.outcome != passed || found.emptied != 1 {
		t.Fatalf("%+v", found)
	}
	request := plogotlp.NewExportRequest()
	fatal(t, request.UnmarshalProto(out))
	if n := request.Logs().LogRecordCount(); n != 3 {
		t.Errorf("%d records are left", n)
	}
	nested := repeat(500_000, `{"arrayValue":{"values":[`) + repeat(500_000, `]}}`)
	out, found = scan(wide, logsRequest, jsonLog(`{},{"body":`+nested+`},{}`), true)
	if found.outcome != passed || found.emptied != 1 {
		t.Fatalf("%+v", found)
	}
	request = plogotlp.NewExportRequest()
	fatal(t, request.UnmarshalJSON(out))
	if n := request.Logs().LogRecordCount(); n != 3 {
		t.Errorf("%d records of JSON are left", n)
	}
}

func TestReadOnlyScanOnlyReports(t *testing.T) {
	narrow := bounds{depth: 2, attributes: 2, decoded: math.MaxInt64}
	for _, body := range [][]byte{
		logsOf(tagged(5, listOf(3, nil))), logsOf(record("b", attributesOf(3, pair("k", nil))...)),
	} {
		before := bytes.Clone(body)
		if found := newScanners(narrow).protobuf(body, logsRequest, false); found.outcome != unwritable || !bytes.Equal(body, before) {
			t.Errorf("%+v", found)
		}
	}
}

// The short way through attributes estimates what the long one does. A field that OTLP does not have
// leads to the long one.
func TestShortWayEstimatesTheSame(t *testing.T) {
	unknown := []byte{0xa0, 0x06, 0x01}
	for name, value := range map[string][]byte{
		"text": text("x"), "bool": {2 << 3, 1}, "int": {3 << 3, 0xff, 0x01}, "nothing": nil,
		"double": append([]byte{4<<3 | wireFixed8}, make([]byte, 8)...), "bytes": tagged(7, []byte("x")),
		"list": tagged(5, tagged(1, text("x"))), "long text": text(repeat(300, "x")),
	} {
		for _, attribute := range [][]byte{
			pair("k", value), join(tagged(2, value), tagged(1, []byte("k"))), tagged(2, value),
		} {
			_, short := scan(wide, logsRequest, logsOf(record("b", attribute)), false)
			_, long := scan(wide, logsRequest, logsOf(record("b", join(attribute, unknown))), false)
			_, longer := scan(wide, logsRequest, logsOf(record("b", pair("k", join(value, unknown)))), false)
			if short.decoded != long.decoded || short.decoded != longer.decoded {
				t.Errorf("%s: %d, %d and %d", name, short.decoded, long.decoded, longer.decoded)
			}
		}
	}
}

// Attributes that stay because they are too short to hide are counted as memory.
func TestLoneAttributesCount(t *testing.T) {
	narrow := bounds{depth: 32, attributes: 3, decoded: math.MaxInt64}
	judge(t, narrow, logsRequest, logsOf(bytes.Repeat([]byte{0x32, 0, 0x1a, 0}, 1000)), false)
}

// A scan stops where it has seen too much, also in lists of one value.
func TestTooLarge(t *testing.T) {
	b := bounds{depth: 32, attributes: math.MaxInt, decoded: 1 << 20}
	many := func(item string) string { return strings.TrimSuffix(repeat(100_000, item+","), ",") }
	for name, body := range map[string][]byte{
		"attributes": logsOf(bytes.Repeat([]byte{0x32, 0}, 50_000)),
		"values":     logsOf(tagged(5, tagged(5, bytes.Repeat([]byte{0x0a, 0}, 100_000)))),
		"records":    tagged(1, tagged(2, bytes.Repeat([]byte{0x12, 0}, 10_000))),
		"resources":  bytes.Repeat([]byte{0x0a, 0}, 10_000),
	} {
		if _, found := scan(b, logsRequest, body, false); found.outcome != tooLarge {
			t.Errorf("%s: %+v", name, found)
		}
	}
	for name, body := range map[string][]byte{
		"attributes": jsonLog(`{"attributes":[` + many("{}") + `]}`),
		"nulls":      jsonLog(`{"attributes":[` + many("null") + `]}`),
		"values":     jsonLog(`{"body":{"arrayValue":{"values":[` + many("{}") + `]}}}`),
		"records":    jsonLog(many("{}")),
	} {
		if _, found := scan(b, logsRequest, body, true); found.outcome != tooLarge {
			t.Errorf("JSON, %s: %+v", name, found)
		}
	}
	packed := func(number int, body []byte) []byte {
		return tagged(1, tagged(2, tagged(2, tagged(10, tagged(1, tagged(8, tagged(number, body)))))))
	}
	if _, found := scan(b, metricsRequest, packed(2, make([]byte, 200_000)), false); found.outcome != tooLarge {
		t.Errorf("packed numbers: %+v", found)
	}
}

// A panic of ours becomes a refusal.
func TestPanicIsARefusal(t *testing.T) {
	s := newScanners(wide)
	if found := s.run(func(*scanner) { panic("x") }, 0); found.outcome == passed {
		t.Error("passed")
	}
}

// What is estimated is near to what the decoded request keeps.
func TestEstimateIsNearTheHeap(t *testing.T) {
	logs, _ := sampleLogs(t, 20_000)
	spans, _ := sampleSpans(t, 10_000)
	small := pair("k", []byte{3 << 3, 1})
	point := join(tagged(7, small), tagged(7, small), append([]byte{3<<3 | wireFixed8}, make([]byte, 8)...),
		append([]byte{4<<3 | wireFixed8}, make([]byte, 8)...))
	for name, c := range map[string]struct {
		root messageID
		body []byte
	}{
		"logs":              {logsRequest, logs},
		"spans":             {traceRequest, spans},
		"small attributes":  {logsRequest, logsOf(attributesOf(5_000, record("b", attributesOf(50, small)...))...)},
		"small points":      {metricsRequest, tagged(1, tagged(2, tagged(2, tagged(5, join(attributesOf(50_000, tagged(1, point))...)))))},
		"empty records":     {logsRequest, tagged(1, tagged(2, bytes.Repeat([]byte{0x12, 0}, 200_000)))},
		"empty attributes":  {logsRequest, logsOf(attributesOf(100, join(attributesOf(4_000, tagged(6, nil))...))...)},
		"values of a list":  {logsRequest, logsOf(tagged(5, tagged(5, bytes.Repeat([]byte{0x0a, 0}, 1_000_000))))},
		"numbers of a list": {logsRequest, logsOf(tagged(5, tagged(5, bytes.Repeat([]byte{0x0a, 2, 3 << 3, 1}, 500_000))))},
	} {
		_, found := scan(wide, c.root, c.body, false)
		before := heapAlive()
		request := newRequest(c.root)
		fatal(t, request.UnmarshalProto(c.body))
		kept := heapAlive() - before
		runtime.KeepAlive(request)
		estimate := found.decoded + int64(len(c.body))
		t.Logf("%s: %d bytes, kept %.1f times that, estimated %.1f times", name, len(c.body),
			float64(kept)/float64(len(c.body)), float64(estimate)/float64(len(c.body)))
		if float64(estimate) < 0.8*float64(kept) || estimate > 2*kept {
			t.Errorf("%s: %d bytes are kept, %d were estimated", name, kept, estimate)
		}
	}
}

// heapAlive collects twice: what lies in a pool survives the first collection, as the pool's victim.
func heapAlive() int64 {
	runtime.GC()
	runtime.GC()
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	return int64(now.HeapAlloc)
}

func TestScanAllocatesNothing(t *testing.T) {
	asProto, asJSON := sampleLogs(t, 100)
	s := newScanners(wide)
	for name, run := range map[string]func(){
		"protobuf": func() { s.protobuf(asProto, logsRequest, true) },
		"json":     func() { s.jsonText(asJSON, logsRequest) },
	} {
		run()
		if n := testing.AllocsPerRun(20, run); n > 1 { // the closure of run
			t.Errorf("%s: %.0f allocations", name, n)
		}
	}
}

// sampleLogs has records of 8 attributes and about 400 bytes.
func sampleLogs(t testing.TB, n int) (asProto, asJSON []byte) {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "checkout")
	records := rl.ScopeLogs().AppendEmpty().LogRecords()
	for i := range n {
		r := records.AppendEmpty()
		r.SetTimestamp(pcommon.Timestamp(1764160000000000000 + i))
		r.SetObservedTimestamp(pcommon.Timestamp(1764160000000000000 + i))
		r.SetSeverityNumber(plog.SeverityNumberInfo)
		r.SetSeverityText("INFO")
		r.Body().SetStr(fmt.Sprintf("payment %d of user submitted to the chain and waiting for confirmation", i))
		r.SetTraceID([16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, byte(i)})
		r.SetSpanID([8]byte{1, 2, 3, 4, 5, 6, 7, byte(i)})
		a := r.Attributes()
		a.PutStr("payment.transaction_id", fmt.Sprintf("01J%023d", i))
		a.PutStr("payment.currency", "EUR")
		a.PutDouble("payment.amount", 12.5)
		a.PutStr("request.id", "3f2504e0-4f89-41d3-9a0c-0305e82c3301")
		a.PutStr("code.function.name", "service.payments.submit")
		a.PutInt("code.line.number", 120)
		a.PutStr("thread.name", "MainThread")
		a.PutBool("payment.retried", false)
	}
	return bothWays(t, plogotlp.NewExportRequestFromLogs(ld))
}

// sampleSpans has spans of 12 attributes.
func sampleSpans(t testing.TB, n int) (asProto, asJSON []byte) {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "checkout")
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	for i := range n {
		s := spans.AppendEmpty()
		s.SetTraceID([16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, byte(i)})
		s.SetSpanID([8]byte{1, 2, 3, 4, 5, 6, 7, byte(i)})
		s.SetName("POST /payments")
		s.SetKind(ptrace.SpanKindServer)
		s.SetStartTimestamp(1764160000000000000)
		s.SetEndTimestamp(1764160000100000000)
		for j := range 10 {
			s.Attributes().PutStr(fmt.Sprintf("http.request.header.%d", j), "application/json")
		}
		s.Attributes().PutInt("http.response.status_code", 202)
		s.Attributes().PutInt("server.port", 8000)
	}
	return bothWays(t, ptraceotlp.NewExportRequestFromTraces(td))
}

func bothWays(t testing.TB, request exportRequest) (asProto, asJSON []byte) {
	asProto, err := request.MarshalProto()
	fatal(t, err)
	asJSON, err = request.MarshalJSON()
	fatal(t, err)
	return asProto, asJSON
}

// asSDK writes a request with the fields in the order of their numbers. A Collector has it the other
// way around.
func asSDK(t testing.TB, root messageID, body []byte) []byte {
	m := dynamicpb.NewMessage(descriptors[root])
	fatal(t, proto.Unmarshal(body, m))
	out, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	fatal(t, err)
	return out
}

// cpuTime is what this process has used: on a busy machine the clock counts others as well.
func cpuTime(b *testing.B) int64 {
	var usage syscall.Rusage
	fatal(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func BenchmarkScan(b *testing.B) {
	const records = 500
	logsProto, logsJSON := sampleLogs(b, records)
	spansProto, spansJSON := sampleSpans(b, records)
	logsProto, spansProto = asSDK(b, logsRequest, logsProto), asSDK(b, traceRequest, spansProto)
	b.Logf("bytes per record: log %d, JSON %d; span %d, JSON %d", len(logsProto)/records,
		len(logsJSON)/records, len(spansProto)/records, len(spansJSON)/records)
	s := newScanners(bounds{defaultMaxDepth, defaultMaxAttributes, defaultMaxDecoded * mib})
	for _, c := range []struct {
		name string
		run  func() report
	}{
		{"log/protobuf", func() report { return s.protobuf(logsProto, logsRequest, false) }},
		{"log/json", func() report { return s.jsonText(logsJSON, logsRequest) }},
		{"span/protobuf", func() report { return s.protobuf(spansProto, traceRequest, false) }},
		{"span/json", func() report { return s.jsonText(spansJSON, traceRequest) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			began := cpuTime(b)
			for b.Loop() {
				if c.run().outcome != passed {
					b.Fatal("not passed")
				}
			}
			b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N)/records, "cpu-ns/record")
		})
	}
}
