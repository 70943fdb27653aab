// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package engine

import (
	"testing"
	"time"
)

var begin = time.Now()

// threadTime is wall time where the thread's own cannot be had.
func threadTime(*testing.T) time.Duration { return time.Since(begin) }
