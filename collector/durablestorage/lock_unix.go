// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package durablestorage

import (
	"os"

	"golang.org/x/sys/unix"
)

// inUse reports whether another process has the file open, by bbolt's own lock.
func inUse(file *os.File) bool {
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return err == unix.EWOULDBLOCK
	}
	_ = unix.Flock(int(file.Fd()), unix.LOCK_UN)
	return false
}
