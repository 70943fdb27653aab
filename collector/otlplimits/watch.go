// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// watchInterval is short beside the time in which a network fills the memory.
	watchInterval = 50 * time.Millisecond
	// shareAlive: from this part of GOMEMLIMIT on, what is alive leaves the garbage no place.
	shareAlive = 0.8
)

// watch checks the memory of the whole process while gRPC messages arrive. Small frames are in
// buffers that nobody counts: a message of these is seen here only. Without GOMEMLIMIT there is
// nothing to hold the memory to.
type watch struct {
	calls      *calls
	stop, done chan struct{}
}

func (w *watch) start() {
	w.stop, w.done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(w.done)
		for {
			select {
			case <-w.stop:
				return
			case <-w.calls.some:
			}
			if !w.whileArriving() {
				return
			}
		}
	}()
}

// whileArriving looks until no message is on its way: twenty looks a second at nothing would keep an idle
// machine awake. It returns false when the watch has to end.
func (w *watch) whileArriving() bool {
	ticks := time.NewTicker(watchInterval)
	defer ticks.Stop()
	for {
		select {
		case <-w.stop:
			return false
		case <-ticks.C:
			if !w.calls.anyArriving() {
				return true
			}
			if memoryIsShort() {
				w.calls.endOldest()
			}
		}
	}
}

func (w *watch) end() {
	if w.stop == nil {
		return // it never began
	}
	close(w.stop)
	<-w.done
}

// memoryIsShort goes by what was alive at the last collection of garbage. There are many of them
// when memory is short.
func memoryIsShort() bool {
	most := debug.SetMemoryLimit(-1)
	if most == math.MaxInt64 {
		return false
	}
	alive := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(alive)
	return alive[0].Value.Kind() == metrics.KindUint64 &&
		float64(alive[0].Value.Uint64()) > shareAlive*float64(most)
}
