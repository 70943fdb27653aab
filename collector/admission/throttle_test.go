// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processorhelper"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"glasshouse.example/collector/casetest"
)

// throttled is a processor whose services may send ten records a second, and save up ten seconds.
type throttled struct {
	t         *testing.T
	telemetry *componenttest.Telemetry
	process   func(plog.Logs) (plog.Logs, error)
	now       time.Time
}

func newThrottled(t *testing.T, change func(*ServicesConfig)) *throttled {
	config := testConfig()
	config.Services.RecordsPerSecond, config.Services.BytesPerSecond = 10, 0
	config.Services.Burst = 10 * time.Second
	if change != nil {
		change(&config.Services)
	}
	must(t, config.Validate())
	all := &throttled{t: t, telemetry: componenttest.NewTelemetry(), now: casetest.Now}
	p := newLogs(t, config, testSettings(all.telemetry), &recorder{})
	p.clock = func() time.Time { return all.now }
	all.process = func(data plog.Logs) (plog.Logs, error) { return p.process(t.Context(), data) }
	return all
}

// share is what one service has in a request.
type share struct {
	service string
	records int
}

func request(parts ...share) plog.Logs {
	data := plog.NewLogs()
	for _, one := range parts {
		r := data.ResourceLogs().AppendEmpty()
		r.Resource().Attributes().PutStr(serviceName, one.service)
		records := r.ScopeLogs().AppendEmpty().LogRecords()
		for range one.records {
			records.AppendEmpty().Body().SetStr("a record of some length")
		}
	}
	return data
}

// send returns how many records of each service are passed on.
func (a *throttled) send(parts ...share) (map[string]int, error) {
	a.t.Helper()
	data := request(parts...)
	left, err := a.process(data)
	if errors.Is(err, processorhelper.ErrSkipProcessingData) {
		return nil, nil
	}
	if err != nil {
		if data.LogRecordCount() != request(parts...).LogRecordCount() {
			a.t.Error("of a request that is refused something is missing: it could not be sent again")
		}
		return nil, err
	}
	passed := map[string]int{}
	for _, r := range left.ResourceLogs().All() {
		name, _ := r.Resource().Attributes().Get(serviceName)
		passed[name.Str()] += logRecords(r)
	}
	return passed, nil
}

func (a *throttled) must(n int, parts ...share) {
	a.t.Helper()
	passed, err := a.send(parts...)
	total := 0
	for _, n := range passed {
		total += n
	}
	if err != nil || total != n {
		a.t.Errorf("%d records are passed on, not %d: %v", total, n, err)
	}
}

// refused returns for how long the sender is to wait.
func (a *throttled) refused(parts ...share) time.Duration {
	a.t.Helper()
	_, err := a.send(parts...)
	answer, _ := status.FromError(err)
	if err == nil || answer.Code() != codes.ResourceExhausted {
		a.t.Fatalf("the answer is %v", err)
	}
	if !strings.Contains(answer.Message(), "services.records_per_second") {
		a.t.Errorf("the answer says %q", answer.Message())
	}
	for _, detail := range answer.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	a.t.Fatal("the answer does not say when to try again")
	return 0
}

func (a *throttled) counted(want map[string]int64) {
	a.t.Helper()
	got := casetest.Counted(a.t, a.telemetry, counters["throttled"])
	for labels, n := range want {
		if got[labels+",signal=logs"] != n {
			a.t.Errorf("%s: counted %d, not %d", labels, got[labels+",signal=logs"], n)
		}
	}
	if len(got) != len(want) {
		a.t.Errorf("counted %v", got)
	}
}

func TestAServiceOverItsBoundWaits(t *testing.T) {
	a := newThrottled(t, nil)
	a.must(100, share{"busy", 100}) // what it saved up
	a.must(5, share{"busy", 5})     // it may overdraw
	// It owes five records, which is half a second: no sender waits for less than a whole one.
	if wait := a.refused(share{"busy", 1}); wait != time.Second {
		t.Errorf("the sender is to wait %s", wait)
	}
	a.must(7, share{"quiet", 7})
	a.must(0, share{"busy", 0}) // nothing is to wait
	a.counted(map[string]int64{"outcome=waited,service=busy": 1})

	a.now = a.now.Add(400 * time.Millisecond)
	a.refused(share{"busy", 3})
	a.counted(map[string]int64{"outcome=waited,service=busy": 4})
	a.now = a.now.Add(100 * time.Millisecond)
	a.must(3, share{"busy", 3})
}

func TestWhatIsNotSentIsSavedUpToTheBurst(t *testing.T) {
	a := newThrottled(t, nil)
	a.must(101, share{"busy", 101})
	a.now = a.now.Add(24 * time.Hour)
	a.must(101, share{"busy", 101})
	a.refused(share{"busy", 1})
}

// TestARequestOfAnySizeGetsThroughOnce: one that is larger than the burst could never fit.
func TestARequestOfAnySizeGetsThroughOnce(t *testing.T) {
	a := newThrottled(t, nil)
	a.must(1000, share{"huge", 1000})
	// It owes 900 records; sent in whole seconds, rounded up.
	a.now = a.now.Add(time.Millisecond)
	if wait := a.refused(share{"huge", 1000}); wait != 90*time.Second {
		t.Errorf("the sender is to wait %s", wait)
	}
	a.now = a.now.Add(90 * time.Second)
	a.must(1000, share{"huge", 1000})
}

func TestBytesAreBoundedToo(t *testing.T) {
	a := newThrottled(t, func(c *ServicesConfig) { c.RecordsPerSecond, c.BytesPerSecond = 0, 1000 })
	a.must(500, share{"busy", 500}) // over 11,500 bytes
	if wait := a.refused(share{"busy", 1}); wait < 2*time.Second || wait > 20*time.Second {
		t.Errorf("the sender is to wait %s", wait)
	}
}

// TestEachServiceIsChargedItsOwn: the bytes of one are not another's, and a resource has some, too.
func TestEachServiceIsChargedItsOwn(t *testing.T) {
	a := newThrottled(t, func(c *ServicesConfig) { c.RecordsPerSecond, c.BytesPerSecond = 0, 1000 })
	data := request(share{"large", 1}, share{"small", 1}, share{"described", 1})
	data.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().SetStr(strings.Repeat("x", 20_000))
	for _, key := range []string{"a", "b", "c"} {
		data.ResourceLogs().At(2).Resource().Attributes().PutStr(key, strings.Repeat("x", 4_000))
	}
	_, err := a.process(data)
	must(t, err)
	a.must(1, share{"small", 1})
	a.refused(share{"large", 1})
	a.refused(share{"described", 1})
}

// TestWhatIsCutIsChargedWhole: a service does not get more by sending what is cut.
func TestWhatIsCutIsChargedWhole(t *testing.T) {
	a := newThrottled(t, func(c *ServicesConfig) { c.RecordsPerSecond, c.BytesPerSecond = 0, 1_000_000 })
	data := request(share{"busy", 1})
	record := data.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	record.Body().SetStr(strings.Repeat("x", 4_000_000))
	record.Attributes().PutStr("a", strings.Repeat("x", 4_000_000))
	record.Attributes().PutEmptySlice("list").AppendEmpty().SetStr(strings.Repeat("x", 4_000_000))
	_, err := a.process(data)
	must(t, err)
	if wait := a.refused(share{"busy", 1}); wait != 3*time.Second { // 12 MB, less 10 of the burst, and some
		t.Errorf("the sender is to wait %s", wait)
	}
}

func TestInAMixedRequestTheOthersPass(t *testing.T) {
	a := newThrottled(t, nil)
	a.must(101, share{"busy", 101})
	passed, err := a.send(share{"busy", 3}, share{"quiet", 2}, share{"busy", 4}, share{"idle", 0})
	must(t, err)
	if passed["quiet"] != 2 || passed["busy"] != 0 {
		t.Errorf("passed are %v", passed)
	}
	a.counted(map[string]int64{"outcome=shed,service=busy": 7})
	// With nobody else in it the sender waits, also for two services.
	a.must(101, share{"busier", 101})
	a.refused(share{"busy", 1}, share{"busier", 1}, share{"idle", 0})
	a.counted(map[string]int64{
		"outcome=shed,service=busy": 7, "outcome=waited,service=busy": 1, "outcome=waited,service=busier": 1,
	})
}

// TestTheSignalsOfAServiceShareItsBound: what is left of a bound is one for logs, spans and points.
func TestTheSignalsOfAServiceShareItsBound(t *testing.T) {
	config := testConfig()
	config.Services.RecordsPerSecond, config.Services.Burst = 10, time.Second
	set := testSettings(componenttest.NewTelemetry())
	logs, traces := newLogs(t, config, set, &recorder{}), newTraces(t, config, set, &recorder{})
	_, err := logs.process(t.Context(), request(share{"shop", 11}))
	must(t, err)
	_, err = traces.process(t.Context(), ordinaryTraces())
	must(t, err) // their environment is another one: so is the service
	same := ordinaryTraces()
	same.ResourceSpans().At(0).Resource().Attributes().Remove(serviceEnvironment)
	if _, err = traces.process(t.Context(), same); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("the answer to its spans is %v", err)
	}
}

func TestWithoutABoundNobodyWaits(t *testing.T) {
	a := newThrottled(t, func(c *ServicesConfig) { c.RecordsPerSecond = 0 })
	for range 10 {
		a.must(1000, share{"busy", 1000})
	}
	a.counted(map[string]int64{})
}
