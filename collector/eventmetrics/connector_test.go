// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

func TestKnownSeriesAreExposedAtZeroFromTheStart(t *testing.T) {
	r := start(t, payments(), nil)
	defer r.shutdown(t)
	expect(t, r.sink.page(), page(nil))
}

func TestTheFirstFailureIsAStepFromZero(t *testing.T) {
	r := start(t, payments(), nil)
	defer r.shutdown(t)
	failed := event("payment.failed", map[string]any{"payment.currency": "SEK"})
	const key = "payments{state=failed,currency=SEK}"
	r.send(t, failed)
	expect(t, r.after(t, time.Second), map[string]string{key: "0"})
	r.send(t, failed)
	expect(t, r.after(t, 2*time.Second), map[string]string{key: "0"})
	expect(t, r.after(t, time.Second), map[string]string{key: "2"})
	r.send(t, failed)
	expect(t, r.after(t, time.Millisecond), map[string]string{key: "3"})
	if again := r.after(t, time.Hour); again != nil {
		t.Errorf("nothing has changed, yet %v was handed on", again)
	}
}

func TestAmountsKeepTheirCents(t *testing.T) {
	r := start(t, atOnce(), nil)
	defer r.shutdown(t)
	r.send(t, paid("1e15"))
	for range 10_000 {
		r.send(t, paid(0.1))
	}
	r.after(t, time.Second)
	total := r.families[1].series["EUR"].sum.value()
	if want := 1e15 + 1000; math.Abs(total-want) > 0.13 { // a float64 of that size steps by 0.125
		t.Errorf("sum is %v, want %v", total, want)
	}
}

func TestHistogramsCountByBucketAndLeadToATrace(t *testing.T) {
	r := start(t, atOnce(), nil)
	defer r.shutdown(t)
	trace := pcommon.TraceID{1, 2, 3}
	for _, delay := range []float64{0.5, 1, 3, 9} {
		r.send(t, func(record plog.LogRecord) {
			event("payment.created", map[string]any{"payment.delay": delay})(record)
			record.SetTraceID(trace)
		})
	}
	expect(t, r.after(t, time.Second), map[string]string{
		"payment.delay{}": "4 13.5 [2 1 1]", "payments{state=created,currency=other}": "4",
	})
	all := r.sink.AllMetrics()
	list := all[len(all)-1].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	exemplars := list.At(list.Len() - 1).Histogram().DataPoints().At(0).Exemplars()
	var values []float64
	for i := range exemplars.Len() {
		if exemplars.At(i).TraceID() != trace {
			t.Errorf("exemplar %d leads to %v", i, exemplars.At(i).TraceID())
		}
		values = append(values, exemplars.At(i).DoubleValue())
	}
	if fmt.Sprint(values) != "[1 3 9]" {
		t.Errorf("exemplars %v, want the newest of each bucket", values)
	}
}

// Prometheus takes no exemplar that is older than the last one of its series.
func TestAnExemplarIsNeverFromTheFuture(t *testing.T) {
	now := pcommon.NewTimestampFromTime(begin)
	for sent, want := range map[pcommon.Timestamp]pcommon.Timestamp{
		0: now, now - 5: now - 5, now + 5: now, math.MaxUint64: now,
	} {
		r := start(t, atOnce(), nil)
		r.send(t, func(record plog.LogRecord) {
			paid(1)(record)
			record.SetTraceID(pcommon.TraceID{1})
			record.SetTimestamp(sent)
		})
		if got := r.families[1].series["EUR"].exemplars[0].at; got != want {
			t.Errorf("%d became %d, want %d", sent, got, want)
		}
		r.shutdown(t)
	}
}

func TestLabelsAreBounded(t *testing.T) {
	r := start(t, atOnce(), nil)
	defer r.shutdown(t)
	for i := range 10_000 {
		r.send(t, event("payment.created", map[string]any{"payment.currency": fmt.Sprintf("X%d", i)}))
	}
	r.send(t, event("payment.created", map[string]any{"payment.currency": "USD"}))
	r.send(t, event("payment.created", nil), event("payment.created", map[string]any{"payment.currency": "a b"}))
	expect(t, r.after(t, time.Second), map[string]string{
		"payments{state=created,currency=X0}":    "1",
		"payments{state=created,currency=X1}":    "1",
		"payments{state=created,currency=USD}":   "1",
		"payments{state=created,currency=other}": "10000",
	})
	r.expectCounts(t, "overflow", map[string]int64{"family=payments,label=currency": 10_000})
	if n := len(r.families[0].series); n != 7 {
		t.Errorf("%d series, want 4 known, 2 dynamic and other", n)
	}
}

// Whatever text an event brings, only what looks like a name becomes a label value.
func TestTextThatIsNoNameGetsNoSeries(t *testing.T) {
	config := atOnce()
	config.Families[0].Labels[0].MaxDynamicValues = 1000
	for name, text := range map[string]string{
		"empty": "", "a space": "a b", "an address": "alice@example.com", "a quote": `a"b`, "braces": "a{b}",
		"a path": "a/b", "a line": "a\nb", "NUL": "a\x00b", "not ASCII": "é", "not UTF-8": "a\xff",
		"a character too long": strings.Repeat("a", 65),
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, config, nil)
			defer r.shutdown(t)
			longest := strings.Repeat("Az09_.-x", 8)
			r.send(t, event("payment.failed", map[string]any{"payment.currency": text}))
			r.send(t, event("payment.failed", map[string]any{"payment.currency": longest}))
			expect(t, r.after(t, time.Second), map[string]string{
				"payments{state=failed,currency=other}":           "1",
				"payments{state=failed,currency=" + longest + "}": "1",
			})
			r.expectCounts(t, "overflow", map[string]int64{"family=payments,label=currency": 1})
		})
	}
}

func TestALabelOfAnyTypeIsCounted(t *testing.T) {
	r := start(t, atOnce(), nil)
	defer r.shutdown(t)
	for _, value := range []any{[]byte("EUR"), true, 7, []any{"EUR"}, map[string]any{"a": 1}, nil} {
		r.send(t, event("payment.failed", map[string]any{"payment.currency": value}))
	}
	expect(t, r.after(t, time.Second), map[string]string{
		"payments{state=failed,currency=true}":  "1",
		"payments{state=failed,currency=7}":     "1",
		"payments{state=failed,currency=other}": "4",
	})
}

func TestManySendersAreCountedExactly(t *testing.T) {
	config := watchful()
	config.StorageID = &storageID
	config.Repeats.IDs = 100_000
	config.FlushInterval = time.Millisecond
	store := &memory{}
	r := start(t, config, store)
	const senders, each = 16, 500
	var all sync.WaitGroup
	for sender := range senders {
		all.Go(func() {
			for i := range each {
				// One event of its own, and one that all others send, too.
				r.post(t, batchOf(fmt.Sprint("sender", sender), at(i+1, paid(0.1))))
				r.send(t, at(i+1, paid(0.1)))
			}
		})
	}
	all.Wait()
	r.shutdown(t)
	expect(t, r.sink.page(), page(map[string]string{
		"payments{state=created,currency=EUR}": "8500",
		"payments.amount{currency=EUR}":        "850",
	}))
	r.expectCounts(t, "repeated", map[string]int64{"": senders*each - each})
	again := start(t, config, store)
	defer again.shutdown(t)
	expect(t, again.sink.page(), r.sink.page())
}

func TestSendersDoNotWaitForTheStorage(t *testing.T) {
	store := &memory{}
	r := start(t, kept(), store)
	held, release := make(chan struct{}), make(chan struct{})
	store.refusing(func([]string) error { close(held); <-release; return nil })
	r.send(t, paid(1))
	flushed := make(chan error)
	go func() { flushed <- r.flush(context.Background()) }()
	<-held // the storage hangs
	r.advance(30 * time.Second)
	r.send(t, paid(2)) // would hang, too
	if got := r.seconds(t); got != 30 {
		t.Errorf("%v s behind, want 30", got)
	}
	close(release)
	if err := <-flushed; err != nil {
		t.Fatal(err)
	}
	store.refusing(nil)
	r.after(t, 0)
	expect(t, r.sink.page(), page(map[string]string{
		"payments{state=created,currency=EUR}": "2", "payments.amount{currency=EUR}": "3",
	}))
	if got := r.seconds(t); got != 0 {
		t.Errorf("%v s behind, want 0", got)
	}
	r.shutdown(t)
}

func TestAHangingStorageDoesNotHoldTheShutdown(t *testing.T) {
	store := &memory{}
	config := kept()
	config.FlushInterval = time.Millisecond
	r := start(t, config, store)
	held, release := make(chan struct{}), make(chan struct{})
	store.refusing(func([]string) error { close(held); <-release; return nil })
	r.send(t, paid(1))
	<-held
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Shutdown(ctx); err != context.Canceled {
		t.Errorf("got %v", err)
	}
	close(release)
}

func TestAClockThatIsSetBackHidesNothing(t *testing.T) {
	r := start(t, atOnce(), nil)
	defer r.shutdown(t)
	r.send(t, paid(1))
	r.after(t, time.Second)
	r.send(t, paid(1))
	r.after(t, -time.Hour)
	expect(t, r.sink.page(), page(map[string]string{
		"payments{state=created,currency=EUR}": "2", "payments.amount{currency=EUR}": "2",
	}))
}

func TestAllSeriesAreHandedOnAgainAndNotStoredAgain(t *testing.T) {
	config, store := kept(), &memory{}
	config.RepeatInterval = time.Minute
	r := start(t, config, store)
	defer r.shutdown(t)
	r.send(t, paid(1))
	r.after(t, time.Second)
	written := len(store.batches())
	all := r.sink.page()
	if again := r.after(t, 58*time.Second); again != nil {
		t.Errorf("%v was handed on before it was time", again)
	}
	for _, later := range []time.Duration{time.Second, time.Minute, -time.Hour} {
		expect(t, r.after(t, later), all)
	}
	if now := len(store.batches()); now != written {
		t.Errorf("%d writes of what has not changed", now-written)
	}
}

func TestAMissingStorageIsNamed(t *testing.T) {
	r := ready(t, kept())
	err := r.Start(context.Background(), componenttest.NewNopHost())
	if err == nil || err.Error() != "storage: there is no extension memory" {
		t.Errorf("got %v", err)
	}
}

func TestShutdownBeforeStartIsHarmless(t *testing.T) {
	ready(t, payments()).shutdown(t)
}

func TestAnEventIsFoundByItsAttribute(t *testing.T) {
	r := start(t, atOnce(), nil)
	defer r.shutdown(t)
	r.send(t, event("", map[string]any{"event": "payment.created", "payment.currency": "EUR"}))
	r.send(t, event("other.event", map[string]any{"event": "payment.created", "payment.currency": "EUR"}))
	r.send(t, event("", map[string]any{"event": 7}), event("", nil))
	expect(t, r.after(t, time.Second), map[string]string{"payments{state=created,currency=EUR}": "1"})
}
