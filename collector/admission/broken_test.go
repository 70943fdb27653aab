// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"glasshouse.example/collector/casetest"
)

// TestACheckThatBreaksCostsOneRecord breaks the making of ids.
func TestACheckThatBreaksCostsOneRecord(t *testing.T) {
	telemetry := componenttest.NewTelemetry()
	letters := &recorder{}
	p := newTraces(t, testConfig(), testSettings(telemetry), letters)
	p.random = func() uint64 { panic("a secret") }
	for range 2 { // what is used again must not remember
		data := ptrace.NewTraces()
		all := data.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
		for _, name := range []string{"first", "broken", "last"} {
			span := all.AppendEmpty()
			span.SetName(name)
			span.SetStartTimestamp(pcommon.NewTimestampFromTime(casetest.Now))
			span.SetEndTimestamp(span.StartTimestamp())
			if name != "broken" {
				span.SetTraceID([16]byte{1})
				span.SetSpanID([8]byte{1})
			}
		}
		left, err := p.process(t.Context(), data)
		must(t, err)
		if all := left.ResourceSpans().At(0).ScopeSpans().At(0).Spans(); all.Len() != 2 || all.At(0).Name() != "first" || all.At(1).Name() != "last" {
			t.Errorf("%d spans are left", all.Len())
		}
	}
	if got := casetest.Counted(t, telemetry, counters["set_aside"]); got["reason=broken,service=,signal=traces"] != 2 {
		t.Errorf("counted %v", got)
	}
	if len(letters.letters) != 2 || letters.letters[0].reason != "broken" {
		t.Errorf("%d letters are sent", len(letters.letters))
	}
}

// TestAnItemThatBreaks is the same for what all signals share.
func TestAnItemThatBreaks(t *testing.T) {
	for does, stays := range map[action]bool{keep: true, setAside: false, refuse: false} {
		v := &visit{}
		v.actions[broken] = does
		v.actions[name] = repair
		got := v.item(3, func() {
			v.hit(name)
			panic("a secret")
		})
		if got != stays || v.why != broken && !stays {
			t.Errorf("with the action %s it stays: %t, for %s", actionNames[does], got, reasonNames[v.why])
		}
		if refused := v.tally.counted[refuse][broken]; refused != map[action]int64{refuse: 3}[does] {
			t.Errorf("with the action %s %d are refused", actionNames[does], refused)
		}
	}
}

// TestABatchThatBreaks breaks what lies outside of single records. The batch is refused for good: it
// would break again. What was set aside before is kept.
func TestABatchThatBreaks(t *testing.T) {
	telemetry := componenttest.NewTelemetry()
	letters := &recorder{}
	p := newMetrics(t, testConfig(), testSettings(telemetry), letters)
	whole := p.signal.admit
	calls := 0
	p.signal.admit = func(v *visit, to *asideMetrics, r pmetric.ResourceMetrics) {
		if calls++; calls == 2 {
			panic("a secret")
		}
		whole(v, to, r)
	}
	data := aged(day, time.Hour)
	aged(time.Hour, time.Hour, time.Hour).ResourceMetrics().MoveAndAppendTo(data.ResourceMetrics())
	_, err := p.process(t.Context(), data)
	if !errors.Is(err, errBatch) || !consumererror.IsPermanent(err) {
		t.Errorf("the error is %v", err)
	}
	if got := casetest.Counted(t, telemetry, counters["refused"]); got["reason=broken,service=other,signal=metrics"] != 4 {
		t.Errorf("counted %v", got)
	}
	if len(letters.letters) != 1 {
		t.Errorf("%d letters are sent", len(letters.letters))
	}
	left, err := p.process(t.Context(), aged(time.Hour))
	must(t, err)
	if left.DataPointCount() != 1 {
		t.Error("the next batch is not passed on")
	}
}

// cancelled is over after it has been asked for some times.
type cancelled struct {
	context.Context
	asked, after int
}

func (c *cancelled) Err() error {
	if c.asked++; c.asked > c.after {
		return context.Canceled
	}
	return nil
}

// TestWorkStopsWhenTheSenderHasGone counts the records that are still checked.
func TestWorkStopsWhenTheSenderHasGone(t *testing.T) {
	const records = 100 * checkEvery
	oddLogs := func(scopes, each int) plog.Logs {
		data := plog.NewLogs()
		r := data.ResourceLogs().AppendEmpty()
		for range scopes {
			s := r.ScopeLogs().AppendEmpty()
			for range each {
				s.LogRecords().AppendEmpty().Attributes().PutStr("_", "x")
			}
		}
		return data
	}
	many := func(resources int) plog.Logs {
		data := plog.NewLogs()
		for range resources {
			oddLogs(1, 1).ResourceLogs().MoveAndAppendTo(data.ResourceLogs())
		}
		return data
	}
	for name, data := range map[string]plog.Logs{
		"in one scope": oddLogs(1, records), "in many scopes": oddLogs(records, 1), "in many resources": many(records),
	} {
		t.Run(name, func(t *testing.T) {
			telemetry := componenttest.NewTelemetry()
			letters := &recorder{}
			p := newLogs(t, testConfig(), testSettings(telemetry), letters)
			ctx := &cancelled{Context: t.Context(), after: 3}
			_, err := p.process(ctx, data)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("the error is %v", err)
			}
			repaired := casetest.Counted(t, telemetry, counters["repaired"])["reason=name,service=,signal=logs"]
			if repaired == 0 || repaired > 4*checkEvery {
				t.Errorf("%d records were checked", repaired)
			}
			if left := data.LogRecordCount(); left != records {
				t.Errorf("%d records are left, which are all", left)
			}
		})
	}
}

// TestWorkStopsInEmptyScopes: one record is enough to have any number of scopes checked.
func TestWorkStopsInEmptyScopes(t *testing.T) {
	telemetry := componenttest.NewTelemetry()
	set := testSettings(telemetry)
	empty := func(scope pcommon.InstrumentationScope) { scope.Attributes().PutStr("", "x") }
	logs, traces, metrics := plog.NewLogs(), ptrace.NewTraces(), pmetric.NewMetrics()
	rl, rt, rm := logs.ResourceLogs().AppendEmpty(), traces.ResourceSpans().AppendEmpty(), metrics.ResourceMetrics().AppendEmpty()
	for range 20 * checkEvery {
		empty(rl.ScopeLogs().AppendEmpty().Scope())
		empty(rt.ScopeSpans().AppendEmpty().Scope())
		empty(rm.ScopeMetrics().AppendEmpty().Scope())
	}
	rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	rt.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	_, inLogs := newLogs(t, testConfig(), set, &recorder{}).process(&cancelled{Context: t.Context(), after: 1}, logs)
	_, inTraces := newTraces(t, testConfig(), set, &recorder{}).process(&cancelled{Context: t.Context(), after: 1}, traces)
	_, inMetrics := newMetrics(t, testConfig(), set, &recorder{}).process(&cancelled{Context: t.Context(), after: 1}, metrics)
	for signal, err := range map[string]error{signalLogs: inLogs, signalTraces: inTraces, signalMetrics: inMetrics} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: the error is %v", signal, err)
		}
		if n := casetest.Counted(t, telemetry, counters["repaired"])["reason=name,service=,signal="+signal]; n == 0 || n > 2*checkEvery {
			t.Errorf("%s: %d scopes were checked", signal, n)
		}
	}
}

// TestWorkStopsInMetrics: a metric without points is work, too, and so is each point.
func TestWorkStopsInMetrics(t *testing.T) {
	const records = 20 * checkEvery
	for name, fill := range map[string]func(pmetric.ScopeMetrics){
		"metrics without points": func(s pmetric.ScopeMetrics) {
			for range records {
				s.Metrics().AppendEmpty()
			}
		},
		"points": func(s pmetric.ScopeMetrics) {
			points := s.Metrics().AppendEmpty().SetEmptyGauge().DataPoints()
			for range records {
				points.AppendEmpty()
			}
		},
	} {
		data := pmetric.NewMetrics()
		fill(data.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty())
		telemetry := componenttest.NewTelemetry()
		p := newMetrics(t, testConfig(), testSettings(telemetry), &recorder{})
		_, err := p.process(&cancelled{Context: t.Context(), after: 1}, data)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: the error is %v", name, err)
		}
		refused := int64(0)
		for _, n := range casetest.Counted(t, telemetry, counters["refused"]) {
			refused += n
		}
		if left := points(data.ResourceMetrics().At(0)); refused > 2*checkEvery || int64(left)+refused != records {
			t.Errorf("%s: %d are refused and %d left", name, refused, left)
		}
	}
}
