// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package deadletter is an extension that keeps records which nothing could store, in files that
// are bounded and that a command can replay.
package deadletter

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// ErrFull means that max_mib is used up. The records have been counted as lost.
var ErrFull = errors.New("dead letters are full: replay or remove them, or raise max_mib")

// Store keeps records that cannot be delivered. The extension is one:
//
//	store, ok := host.GetExtensions()[id].(deadletter.Store)
//
// The reason becomes a label: a word of the caller's own, never text of a record or of a backend.
// The source is the component that gave up, such as otlp_bisect/loki. Data is only read. After an
// error the records are lost, and counted so.
type Store interface {
	PutLogs(ctx context.Context, reason, source string, logs plog.Logs) error
	PutTraces(ctx context.Context, reason, source string, traces ptrace.Traces) error
	PutMetrics(ctx context.Context, reason, source string, metrics pmetric.Metrics) error
}

// Initializer exposes a caller's reasons at 0 before the first record comes, so that increase() sees
// that one. The extension is one; signals are logs, traces and metrics.
type Initializer interface {
	InitializeReasons(signal string, reasons ...string)
}
