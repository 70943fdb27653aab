// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package durablestorage

import (
	"io"
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

// hold keeps a directory for this process until what it returns is closed. It returns errHeld when
// another has it.
func hold(directory string) (io.Closer, error) {
	opened, err := os.Open(directory)
	if err != nil {
		return nil, err
	}
	// A file system without locks has no other process to fear more than before.
	if err := unix.Flock(int(opened.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == unix.EWOULDBLOCK {
		_ = opened.Close()
		return nil, errHeld
	}
	return opened, nil
}
