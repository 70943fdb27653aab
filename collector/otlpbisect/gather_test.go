// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
)

// door is a queue that is shut until somebody opens it.
type door struct {
	*gather[plog.Logs]
	t     *testing.T
	trial trial[plog.Logs]
	came  chan []string  // what is offered, one after the other
	say   chan error     // the answer to it
	sends sync.WaitGroup // those that have not returned
}

func shut(t *testing.T, bounds ...bound) *door {
	d := &door{t: t, trial: logTrial(), came: make(chan []string), say: make(chan error)}
	d.gather = &gather[plog.Logs]{bounds: bounds, offer: func(ctx context.Context, one *request[plog.Logs]) error {
		data, err := d.trial.signal.decode(one.bytes)
		if err != nil {
			return err
		}
		select {
		case d.came <- d.trial.names(data):
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case err := <-d.say:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	t.Cleanup(d.sends.Wait)
	return d
}

// sends starts a sender, and returns when it waits. Its answer comes by the channel.
func (d *door) sender(ctx context.Context, name string, waiting int) <-chan error {
	d.t.Helper()
	answer := make(chan error, 1)
	one := requestOf(d.t, d.trial, []string{name})
	d.sends.Go(func() { answer <- d.send(ctx, one) })
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		d.mutex.Lock()
		is := d.isOffering && len(d.waiting) == waiting
		d.mutex.Unlock()
		if is {
			return answer
		}
		if time.Now().After(end) {
			d.t.Fatalf("%s does not wait", name)
		}
	}
}

func (d *door) expectOffered(want ...string) {
	d.t.Helper()
	select {
	case got := <-d.came:
		if !slices.Equal(got, want) {
			d.t.Errorf("%v are offered together, not %v", got, want)
		}
	case <-time.After(time.Minute):
		d.t.Fatalf("%v are not offered", want)
	}
}

func expectAnswer(t *testing.T, answer <-chan error, want error) {
	t.Helper()
	select {
	case err := <-answer:
		if !errors.Is(err, want) {
			t.Errorf("%v, not %v", err, want)
		}
	case <-time.After(time.Minute):
		t.Fatalf("no answer; it should be %v", want)
	}
}

func TestWhoComesMeanwhileGoesTogether(t *testing.T) {
	d := shut(t)
	first := d.sender(t.Context(), "first", 0)
	d.expectOffered("first")
	var others []<-chan error
	var names []string
	for i := range 5 {
		names = append(names, fmt.Sprint("other ", i))
		others = append(others, d.sender(t.Context(), names[i], i+1))
	}
	d.say <- nil
	expectAnswer(t, first, nil)
	d.expectOffered(names...)
	for _, one := range others { // none is answered before all of it is written
		select {
		case err := <-one:
			t.Errorf("answered before it was written: %v", err)
		default:
		}
	}
	full := errors.New("the disk is full")
	d.say <- full
	for _, one := range others {
		expectAnswer(t, one, full)
	}
	// The next begins anew.
	next := d.sender(t.Context(), "next", 0)
	d.expectOffered("next")
	d.say <- nil
	expectAnswer(t, next, nil)
}

func TestOneThatWaitsNoLongerLeavesTheOthers(t *testing.T) {
	d := shut(t)
	first := d.sender(t.Context(), "first", 0)
	d.expectOffered("first")
	withdrawn, withdraw := context.WithCancel(t.Context())
	gone, goAway := context.WithCancel(t.Context())
	one, two, three := d.sender(withdrawn, "one", 1), d.sender(gone, "two", 2), d.sender(t.Context(), "three", 3)
	withdraw() // before it is offered
	expectAnswer(t, one, context.Canceled)
	d.say <- nil
	expectAnswer(t, first, nil)
	d.expectOffered("two", "three")
	goAway() // while it is
	expectAnswer(t, two, context.Canceled)
	d.expectOffered("three")
	d.say <- nil
	expectAnswer(t, three, nil)
}

func TestWhatGoesTogetherIsBounded(t *testing.T) {
	for _, one := range []bound{
		{exporterhelper.RequestSizerTypeItems, 2},
		{exporterhelper.RequestSizerTypeBytes, 2*len(requestOf(t, logTrial(), []string{"x"}).bytes) + 1},
	} {
		d := shut(t, one)
		answers := []<-chan error{d.sender(t.Context(), "a", 0)}
		d.expectOffered("a")
		for i, name := range []string{"b", "c", "d"} {
			answers = append(answers, d.sender(t.Context(), name, i+1))
		}
		d.say <- nil
		d.expectOffered("b", "c")
		d.say <- nil
		d.expectOffered("d")
		d.say <- nil
		for _, answer := range answers {
			expectAnswer(t, answer, nil)
		}
	}
}

func TestWhereNothingIsGainedEachGoesAlone(t *testing.T) {
	queue := func(change func(*exporterhelper.QueueBatchConfig)) *Config {
		made := exporterhelper.NewDefaultQueueConfig()
		made.StorageID = &storageID
		made.Batch = configoptional.Some(exporterhelper.BatchConfig{MaxSize: 7, Sizer: exporterhelper.RequestSizerTypeItems})
		change(&made)
		return &Config{QueueConfig: configoptional.Some(made), MaxRequestBytes: 99}
	}
	for name, one := range map[string]*Config{
		"no queue":               {},
		"in memory":              queue(func(c *exporterhelper.QueueBatchConfig) { c.StorageID = nil }),
		"answers of the backend": queue(func(c *exporterhelper.QueueBatchConfig) { c.WaitForResult = true }),
		"parted by metadata": queue(func(c *exporterhelper.QueueBatchConfig) {
			c.Batch.Get().Partition.MetadataKeys = []string{"tenant"}
		}),
	} {
		if newGather[plog.Logs](one, nil) != nil {
			t.Errorf("%s: requests go together", name)
		}
	}
	made := newGather[plog.Logs](queue(func(c *exporterhelper.QueueBatchConfig) {
		c.Sizer, c.QueueSize = exporterhelper.RequestSizerTypeBytes, 800
	}), nil)
	want := []bound{
		{exporterhelper.RequestSizerTypeBytes, 99},
		{exporterhelper.RequestSizerTypeBytes, 100},
		{exporterhelper.RequestSizerTypeItems, 7},
	}
	if made == nil || !slices.Equal(made.bounds, want) {
		t.Errorf("the bounds are %v", made)
	}
}

// TestManySendersAtOnceLoseAndDoubleNothing has some of them give up at any time.
func TestManySendersAtOnceLoseAndDoubleNothing(t *testing.T) {
	trial := logTrial()
	var mutex sync.Mutex
	stored := map[string]int{}
	offers := 0
	g := &gather[plog.Logs]{offer: func(ctx context.Context, one *request[plog.Logs]) error {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
		data, err := trial.signal.decode(one.bytes)
		if err != nil {
			return err
		}
		mutex.Lock()
		defer mutex.Unlock()
		offers++
		for _, name := range trial.names(data) {
			stored[name]++
		}
		return nil
	}}
	const senders, each = 16, 30
	var wait sync.WaitGroup
	for sender := range senders {
		wait.Go(func() {
			for i := range each {
				name := fmt.Sprint(sender, " ", i)
				one := requestOf(t, trial, []string{name})
				for {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i%5)*time.Second)
					if i%7 == 3 {
						cancel()
						ctx, cancel = context.WithTimeout(t.Context(), time.Duration(i)*100*time.Microsecond)
					}
					err := g.send(ctx, one)
					cancel()
					if err == nil {
						break
					}
					mutex.Lock()
					if stored[name] > 0 {
						t.Errorf("%s is stored, and its sender receives %v", name, err)
					}
					mutex.Unlock()
					if i%7 == 3 {
						break // it gives up
					}
				}
			}
		})
	}
	wait.Wait()
	for name, times := range stored {
		if times != 1 {
			t.Errorf("%s is stored %d times", name, times)
		}
	}
	if len(stored) == 0 || offers >= len(stored) {
		t.Errorf("%d requests took %d offers", len(stored), offers)
	}
}
