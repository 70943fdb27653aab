// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package parts is what the provider `own` hands to the converter: what is added to lists that stand
// in our configuration, and where it was written.
package parts

// Key is the top level key that holds it until the converter takes it away.
const Key = "own"

// Keys below it.
const (
	// Additions are items for lists: maps of Path, Items and File.
	Additions = "additions"
	Path      = "path"
	Items     = "items"
	File      = "file"
	// Pipelines maps the id of a pipeline to the place, file and line, where it was written or added to.
	Pipelines = "pipelines"
)

// PII is the processor that every record passes first.
const PII = "pii"

// MemoryLimiter is the type of the processors that may stand before it: they read no record.
const MemoryLimiter = "memory_limiter"
