// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import "sync/atomic"

// room is the memory that all requests in flight share, counted as they say what they need.
type room struct {
	most     int64
	used     atomic.Int64
	requests atomic.Int64
}

// enter counts a request that may take room from now on.
func (r *room) enter() { r.requests.Add(1) }

func (r *room) leave() { r.requests.Add(-1) }

// take reserves bytes, and tells whether there was room. A request that is alone gets what it asks
// for: there is nobody to wait for.
func (r *room) take(bytes int64) bool {
	for {
		used := r.used.Load()
		if bytes > 0 && used+bytes > r.most && r.requests.Load() > 1 {
			return false
		}
		if r.used.CompareAndSwap(used, used+bytes) {
			return true
		}
	}
}

// force reserves what has been allocated already.
func (r *room) force(bytes int64) { r.used.Add(bytes) }

func (r *room) give(bytes int64) { r.used.Add(-bytes) }

func (r *room) full() bool { return r.used.Load() >= r.most }
