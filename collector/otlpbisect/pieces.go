// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"slices"
	"time"
)

// piece is a part of a batch. It has bytes or data, or both. What cannot be parted as it is encoded is
// decoded for that, and each part encoded anew.
type piece[T any] struct {
	bytes   []byte
	data    T
	decoded bool
	whole   bool // cannot be decoded, and so not be parted
	items   int  // 0 until counted

	next     time.Time     // when it may be sent
	interval time.Duration // of the last wait
	tries    int           // answers in a row that did not settle it
	first    time.Time     // the first of them
	since    time.Time     // the first of them that this piece or one that it was part of got
}

// pieces are what is left of a batch, in the order of the batch.
type pieces[T any] struct {
	all    []piece[T]
	splits int // how often they may still be halved after a refusal

	// pausedUntil is when anything may be sent again, after the backend was not there.
	pausedUntil time.Time
	pause       time.Duration // the last one

	// reserved is the last time at which a piece that waits may be sent. They keep a distance,
	// so that a backend that throttles them all is not asked as often as there are pieces.
	reserved time.Time
}

// soonest finds the piece that may be sent first: the first of those that have not waited, else
// that whose wait ends first. So what waits is overtaken, and the rest keeps its order.
func (p *pieces[T]) soonest() int {
	best := 0
	for i := range p.all {
		if p.all[i].next.Before(p.all[best].next) {
			best = i
		}
	}
	return best
}

func (p *pieces[T]) remove(i int) { p.all = slices.Delete(p.all, i, i+1) }

// halve puts two pieces in the place of one. They may be sent at once, and are as patient as it
// was.
func (p *pieces[T]) halve(i int, signal *signal[T]) {
	one := p.all[i]
	middle := one.items / 2
	left := piece[T]{interval: one.interval, since: one.since}
	right := left
	left.items, right.items = middle, one.items-middle
	if one.decoded {
		left.decoded, right.decoded = true, true
		left.data, right.data = signal.part(one.data, 0, middle), signal.part(one.data, middle, one.items)
	} else {
		left.bytes, right.bytes = signal.layers.cut(one.bytes, 0, middle), signal.layers.cut(one.bytes, middle, one.items)
	}
	p.all = slices.Replace(p.all, i, i+1, left, right)
}

// mayGo is when a piece may be sent.
func (p *pieces[T]) mayGo(one *piece[T]) time.Time {
	if one.next.Before(p.pausedUntil) {
		return p.pausedUntil
	}
	return one.next
}

// delay has a piece wait.
func (p *pieces[T]) delay(one *piece[T], now time.Time, wait, distance time.Duration) {
	one.next = now.Add(wait)
	if apart := p.reserved.Add(distance); one.next.Before(apart) {
		one.next = apart
	}
	p.reserved = one.next
}
