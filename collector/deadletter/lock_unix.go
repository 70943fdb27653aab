// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package deadletter

import "golang.org/x/sys/unix"

// share takes the lock that readers wait for, unless somebody has it. It goes with the file's
// closing.
func share(target file) { _ = unix.Flock(int(target.Fd()), unix.LOCK_SH|unix.LOCK_NB) }
