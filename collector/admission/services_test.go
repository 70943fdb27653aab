// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"glasshouse.example/collector/casetest"
)

func called(name string) identity { return identity{name: name} }

func TestServicesAreBounded(t *testing.T) {
	services := newTable(ServicesConfig{Most: 3, Labelled: 2, Burst: time.Second})
	now := casetest.Now
	if !services.of(called(otherService), now).others || len(services.known) > 0 {
		t.Error("what a Collector before this one gave that name takes a place")
	}
	first := services.of(called("a"), now)
	for _, name := range []string{"b", "c", "d", "e"} {
		services.of(called(name), now)
	}
	if services.of(called("a"), now) != first {
		t.Error("a service that is known is another one the next time")
	}
	if services.of(identity{"a", "n", ""}, now) == first || services.of(identity{"a", "", "e"}, now) == first {
		t.Error("a namespace or environment makes no difference")
	}
	for name, others := range map[string]bool{"a": false, "b": false, "c": false, "d": true, "e": true} {
		if got := services.of(called(name), now); got.others != others {
			t.Errorf("%s is one of the others: %t", name, got.others)
		}
	}
	if len(services.known) != 3 {
		t.Errorf("%d services are known", len(services.known))
	}
	// c is distinguished, and our own metrics still name only two.
	if got := services.of(called("c"), now).label; got != otherService {
		t.Errorf("c is labelled %s", got)
	}
}

func TestAReservedServiceFindsAPlaceInAFullTable(t *testing.T) {
	services := newTable(ServicesConfig{Most: 2, Labelled: 1, Burst: time.Second, Reserved: []string{"ours"}})
	now := casetest.Now
	for i := range 10 {
		services.of(called(fmt.Sprint(i)), now)
	}
	ours := services.of(called("ours"), now)
	if ours.others || ours.label != "ours" {
		t.Errorf("it is one of the others (%t), labelled %s", ours.others, ours.label)
	}
	if !services.of(called("theirs"), now).others {
		t.Error("so does one that is not reserved")
	}
	// Its name is no way around the bound.
	for i := range 2 * placesOfReserved {
		services.of(identity{"ours", fmt.Sprint(i), ""}, now)
	}
	if got := len(services.known); got != 2+placesOfReserved {
		t.Errorf("%d services are known", got)
	}
}

func TestAnIdleServiceGivesUpItsPlace(t *testing.T) {
	services := newTable(ServicesConfig{Most: 2, Labelled: 3, Burst: time.Second})
	now := casetest.Now
	services.of(called("idle"), now)
	services.of(called("busy"), now)
	later := now.Add(idleAfter + time.Second)
	services.wait(services.of(called("busy"), later), later)
	if services.of(called("new"), later).others {
		t.Error("the idle one's place is not given to the new one")
	}
	if _, known := services.known[called("busy")]; !known || len(services.known) != 2 {
		t.Errorf("known are %v", services.known)
	}
	// A full table looks for idle ones once in a while, not at each request.
	again := later.Add(idleAfter + time.Second)
	services.swept = again.Add(-sweepEvery + time.Second)
	if !services.of(called("newer"), again).others {
		t.Error("it checks all services again within the same minute")
	}
	if services.of(called("newer"), again.Add(time.Second)).others {
		t.Error("it does not look again after a minute")
	}
	// Its label stays: a series of ours that exists does not end.
	if got := services.label("idle"); got != "idle" {
		t.Errorf("it would come back as %s", got)
	}
}

// TestWhatIsRememberedOfAServiceIsBounded sends names as long as a request can be.
func TestWhatIsRememberedOfAServiceIsBounded(t *testing.T) {
	config := testConfig()
	telemetry := componenttest.NewTelemetry()
	p := newTraces(t, config, testSettings(telemetry), &recorder{})
	for _, last := range []string{"1", "2"} {
		data := ordinaryTraces()
		long := strings.Repeat("\xffx", 1<<20) + last
		for _, key := range []string{serviceName, serviceNamespace, serviceEnvironment} {
			data.ResourceSpans().At(0).Resource().Attributes().PutStr(key, long)
		}
		_, err := p.process(t.Context(), data)
		must(t, err)
	}
	if len(p.services.known) != 2 {
		t.Errorf("two services are %d", len(p.services.known))
	}
	for id, s := range p.services.known {
		for _, text := range []string{id.name, id.namespace, id.environment, s.label} {
			if len(text) > identityBytes {
				t.Errorf("%d bytes are remembered of a name", len(text))
			}
		}
		if len(s.label) > labelBytes || strings.Contains(s.label, "\xff") {
			t.Errorf("the label is %q", s.label)
		}
	}
}

// TestTheThrottleAndTheRestSeeOneService sends names that are repaired on the way: the bound must
// meet the same service that is charged.
func TestTheThrottleAndTheRestSeeOneService(t *testing.T) {
	for what, put := range map[string]func(pcommon.Map){
		"no text":         func(m pcommon.Map) { m.PutInt(serviceName, 7) },
		"a map":           func(m pcommon.Map) { m.PutEmptyMap(serviceName).PutStr("a", "b") },
		"no UTF-8":        func(m pcommon.Map) { m.PutStr(serviceName, "sh\xffop") },
		"long":            func(m pcommon.Map) { m.PutStr(serviceName, strings.Repeat("x", 10_000)) },
		"none":            func(pcommon.Map) {},
		"one of too many": func(m pcommon.Map) { m.PutStr(serviceName, otherService) },
	} {
		p := newLogs(t, testConfig(), testSettings(componenttest.NewTelemetry()), &recorder{})
		data := plog.NewLogs()
		r := data.ResourceLogs().AppendEmpty()
		put(r.Resource().Attributes())
		r.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		sender := p.sender(r, p.clock())
		before := sender.records
		_, err := p.process(t.Context(), data)
		must(t, err)
		if sender.records != before-1 {
			t.Errorf("%s: another service was charged", what)
		}
		if len(p.services.known) > 1 {
			t.Errorf("%s: one service is %d", what, len(p.services.known))
		}
	}
}

func TestOurOwnMetricsNameABoundedNumberOfServices(t *testing.T) {
	config := testConfig()
	config.Services.Labelled = 3
	telemetry := componenttest.NewTelemetry()
	p := newLogs(t, config, testSettings(telemetry), &recorder{})
	for i := range 20 {
		data := plog.NewLogs()
		r := data.ResourceLogs().AppendEmpty()
		r.Resource().Attributes().PutStr(serviceName, fmt.Sprintf("service %d", i))
		record := r.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		record.Attributes().PutStr("_", "x")
		_, err := p.process(t.Context(), data)
		must(t, err)
	}
	got := casetest.Counted(t, telemetry, counters["repaired"])
	want := map[string]int64{
		"reason=name,service=service 0,signal=logs": 1, "reason=name,service=service 1,signal=logs": 1,
		"reason=name,service=service 2,signal=logs": 1, "reason=name,service=other,signal=logs": 17,
	}
	for labels, n := range want {
		if got[labels] != n {
			t.Errorf("%s: counted %d", labels, got[labels])
		}
	}
	if len(got) != len(want) {
		t.Errorf("counted %v", got)
	}
}

// TestManyAtOnce is for the race detector, and for counts that must not get lost.
func TestManyAtOnce(t *testing.T) {
	config := testConfig()
	config.Services.Most, config.Services.RecordsPerSecond, config.Services.BytesPerSecond = 5, 0, 0
	telemetry := componenttest.NewTelemetry()
	set := testSettings(telemetry)
	logs, traces := newLogs(t, config, set, &recorder{}), newTraces(t, config, set, &recorder{})
	logs.random, traces.random = nil, nil // not to be shared, and not needed
	const senders, batches = 8, 20
	var all sync.WaitGroup
	for sender := range senders {
		all.Go(func() {
			for batch := range batches {
				data := ordinaryLogs()
				name := fmt.Sprintf("service %d", sender*batch%11)
				data.ResourceLogs().At(0).Resource().Attributes().PutStr(serviceName, name)
				data.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().PutStr("_", "x")
				if _, err := logs.process(t.Context(), data); err != nil {
					t.Error(err)
				}
				if _, err := traces.process(t.Context(), ordinaryTraces()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	total := int64(0)
	for labels, n := range casetest.Counted(t, telemetry, counters["repaired"]) {
		if strings.HasPrefix(labels, "reason=name,") {
			total += n
		}
	}
	if total != senders*batches {
		t.Errorf("%d of %d repairs were counted", total, senders*batches)
	}
}
