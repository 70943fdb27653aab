// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// goPercent is Go's own: garbage is collected when there is as much of it as is alive.
const goPercent = 100

// garbage lets garbage pile up where little is alive: a Collector holds some 20 MiB, and collecting
// each time that 20 MiB more were allocated costs a fifth of its CPU time. Where more is alive than
// that, nothing changes, so that bounds on memory stay what they are.
type garbage struct {
	least  uint64 // bytes; 0 leaves all to Go
	before int
	ended  atomic.Bool
	active bool
}

// sentinel is garbage itself: its finalizer runs after each collection.
type sentinel struct{ garbage *garbage }

// start follows the collections of garbage, unless somebody has set GOGC: then that is what is wanted.
func (g *garbage) start() {
	if g.least == 0 || os.Getenv("GOGC") != "" {
		return
	}
	g.active = true
	g.before = debug.SetGCPercent(goPercent)
	g.set()
	g.follow()
}

func (g *garbage) follow() {
	runtime.SetFinalizer(&sentinel{g}, func(s *sentinel) {
		if !s.garbage.ended.Load() {
			s.garbage.set()
			s.garbage.follow()
		}
	})
}

// set makes the next collection come when there is as much garbage as is alive, or as may pile up.
func (g *garbage) set() {
	alive := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(alive)
	if alive[0].Value.Kind() == metrics.KindUint64 {
		debug.SetGCPercent(percentFor(alive[0].Value.Uint64(), g.least))
	}
}

// percentFor is what GOGC has to be.
func percentFor(alive, least uint64) int {
	if alive == 0 {
		return goPercent // nothing was collected yet
	}
	return int(max(goPercent, least*goPercent/alive))
}

// end gives Go back what is its own.
func (g *garbage) end() {
	if g.active && !g.ended.Swap(true) {
		debug.SetGCPercent(g.before)
	}
}
