// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package durablestorage stands before a file_storage and keeps what a queue on disk holds through
// the faults that the storage and the queue do not survive by themselves: a file that is damaged,
// a kill while the last run's requests are put back, and a disk that is full.
package durablestorage
