// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestGarbagePilesUpOnlyWhereLittleIsAlive(t *testing.T) {
	for _, one := range []struct {
		alive, least uint64
		want         int
	}{
		{0, 64 * mib, 100},
		{16 * mib, 64 * mib, 400},
		{64 * mib, 64 * mib, 100},
		{300 * mib, 64 * mib, 100},
		{16 * mib, 0, 100},
	} {
		if got := percentFor(one.alive, one.least); got != one.want {
			t.Errorf("%d MiB alive, %d of garbage: %d %%, not %d", one.alive/mib, one.least/mib, got, one.want)
		}
	}
}

func percentNow() int {
	now := debug.SetGCPercent(100)
	debug.SetGCPercent(now)
	return now
}

// held is alive until the test has ended.
var held []byte

func TestGarbageIsFollowedUntilTheEnd(t *testing.T) {
	t.Setenv("GOGC", "")
	before := percentNow()
	g := &garbage{least: 512 * mib}
	g.start()
	until := func(what string, is func(percent int) bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !is(percentNow()); runtime.GC() {
			if time.Now().After(end) {
				t.Fatalf("%s: it is %d %%", what, percentNow())
			}
			time.Sleep(time.Millisecond)
		}
	}
	until("little is alive", func(percent int) bool { return percent > 1000 })
	held = make([]byte, 128*mib)
	until("more is alive", func(percent int) bool { return 100 < percent && percent < 400 })
	held = nil
	until("little is alive again", func(percent int) bool { return percent > 1000 })
	g.end()
	if now := percentNow(); now != before {
		t.Errorf("after the end it is %d %%, not %d", now, before)
	}
	g.end() // twice does no harm
	runtime.GC()
	if now := percentNow(); now != before {
		t.Errorf("it is followed after the end: %d %%", now)
	}
}

func TestWhoSetsGOGCHasIt(t *testing.T) {
	t.Setenv("GOGC", "100")
	before := percentNow()
	g := &garbage{least: 512 * mib}
	g.start()
	runtime.GC()
	if now := percentNow(); now != before {
		t.Errorf("it is %d %%, not %d, with GOGC=%s", now, before, os.Getenv("GOGC"))
	}
	g.end()
}
