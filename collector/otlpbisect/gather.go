// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

// shareOfQueue is the part of a queue that requests which are joined may fill: one that is larger than
// what is ever free would wait indefinitely.
const shareOfQueue = 8

// gather writes what several senders bring at once to the queue as one request: a write with its two
// calls of fsync costs the same for one as for ten. Nobody is made to wait for others: who comes first
// goes first, and who comes meanwhile goes together. Each sender is answered when its own data is on
// disk.
type gather[T any] struct {
	offer      func(context.Context, *request[T]) error
	bounds     []bound
	mutex      sync.Mutex
	isOffering bool
	waiting    []*turn[T]
}

// bound is how large requests may become by being joined.
type bound struct {
	by   exporterhelper.RequestSizerType
	most int
}

// turn is one sender that waits.
type turn[T any] struct {
	ctx     context.Context
	request *request[T]
	done    chan error      // what became of it
	lead    chan []*turn[T] // it is to offer these, itself among them
}

// newGather returns nil where there is nothing to gain: without a queue on disk, or where a sender waits
// for the backend's answer, or where requests of different senders may not be joined.
func newGather[T any](config *Config, offer func(context.Context, *request[T]) error) *gather[T] {
	if !config.QueueConfig.HasValue() {
		return nil
	}
	queue := config.QueueConfig.Get()
	batch := queue.Batch.Get()
	if queue.StorageID == nil || queue.WaitForResult || config.TenantHeader != "" || batch != nil && len(batch.Partition.MetadataKeys) > 0 {
		return nil
	}
	g := &gather[T]{offer: offer}
	limit := func(by exporterhelper.RequestSizerType, most int) {
		if most > 0 {
			g.bounds = append(g.bounds, bound{by, most})
		}
	}
	limit(exporterhelper.RequestSizerTypeBytes, config.MaxRequestBytes)
	if queue.Sizer != exporterhelper.RequestSizerTypeRequests {
		limit(queue.Sizer, int(max(1, queue.QueueSize/shareOfQueue)))
	}
	if batch != nil {
		limit(batch.Sizer, int(batch.MaxSize))
	}
	return g
}

// send returns when the request is in the queue, or why it is not.
func (g *gather[T]) send(ctx context.Context, one *request[T]) error {
	own := &turn[T]{ctx: ctx, request: one, done: make(chan error, 1), lead: make(chan []*turn[T], 1)}
	g.mutex.Lock()
	if !g.isOffering {
		g.isOffering = true
		g.mutex.Unlock()
		g.run([]*turn[T]{own})
	} else {
		g.waiting = append(g.waiting, own)
		g.mutex.Unlock()
	}
	for {
		select {
		case err := <-own.done:
			return err
		case group := <-own.lead:
			g.run(group)
		case <-ctx.Done():
			if g.withdraw(own) {
				return ctx.Err()
			}
			// It is being offered, which ends with its context as well.
			select {
			case err := <-own.done:
				return err
			case group := <-own.lead:
				g.run(group)
			}
		}
	}
}

// run offers requests as one, and lets those that came meanwhile go next.
func (g *gather[T]) run(group []*turn[T]) {
	requests := make([]*request[T], len(group))
	for i, one := range group {
		requests[i] = one.request
	}
	ctx, cancel := whileAllWait(group)
	err := g.offer(ctx, join(requests))
	isOver := ctx.Err() != nil
	cancel()

	var again []*turn[T]
	for _, one := range group {
		switch {
		case err != nil && isOver && len(group) > 1 && one.ctx.Err() == nil:
			again = append(again, one) // another's wait has ended: nothing was written
		case err != nil && one.ctx.Err() != nil:
			one.done <- one.ctx.Err()
		default:
			one.done <- err
		}
	}
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.waiting = append(again, g.waiting...)
	next := g.next()
	if next == nil {
		g.isOffering = false
		return
	}
	next[0].lead <- next
}

// next takes as many of those that wait as may be joined. It is called with the lock held.
func (g *gather[T]) next() []*turn[T] {
	if len(g.waiting) == 0 {
		return nil
	}
	sizes := make([]int, len(g.bounds))
	n := 0
	for fits := true; fits && n < len(g.waiting); {
		for i, bound := range g.bounds {
			sizes[i] += g.waiting[n].request.size(bound.by)
			fits = fits && sizes[i] <= bound.most
		}
		if fits || n == 0 {
			n++
		}
	}
	group := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	return group
}

// withdraw takes one back that has not been offered. It reports whether that was so.
func (g *gather[T]) withdraw(own *turn[T]) bool {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	for i, one := range g.waiting {
		if one == own {
			g.waiting = append(g.waiting[:i:i], g.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// whileAllWait returns a context that ends when one of theirs does. It has the values of the first.
func whileAllWait[T any](group []*turn[T]) (context.Context, context.CancelFunc) {
	if len(group) == 1 {
		return group[0].ctx, func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(group[0].ctx))
	stops := make([]func() bool, len(group))
	for i, one := range group {
		stops[i] = context.AfterFunc(one.ctx, cancel)
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}
