// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import "sync/atomic"

// memoryBudget is the memory that all requests in flight share, counted as they say what they need.
type memoryBudget struct {
	most     int64
	used     atomic.Int64
	requests atomic.Int64
}

// enter counts a request that may take memory from now on.
func (m *memoryBudget) enter() { m.requests.Add(1) }

func (m *memoryBudget) leave() { m.requests.Add(-1) }

// take reserves bytes, and reports whether there was enough. A request that is alone gets what it asks
// for: there is nobody to wait for.
func (m *memoryBudget) take(bytes int64) bool {
	for {
		used := m.used.Load()
		if bytes > 0 && used+bytes > m.most && m.requests.Load() > 1 {
			return false
		}
		if m.used.CompareAndSwap(used, used+bytes) {
			return true
		}
	}
}

// force reserves what has been allocated already.
func (m *memoryBudget) force(bytes int64) { m.used.Add(bytes) }

func (m *memoryBudget) give(bytes int64) { m.used.Add(-bytes) }

func (m *memoryBudget) full() bool { return m.used.Load() >= m.most }
