// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"runtime"
	"sync"
	"time"
	"weak"

	"google.golang.org/grpc/mem"
)

const (
	// shareToArrive: while messages that arrive have less than this part of all memory, it is not
	// theirs to free.
	shareToArrive = 4
	// reliefRounds is how often freeing memory is tried before the reader goes on anyway.
	reliefRounds = 8
	// reliefPause is the least time between two collections of garbage while calls are ended, and
	// idlePause while requests are only refused.
	reliefPause = 100 * time.Millisecond
	idlePause   = time.Second
)

// countingPool lends gRPC its buffers and counts them, so that what is being read is seen before
// any message is whole. gRPC has no other place for that: it reads each message to its end, up to
// max_recv_msg_size_mib, and streams that break off leave their buffers to the garbage collector.
// Buffers of 1 KiB or less are not lent, and not counted.
type countingPool struct {
	stock  mem.BufferPool
	memory *memoryBudget
	// endOldest ends some of the calls that are still arriving.
	endOldest func() int

	mu       sync.Mutex
	lent     map[weak.Pointer[byte]]loan
	arriving int64 // bytes of messages that are not here yet

	relief    sync.Mutex // held while memory is freed; who needs memory waits
	collected time.Time
}

// loan is one buffer. Whose it is is known when its message is here, whole.
type loan struct {
	size   int64
	signal messageID
}

// keyOf knows a buffer by its last byte: gRPC cuts off what it has read, at the front.
func keyOf(buffer []byte) weak.Pointer[byte] {
	return weak.Make(&buffer[:cap(buffer)][cap(buffer)-1])
}

func newCountingPool(memory *memoryBudget, stock mem.BufferPool, endOldest func() int) *countingPool {
	return &countingPool{
		stock: stock, memory: memory, endOldest: endOldest, lent: map[weak.Pointer[byte]]loan{},
	}
}

// Get lends a buffer.
func (p *countingPool) Get(length int) *[]byte {
	buffer := p.stock.Get(length)
	size := cap(*buffer)
	if mem.IsBelowBufferPoolingThreshold(size) {
		return buffer // gRPC does not give these back
	}
	p.mu.Lock()
	p.lent[keyOf(*buffer)] = loan{int64(size), unknownMessage}
	p.arriving += int64(size)
	p.mu.Unlock()
	p.memory.force(unknownMessage, int64(size))
	if p.over() {
		p.freeMemory()
	}
	return buffer
}

// Put takes a buffer back.
func (p *countingPool) Put(buffer *[]byte) {
	if cap(*buffer) > 0 {
		p.mu.Lock()
		p.forget(keyOf(*buffer))
		p.mu.Unlock()
	}
	p.stock.Put(buffer)
}

// forget is called under the lock.
func (p *countingPool) forget(key weak.Pointer[byte]) {
	one := p.lent[key]
	delete(p.lent, key)
	if one.signal == unknownMessage {
		p.arriving -= one.size
	}
	p.memory.give(one.signal, one.size)
}

// arrived notes whose the buffers of a message are. gRPC keeps them until the call is over.
func (p *countingPool) arrived(message mem.BufferSlice, signal messageID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, piece := range message {
		if piece.Len() == 0 {
			continue
		}
		key := keyOf(piece.ReadOnlyData())
		if one := p.lent[key]; one.size > 0 && one.signal == unknownMessage {
			p.lent[key] = loan{one.size, signal}
			p.arriving -= one.size
			p.memory.give(unknownMessage, one.size)
			p.memory.force(signal, one.size)
		}
	}
}

// over reports whether memory is short and messages that arrive have a good part of it.
func (p *countingPool) over() bool {
	if !p.memory.full() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.arriving > p.memory.shares.most/shareToArrive
}

// freeMemory ends calls that have been arriving longest until there is enough again. Meanwhile nobody
// else reads on, so that memory does not grow.
func (p *countingPool) freeMemory() {
	p.relief.Lock()
	defer p.relief.Unlock()
	for range reliefRounds {
		p.sweep()
		if !p.over() {
			return
		}
		if p.endOldest() == 0 {
			if time.Since(p.collected) >= idlePause {
				p.collect()
			}
			return // all that is left has arrived
		}
		if wait := reliefPause - time.Since(p.collected); wait > 0 {
			time.Sleep(wait) // those that were ended let go
		}
		p.collect()
	}
}

// reclaim looks for buffers that are garbage, when a request finds too little: without requests
// nothing else would.
func (p *countingPool) reclaim() {
	p.sweep()
	if !p.over() || !p.relief.TryLock() {
		return
	}
	if time.Since(p.collected) < idlePause {
		p.relief.Unlock()
		return
	}
	go func() {
		defer p.relief.Unlock()
		p.collect()
	}()
}

// collect is called with relief held.
func (p *countingPool) collect() {
	runtime.GC()
	p.collected = time.Now()
	p.sweep()
}

// sweep forgets buffers that have become garbage.
func (p *countingPool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range p.lent {
		if key.Value() == nil {
			p.forget(key)
		}
	}
}
