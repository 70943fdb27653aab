// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package durablestorage

import "os"

func inUse(*os.File) bool { return false }
