// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import "sync"

// memoryBudget is the memory that all requests in flight share, counted as they say what they need.
type memoryBudget struct {
	mu       sync.Mutex
	shares   shares
	requests int64
}

// enter counts a request that may take memory from now on.
func (m *memoryBudget) enter() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests++
}

func (m *memoryBudget) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests--
}

// take reserves bytes for a signal, and reports whether there was enough. A request that is alone gets
// what it asks for: there is nobody to wait for.
func (m *memoryBudget) take(signal messageID, bytes int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if bytes > 0 && m.requests > 1 && !m.shares.fits(signal, bytes) {
		return false
	}
	m.shares.add(signal, bytes)
	return true
}

// force reserves what has been allocated already.
func (m *memoryBudget) force(signal messageID, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shares.add(signal, bytes)
}

func (m *memoryBudget) give(signal messageID, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shares.add(signal, -bytes)
}

// admits reports whether a request of a signal may begin to arrive. How large it is nobody knows yet.
func (m *memoryBudget) admits(signal messageID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.requests == 0 || m.shares.fits(signal, 1)
}

func (m *memoryBudget) full() bool { return m.used() >= m.shares.most }

func (m *memoryBudget) used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.shares.used
}

func (m *memoryBudget) inFlight() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.requests
}
