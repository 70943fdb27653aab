// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// threadTime is what the calling thread has used: neither another process's load nor this one's
// garbage collector counts. getrusage counts the same only to the tick.
func threadTime(t *testing.T) time.Duration {
	const clockThreadCPUTime = 3
	var now syscall.Timespec
	if _, _, err := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPUTime, uintptr(unsafe.Pointer(&now)), 0); err != 0 {
		t.Fatal(err)
	}
	return time.Duration(now.Nano())
}
