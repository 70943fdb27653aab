// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
)

// The watch rests while nothing is on its way, and is there again for the next that is.
func TestTheWatchLooksAgainAfterARest(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(1)) // short, whatever is alive
	runtime.GC()                                        // it goes by the last collection
	s := &calls{
		memory: &memoryBudget{}, open: map[*call]struct{}{}, places: shares{most: 16},
		readTimeout: time.Minute, some: make(chan struct{}, 1),
	}
	telemetry, err := newTelemetry(noop.NewMeterProvider(), s.memory)
	fatal(t, err)
	s.telemetry = telemetry
	w := &watch{calls: s}
	w.start()
	defer w.end()
	for round := range 3 {
		ended := make(chan struct{}, 2)
		for range 2 { // one that is alone may go on
			s.memory.enter()
			s.mu.Lock()
			s.enterLocked(&call{
				signal: logsRequest, began: time.Now(), arriving: true,
				cancel: func() { ended <- struct{}{} },
			})
			s.mu.Unlock()
		}
		for number := range 2 {
			select {
			case <-ended:
			case <-time.After(time.Minute):
				t.Fatalf("round %d: only %d calls were ended", round, number)
			}
		}
		for deadline := time.Now().Add(time.Minute); s.anyArriving(); {
			if time.Now().After(deadline) {
				t.Fatal("a call still arrives")
			}
		}
		time.Sleep(2 * watchInterval) // it comes to rest, or does not: the next round shows it
	}
}
