// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"math/bits"
	"sync"
)

const (
	// firstBuffer is what a body gets to begin with; each further buffer is at most twice the size,
	// so that a body that trickles in holds no more than twice what it has sent.
	firstBuffer = 16 << 10
	// tiers of buffers are kept for the next body, up to 4 MiB: larger bodies are rare, and their
	// buffers would lie idle.
	tiers      = 9
	mostPooled = firstBuffer << (tiers - 1)
)

// larger is the size of the buffer after the one at hand.
func larger(size int) int {
	if size < mostPooled {
		return 2 * size
	}
	return size + size/2
}

// sizeFor is the size of the buffer that holds so many bytes.
func sizeFor(bytes int) int {
	size := firstBuffer
	for size < bytes {
		size = larger(size)
	}
	return size
}

// buffers keeps memory for bodies by size. Nothing refers to it once a body has been read from it:
// the receiver makes a copy of its own.
type buffers struct{ pools [tiers]sync.Pool }

// get returns an empty buffer for so many bytes.
func (b *buffers) get(bytes int) *[]byte {
	size := sizeFor(bytes)
	if size <= mostPooled {
		if kept, ok := b.pools[tier(size)].Get().(*[]byte); ok {
			*kept = (*kept)[:0]
			return kept
		}
	}
	made := make([]byte, 0, size)
	return &made
}

func (b *buffers) put(buffer *[]byte) {
	if cap(*buffer) <= mostPooled {
		b.pools[tier(cap(*buffer))].Put(buffer)
	}
}

func tier(size int) int { return bits.Len(uint(size/firstBuffer)) - 1 }
