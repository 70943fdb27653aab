// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"context"
	"slices"
	"sync"
	"time"
)

// busyTimeout is how long a call may take to arrive while others wait for its place.
const busyTimeout = 2 * time.Second

// call is one gRPC call, from its headers to its end. All of it is under the lock of calls.
type call struct {
	signal   messageID // by its method, unknownMessage if that is none of OTLP's
	began    time.Time
	cancel   context.CancelFunc
	clock    *time.Timer
	users    int  // of it: its stream and its handler
	arriving bool // its message is not here yet

	finding
}

// finding is what the codec found in a message: why it is refused, or the memory it has reserved.
type finding struct {
	refusal *refusal
	held    int64
}

// calls knows all gRPC calls.
type calls struct {
	memory      *memoryBudget
	telemetry   *telemetry
	readTimeout time.Duration

	// some has an item when a call has come since it was last emptied.
	some chan struct{}

	mu     sync.Mutex
	open   map[*call]struct{}
	places shares
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// begin takes a call in, or returns why not. The context it returns ends when the call's reading has
// to end early.
func (s *calls) begin(ctx context.Context, signal messageID) (context.Context, *refusal) {
	c := &call{signal: signal, began: time.Now(), arriving: true, users: 1}
	// Complete before it is admitted: from then on others may end it.
	ctx, c.cancel = context.WithCancel(context.WithValue(ctx, callKey{}, c))
	c.clock = time.AfterFunc(s.readTimeout, func() { s.end(c, forSlowness) })
	if !s.admit(c) {
		c.clock.Stop()
		c.cancel()
		return nil, tooMany
	}
	s.memory.enter()
	context.AfterFunc(ctx, func() { s.leave(c) }) // however the stream ends
	return ctx, nil
}

// admit gives a call a place. Where there is none, one that has taken too long to arrive loses its
// own: one of the same signal, or of another that has more places than are its own.
func (s *calls) admit(c *call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.places.fits(c.signal, 1) {
		slow := s.oldest(1, func(other *call) bool {
			return other.signal == c.signal || !s.places.withinOwn(other.signal, 0)
		})
		if len(slow) == 0 || time.Since(slow[0].began) < busyTimeout {
			return false
		}
		s.endLocked(slow[0], forConcurrency)
	}
	s.enterLocked(c)
	return true
}

func (s *calls) enterLocked(c *call) {
	s.open[c] = struct{}{}
	s.places.add(c.signal, 1)
	select {
	case s.some <- struct{}{}:
	default:
	}
}

func anyCall(*call) bool { return true }

// oldest returns calls of some kind that are still arriving, those first that began first.
func (s *calls) oldest(n int, kind func(*call) bool) []*call {
	var arriving []*call
	for c := range s.open {
		if c.arriving && kind(c) {
			arriving = append(arriving, c)
		}
	}
	slices.SortFunc(arriving, func(a, b *call) int { return a.began.Compare(b.began) })
	return arriving[:min(n, len(arriving))]
}

// end makes an end of a call that is still arriving.
func (s *calls) end(c *call, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked(c, why)
}

func (s *calls) endLocked(c *call, why string) {
	if !c.arriving {
		return
	}
	c.arriving = false
	s.telemetry.refused(overGRPC, why)
	c.cancel()
}

// endOldest makes an end of a quarter of the calls that are still arriving, to get back the memory
// they hold. It returns how many it ended. One that is alone in the Collector may go on.
func (s *calls) endOldest() int {
	if s.memory.inFlight() <= 1 {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.oldest(len(s.open), anyCall)
	for _, c := range all[:(len(all)+3)/4] {
		s.endLocked(c, forInFlight)
	}
	return (len(all) + 3) / 4
}

// anyArriving reports whether there is a call whose message is not here yet.
func (s *calls) anyArriving() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.oldest(1, anyCall)) > 0
}

// arrived notes that the message of a call is here, and what its codec found.
func (s *calls) arrived(c *call, found finding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.arriving && found.refusal != nil {
		s.telemetry.refused(overGRPC, found.refusal.reason)
	}
	c.arriving = false
	c.clock.Stop()
	c.finding = found
}

// unfinished reports whether a call ended before its message was here, and not by us.
func (s *calls) unfinished(c *call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.arriving
}

// use notes that a handler works on the call.
func (s *calls) use(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.users == 0 { // its stream has ended before the handler began
		s.enterLocked(c)
		s.memory.enter()
	}
	c.users++
}

// leave notes that the call's stream or its handler has ended. The second of them gives back what
// the call had.
func (s *calls) leave(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.users--
	if c.users > 0 {
		return
	}
	c.clock.Stop()
	delete(s.open, c)
	s.places.add(c.signal, -1)
	s.memory.give(c.signal, c.held)
	s.memory.leave()
}
