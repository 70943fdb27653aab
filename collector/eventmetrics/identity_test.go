// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// complete fills every field of a request with one event.
func complete() plog.Logs {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "shop")
	scope := resource.ScopeLogs().AppendEmpty()
	scope.Scope().SetName("cart")
	scope.Scope().SetVersion("1")
	scope.Scope().Attributes().PutStr("kind", "web")
	record := scope.LogRecords().AppendEmpty()
	record.SetEventName("payment.created")
	record.SetTimestamp(1000)
	record.SetObservedTimestamp(2000)
	record.SetSeverityNumber(9)
	record.SetSeverityText("INFO")
	record.SetFlags(1)
	record.SetDroppedAttributesCount(3)
	record.SetTraceID(pcommon.TraceID{1})
	record.SetSpanID(pcommon.SpanID{2})
	record.Body().SetStr("Payment created")
	attributes := record.Attributes()
	attributes.PutStr("payment.currency", "EUR")
	attributes.PutInt("n", 1)
	attributes.PutDouble("payment.amount", 19.99)
	attributes.PutBool("yes", true)
	attributes.PutEmptyBytes("bytes").FromRaw([]byte{1, 2})
	list := attributes.PutEmptySlice("list")
	list.AppendEmpty().SetStr("a")
	list.AppendEmpty().SetEmptyMap().PutStr("b", "c")
	attributes.PutEmpty("none")
	attributes.PutStr("long", strings.Repeat("x", 5*longText))
	return logs
}

func recordOf(logs plog.Logs) plog.LogRecord {
	return logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
}

func identityOf(r *rig, logs plog.Logs) identity {
	request := r.requests.Get().(*request)
	defer func() { request.reset(); r.requests.Put(request) }()
	r.read(logs, request)
	return request.events[0].id
}

func TestAnyDifferenceIsAnotherEvent(t *testing.T) {
	r := start(t, watchful(), nil)
	defer r.shutdown(t)
	get := func(logs plog.Logs, key string) pcommon.Value {
		value, _ := recordOf(logs).Attributes().Get(key)
		return value
	}
	changes := map[string]func(plog.Logs){
		"nothing":  func(plog.Logs) {},
		"resource": func(l plog.Logs) { l.ResourceLogs().At(0).Resource().Attributes().PutStr("service.name", "till") },
		"more of the resource": func(l plog.Logs) {
			l.ResourceLogs().At(0).Resource().Attributes().PutStr("service.instance.id", "7")
		},
		"scope":      func(l plog.Logs) { l.ResourceLogs().At(0).ScopeLogs().At(0).Scope().SetName("cart2") },
		"version":    func(l plog.Logs) { l.ResourceLogs().At(0).ScopeLogs().At(0).Scope().SetVersion("2") },
		"of a scope": func(l plog.Logs) { l.ResourceLogs().At(0).ScopeLogs().At(0).Scope().Attributes().PutInt("kind", 1) },
		"name":       func(l plog.Logs) { recordOf(l).SetEventName("payment.failed") },
		"time":       func(l plog.Logs) { recordOf(l).SetTimestamp(1001) },
		"no time":    func(l plog.Logs) { recordOf(l).SetTimestamp(0) },
		"observed":   func(l plog.Logs) { recordOf(l).SetObservedTimestamp(2001) },
		"severity":   func(l plog.Logs) { recordOf(l).SetSeverityNumber(10) },
		"its text":   func(l plog.Logs) { recordOf(l).SetSeverityText("info") },
		"flags":      func(l plog.Logs) { recordOf(l).SetFlags(0) },
		"dropped":    func(l plog.Logs) { recordOf(l).SetDroppedAttributesCount(4) },
		"trace":      func(l plog.Logs) { recordOf(l).SetTraceID(pcommon.TraceID{15: 1}) },
		"span":       func(l plog.Logs) { recordOf(l).SetSpanID(pcommon.SpanID{}) },
		"body":       func(l plog.Logs) { recordOf(l).Body().SetStr("payment created") },
		"no body":    func(l plog.Logs) { pcommon.NewValueEmpty().CopyTo(recordOf(l).Body()) },
		"text":       func(l plog.Logs) { get(l, "payment.currency").SetStr("EUr") },
		"type":       func(l plog.Logs) { get(l, "n").SetStr("1") },
		"int":        func(l plog.Logs) { get(l, "n").SetInt(-1) },
		"double":     func(l plog.Logs) { get(l, "payment.amount").SetDouble(19.990000000000002) },
		"bool":       func(l plog.Logs) { get(l, "yes").SetBool(false) },
		"bytes":      func(l plog.Logs) { get(l, "bytes").Bytes().SetAt(0, 0) },
		"list":       func(l plog.Logs) { get(l, "list").Slice().At(0).SetStr("") },
		"shorter list": func(l plog.Logs) {
			get(l, "list").Slice().RemoveIf(func(v pcommon.Value) bool { return v.Type() == pcommon.ValueTypeStr })
		},
		"map in list": func(l plog.Logs) { get(l, "list").Slice().At(1).Map().PutStr("b", "d") },
		"end of long": func(l plog.Logs) { get(l, "long").SetStr(strings.Repeat("x", 5*longText-1) + "y") },
		"one less":    func(l plog.Logs) { recordOf(l).Attributes().Remove("none") },
		"one more":    func(l plog.Logs) { recordOf(l).Attributes().PutEmpty("none2") },
		"renamed": func(l plog.Logs) {
			value := get(l, "long").Str()
			recordOf(l).Attributes().Remove("long") // the last one
			recordOf(l).Attributes().PutStr("gnol", value)
		},
		"a later time": func(l plog.Logs) { recordOf(l).Attributes().PutStr(originalTimeKey, "1970-01-01T00:00:00.000001002Z") },
		"a uid":        func(l plog.Logs) { recordOf(l).Attributes().PutStr(uidKey, "01J") },
		"another uid":  func(l plog.Logs) { recordOf(l).Attributes().PutStr(uidKey, "01K") },
		"uid of another": func(l plog.Logs) {
			recordOf(l).Attributes().PutStr(uidKey, "01J")
			l.ResourceLogs().At(0).Resource().Attributes().PutStr("service.name", "till")
		},
		"uid with another name": func(l plog.Logs) {
			recordOf(l).Attributes().PutStr(uidKey, "01J")
			recordOf(l).SetEventName("payment.failed")
		},
		"a uid that is none": func(l plog.Logs) { recordOf(l).Attributes().PutInt(uidKey, 1) },
	}
	seen := map[identity]string{}
	halves := map[uint64]string{}
	for name, change := range changes {
		logs := complete()
		change(logs)
		id := identityOf(r, logs)
		if again := identityOf(r, logs); again != id {
			t.Errorf("%s: not the same at the second look", name)
		}
		if other, known := seen[id]; known {
			t.Errorf("%s is the same as %s", name, other)
		}
		seen[id] = name
		for _, half := range id {
			if other, known := halves[half]; known {
				t.Errorf("%s shares a half with %s", name, other)
			}
			halves[half] = name
		}
	}
}

// What admission adds depends on the moment at which a record came.
func TestWhatIsRepairedOnTheWayMakesNoOtherEvent(t *testing.T) {
	r := start(t, watchful(), nil)
	defer r.shutdown(t)
	for name, sent := range map[string]struct{ at, observed pcommon.Timestamp }{
		"old": {1000, 2000}, "without observed": {1000, 0}, "without time": {0, 2000},
		"far ahead": {1 << 63, 2000}, "the last": {1<<64 - 1, 1<<64 - 1},
	} {
		first, again := complete(), complete()
		for _, logs := range []plog.Logs{first, again} {
			recordOf(logs).SetTimestamp(sent.at)
			recordOf(logs).SetObservedTimestamp(sent.observed)
		}
		repaired := recordOf(again)
		repaired.Attributes().PutStr("admission.repaired", "timestamp")
		when := sent.at
		if when == 0 {
			when = sent.observed
		}
		original := when.AsTime().Format(time.RFC3339Nano)
		if when >= 1<<63 {
			original = fmt.Sprint(uint64(when))
		}
		repaired.Attributes().PutStr("admission.original_time", original)
		repaired.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
		if identityOf(r, first) != identityOf(r, again) {
			t.Errorf("%s: another event", name)
		}
	}
}

// One that brings an id is that record, however often it stands in a request.
func TestARecordWithAnIDIsOne(t *testing.T) {
	with := func(uid string, record func(plog.LogRecord)) func(plog.LogRecord) {
		return func(into plog.LogRecord) {
			record(into)
			into.Attributes().PutStr(uidKey, uid)
		}
	}
	r := start(t, watchful(), nil)
	defer r.shutdown(t)
	r.send(t, with("a", paid(1)), with("b", paid(1)), with("a", at(5, paid(1))))
	r.send(t, with("b", at(6, paid(1))), with("c", paid(1)))
	r.expectPaid(t, 3, 2)
}

// What is held to identify a record does not grow with the record.
func TestAHugeRecordIsIdentifiedInLittleMemory(t *testing.T) {
	r := start(t, watchful(), nil)
	defer r.shutdown(t)
	huge := func(end string) plog.Logs {
		logs := complete()
		attributes := recordOf(logs).Attributes()
		for i := range 8_000 {
			attributes.PutEmpty(fmt.Sprint("key", i)).SetStr("some value")
		}
		deep := attributes.PutEmptySlice("deep")
		for range 100_000 {
			deep = deep.AppendEmpty().SetEmptySlice()
		}
		attributes.PutStr("end", end)
		return logs
	}
	request := &request{writer: writer{key: newIDKey()}, ordinals: map[identity]uint32{}}
	r.read(huge("a"), request)
	r.read(huge("a"), request)
	r.read(huge("b"), request)
	ids := request.events
	if ids[0].id.nth(1) != ids[1].id || ids[0].id == ids[2].id {
		t.Errorf("ids %v %v %v", ids[0].id, ids[1].id, ids[2].id)
	}
	if n := cap(request.writer.buffer); n > keptBuffer {
		t.Errorf("%d bytes", n)
	}
}
