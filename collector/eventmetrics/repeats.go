// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import "time"

// repeats knows the events that came lately. It has two generations: when the recent one has had
// its window, or is full, it becomes the earlier one, and what was the earlier one goes. So
// nothing is kept for single ids but the ids.
type repeats struct {
	window time.Duration
	ids    int

	recent, earlier map[identity]struct{}
	// since is when the recent generation began.
	since time.Time
	// forgotten counts ids that went before their window was over.
	forgotten int64

	stored storedRepeats
}

// newRepeats returns nil, which knows nothing, where the window is 0.
func newRepeats(config RepeatsConfig, now time.Time) *repeats {
	if config.Window == 0 {
		return nil
	}
	return &repeats{
		window: config.Window, ids: config.IDs, since: now, recent: map[identity]struct{}{},
	}
}

// seen reports whether an event has come before, and from now on knows it. Who keeps trying is
// known from one try to the next.
func (r *repeats) seen(id identity, now time.Time) bool {
	if r == nil {
		return false
	}
	r.age(now)
	if _, known := r.recent[id]; known {
		return true
	}
	_, known := r.earlier[id]
	if len(r.recent) >= r.ids {
		r.forgotten += int64(len(r.earlier))
		r.turn(now)
	}
	r.recent[id] = struct{}{}
	r.stored.add(id)
	return known
}

// age forgets what has had its window.
func (r *repeats) age(now time.Time) {
	if r == nil || now.Sub(r.since) < r.window {
		return
	}
	if now.Sub(r.since) >= 2*r.window {
		r.turn(now) // nothing came meanwhile: both are old
	}
	r.turn(now)
}

func (r *repeats) turn(now time.Time) {
	r.earlier, r.recent, r.since = r.recent, map[identity]struct{}{}, now
	r.stored.turn(now)
}

// lost returns how many ids were forgotten early since it was last asked.
func (r *repeats) lost() int64 {
	if r == nil {
		return 0
	}
	n := r.forgotten
	r.forgotten = 0
	return n
}
