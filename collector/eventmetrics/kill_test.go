// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
)

// durable is watchful with a storage.
func durable() *Config {
	config := watchful()
	config.StorageID = &storageID
	return config
}

func (r *rig) expectStored(t *testing.T, store *memory, want float64) {
	t.Helper()
	if got := storedCounts(t, store)["payments{created,EUR}"]; got != want {
		t.Errorf("%v payments are stored, want %v: %v", got, want, storedCounts(t, store))
	}
}

func TestWhoIsAcknowledgedIsCountedAfterAKill(t *testing.T) {
	store := &memory{}
	r := start(t, durable(), store)
	r.send(t, paid(5), at(1, paid(5)))
	r.crash() // no flush has come
	r = start(t, durable(), store)
	defer r.shutdown(t)
	r.expectPaid(t, 2, 0)
	if got := r.families[1].series["EUR"].sum.value(); got != 10 {
		t.Errorf("the amount is %v", got)
	}
}

// The answer was lost with the process, so the sender tries again.
func TestARequestThatIsSentAgainAfterAKillIsCountedOnce(t *testing.T) {
	for _, requests := range []int{1, 300, 700} { // in one block, and in several
		t.Run(fmt.Sprint(requests), func(t *testing.T) {
			store := &memory{}
			config := durable()
			config.Repeats.IDs = 5000
			var sent []plog.Logs
			for n := range requests {
				sent = append(sent, batch(at(n+1, paid(1)), at(n+1, paid(1)), at(n+1, paid(2))))
			}
			for life := range 3 {
				r := start(t, config, store)
				for _, logs := range sent {
					r.post(t, logs)
				}
				again := int64(3 * requests)
				if life == 0 {
					again = 0
				}
				r.expectPaid(t, int64(3*requests), again)
				r.crash()
			}
		})
	}
}

func TestIdsAreForgottenOnDiskToo(t *testing.T) {
	store := &memory{}
	for n := range 6 {
		r := start(t, durable(), store)
		r.advance(time.Duration(n) * 11 * time.Minute)
		for i := range 300 {
			r.send(t, at(1000*n+i+1, paid(1)))
		}
		r.crash()
	}
	blocks := 0
	for _, key := range store.keys() {
		if len(key) > len(repeatsKey) && key[:len(repeatsKey)+1] == repeatsKey+"/" {
			blocks++
		}
	}
	// Two generations of 300 ids, two blocks each.
	if blocks > 4 || blocks < 2 {
		t.Errorf("%d blocks: %v", blocks, store.keys())
	}
}

func TestTheWindowEndsWhileNothingRuns(t *testing.T) {
	store := &memory{}
	r := start(t, durable(), store)
	r.send(t, paid(1))
	r.crash()
	r = ready(t, durable())
	r.advance(25 * time.Minute)
	r.begin(t, store)
	defer r.shutdown(t)
	r.send(t, paid(1))
	r.expectPaid(t, 2, 0)
}

func TestARequestThatCannotBeStoredIsRefusedAndCountedOnce(t *testing.T) {
	store := &memory{}
	r := start(t, durable(), store)
	store.refusing(func([]string) error { return errRefused })
	logs := batch(paid(5))
	for range 3 {
		if err := r.ConsumeLogs(context.Background(), logs); err == nil {
			t.Error("it was acknowledged")
		}
	}
	store.refusing(nil)
	r.post(t, logs)
	r.expectPaid(t, 1, 3)
	r.crash()
	r = start(t, durable(), store)
	defer r.shutdown(t)
	r.post(t, logs)
	r.expectPaid(t, 1, 1)
}

func TestIdsThatCannotBeReadCostNothingElse(t *testing.T) {
	store := &memory{}
	r := start(t, durable(), store)
	r.send(t, paid(1))
	r.crash()
	for _, broken := range []string{"", "{", "null", `{"key":"AA=="}`} {
		store.set(repeatsKey, broken)
		r = start(t, durable(), store)
		if got := r.families[0].series["created\x00EUR"].count; got < 1 {
			t.Errorf("%q: %d payments", broken, got)
		}
		r.crash()
	}
}

// What is counted and what is known are written together, or a kill in between makes them differ.
func TestCountsAndIdsAreOneTransaction(t *testing.T) {
	store := &memory{}
	r := start(t, durable(), store)
	before := len(store.batches())
	r.send(t, paid(1))
	batches := store.batches()[before:]
	if len(batches) != 1 {
		t.Fatalf("%d transactions: %v", len(batches), batches)
	}
	series, ids := 0, 0
	for _, key := range batches[0] {
		switch key[:6] {
		case "series":
			series++
		case "repeat":
			ids++
		}
	}
	if series != 2 || ids != 1 {
		t.Errorf("%d series and %d ids in %v", series, ids, batches[0])
	}
	r.crash()
}

func TestRequestsThatWaitShareATransaction(t *testing.T) {
	store := &memory{}
	r := start(t, durable(), store)
	defer r.shutdown(t)
	r.flusher.mutex.Lock() // a write is under way
	const senders = 20
	before := len(store.batches())
	done := make(chan error, senders)
	for n := range senders {
		go func() { done <- r.ConsumeLogs(context.Background(), batch(at(n+1, paid(1)))) }()
	}
	until(t, "all are counted", func() bool {
		r.mutex.Lock()
		defer r.mutex.Unlock()
		return r.counted == senders
	})
	r.flusher.mutex.Unlock()
	for range senders {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := len(store.batches()) - before; n != 1 {
		t.Errorf("%d transactions", n)
	}
	r.expectPaid(t, senders, 0)
}
