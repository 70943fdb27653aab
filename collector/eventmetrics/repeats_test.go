// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
)

// expectPaid compares how many payments were counted, and how many were not counted again.
func (r *rig) expectPaid(t *testing.T, count, again int64) {
	t.Helper()
	if got := int64(r.families[0].series["created\x00EUR"].count); got != count {
		t.Errorf("%d payments, want %d", got, count)
	}
	repeats := map[string]int64{}
	if again > 0 {
		repeats[""] = again
	}
	r.expectCounts(t, "repeated", repeats)
}

func TestARequestThatComesTwiceIsCountedOnce(t *testing.T) {
	r := start(t, watchful(), nil)
	defer r.shutdown(t)
	request := func() plog.Logs { return batch(measured(5, 2), measured(7, 3), at(1, measured(5, 2))) }
	want := page(map[string]string{
		"payments{state=created,currency=EUR}": "3",
		"payments.amount{currency=EUR}":        "17",
		"payment.delay{}":                      "3 7 [0 3 0]",
	})
	for i := range int64(4) {
		r.post(t, request())
		r.after(t, time.Second)
		expect(t, r.sink.page(), want)
		r.expectPaid(t, 3, 3*i)
	}
}

func TestEqualEventsOfOneRequestAllCount(t *testing.T) {
	r := start(t, watchful(), nil)
	defer r.shutdown(t)
	r.send(t, paid(5), paid(5), paid(5))
	r.expectPaid(t, 3, 0)
	r.send(t, paid(5), paid(5), paid(5))
	r.expectPaid(t, 3, 3)
	r.send(t, paid(5), paid(5), paid(5), paid(5)) // one more than there were
	r.expectPaid(t, 4, 6)
}

// However a sender or a gateway divides what it sends again.
func TestARepeatedRequestIsKnownInParts(t *testing.T) {
	a, b, c := paid(1), paid(2), at(9, paid(1))
	r := start(t, watchful(), nil)
	defer r.shutdown(t)
	r.send(t, a, a, b, c)
	r.expectPaid(t, 4, 0)
	r.send(t, c)
	r.send(t, a)
	r.send(t, b, a)
	r.expectPaid(t, 4, 4)
}

func TestRepeatedRequestsAreKnownTogether(t *testing.T) {
	r := start(t, watchful(), nil)
	defer r.shutdown(t)
	r.send(t, paid(1), paid(2))
	r.send(t, paid(3), at(9, paid(1)))
	fresh := paid(4)
	logs := batch(at(9, paid(1)), paid(3), fresh, paid(2), paid(1))
	// In two resources of the same service and several scopes of the same name.
	more := batch(paid(2), paid(1))
	more.ResourceLogs().MoveAndAppendTo(logs.ResourceLogs())
	r.post(t, logs)
	// paid(1) and paid(2) stand twice in this request: their second ones are events of their own.
	r.expectPaid(t, 4+1+2, 4)
	r.post(t, batch(fresh))
	r.expectPaid(t, 7, 5)
}

func TestAnyDivisionOfWhatIsSentAgainIsKnown(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for range 20 {
		r := start(t, watchful(), nil)
		var first []func(plog.LogRecord)
		for range 60 {
			first = append(first, paid(random.IntN(20))) // many are the same
		}
		r.send(t, first...)
		random.Shuffle(len(first), func(i, j int) { first[i], first[j] = first[j], first[i] })
		for left := first; len(left) > 0; {
			n := 1 + random.IntN(len(left))
			r.send(t, left[:n]...)
			left = left[n:]
		}
		r.expectPaid(t, 60, 60)
		r.shutdown(t)
	}
}

func TestOtherServicesAndOtherEventsAreNoRepeats(t *testing.T) {
	r := start(t, watchful(), nil)
	defer r.shutdown(t)
	r.post(t, batchOf("shop", paid(1)))
	r.post(t, batchOf("till", paid(1)))
	named := batchOf("shop", paid(1))
	named.ResourceLogs().At(0).ScopeLogs().At(0).Scope().SetName("cart")
	r.post(t, named)
	r.expectPaid(t, 3, 0)
	// The same two scopes in one request.
	both := batchOf("shop", paid(2))
	named = batchOf("shop", paid(2))
	named.ResourceLogs().At(0).ScopeLogs().At(0).Scope().SetName("cart")
	named.ResourceLogs().At(0).ScopeLogs().At(0).CopyTo(both.ResourceLogs().At(0).ScopeLogs().AppendEmpty())
	r.post(t, both)
	r.post(t, named)
	r.expectPaid(t, 5, 1)
}

func TestAWindowEnds(t *testing.T) {
	for _, one := range []struct {
		pauses []time.Duration
		again  int64
	}{
		{[]time.Duration{10*time.Minute - 1}, 1},
		{[]time.Duration{20 * time.Minute}, 0},
		// Who keeps trying is known for as long as that takes.
		{[]time.Duration{9 * time.Minute, 9 * time.Minute, 9 * time.Minute, 9 * time.Minute}, 4},
		{[]time.Duration{9 * time.Minute, 25 * time.Minute, time.Minute}, 2},
	} {
		t.Run(fmt.Sprint(one.pauses), func(t *testing.T) {
			r := start(t, watchful(), nil)
			defer r.shutdown(t)
			r.advance(9 * time.Minute) // late in a generation
			r.send(t, paid(1))
			for _, pause := range one.pauses {
				r.advance(pause)
				r.send(t, paid(1))
			}
			r.expectPaid(t, int64(len(one.pauses))+1-one.again, one.again)
			r.expectCounts(t, "forgotten", map[string]int64{})
		})
	}
}

// A window that is over takes no memory, also when nothing comes any more.
func TestAFlushForgetsWhatIsOver(t *testing.T) {
	r := start(t, watchful(), nil)
	defer r.shutdown(t)
	r.send(t, paid(1), paid(2))
	r.after(t, 10*time.Minute)
	if n := len(r.repeats.recent) + len(r.repeats.earlier); n != 2 {
		t.Errorf("%d ids after a window", n)
	}
	r.after(t, 10*time.Minute)
	if n := len(r.repeats.recent) + len(r.repeats.earlier); n != 0 {
		t.Errorf("%d ids after two", n)
	}
}

func TestTheNewestIDsAreKnownWhateverComes(t *testing.T) {
	config := watchful()
	config.Repeats.IDs = 100
	r := start(t, config, nil)
	defer r.shutdown(t)
	for i := range 350 {
		r.send(t, at(i+1, paid(1)))
		if n := len(r.repeats.recent) + len(r.repeats.earlier); n > 200 {
			t.Fatalf("%d ids are held", n)
		}
	}
	r.expectPaid(t, 350, 0)
	// At 201 the first hundred went, at 301 the second.
	r.expectCounts(t, "forgotten", map[string]int64{"": 200})
	for i := 250; i < 350; i++ {
		r.send(t, at(i+1, paid(1)))
	}
	r.expectPaid(t, 350, 100)
	r.send(t, at(1, paid(1))) // forgotten: counted again
	r.expectPaid(t, 351, 100)
}

func TestWithoutAWindowEverythingCounts(t *testing.T) {
	r := start(t, atOnce(), nil)
	defer r.shutdown(t)
	r.send(t, paid(1))
	r.send(t, paid(1))
	r.expectPaid(t, 2, 0)
}

func TestADeadLetterIsNotCountedAgain(t *testing.T) {
	for _, config := range []*Config{watchful(), atOnce()} {
		r := start(t, config, nil)
		r.send(t, paid(1), func(record plog.LogRecord) {
			paid(2)(record)
			record.Attributes().PutStr("dead_letter.reason", "refused")
		})
		r.expectPaid(t, 1, 1)
		r.shutdown(t)
	}
}

// A measurement that was left out is not counted again either.
func TestARepeatIsReportedAsNothingElse(t *testing.T) {
	r := start(t, watchful(), nil)
	defer r.shutdown(t)
	for range 3 {
		r.send(t, paid("a lot"), event("payment.created", map[string]any{"payment.currency": "a b"}))
	}
	r.expectCounts(t, "invalid_values", map[string]int64{"family=payments.amount": 1})
	r.expectCounts(t, "overflow", map[string]int64{"family=payments,label=currency": 1})
	r.expectCounts(t, "repeated", map[string]int64{"": 4})
}
