// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package piiprocessor

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"
	"go.uber.org/zap"
)

// warnEvery bounds how often the log reports records that cannot be checked. The counter has all.
const warnEvery = 10 * time.Second

var errBatch = consumererror.NewPermanent(
	errors.New("pii: this batch could not be checked and is refused"))

// checker checks the batches of one signal.
type checker[R resource, S scope, I any] struct {
	surfaces   surfaces[R, S, I]
	onError    string
	telemetry  *telemetry
	logger     *zap.Logger
	traversals sync.Pool
	warned     atomic.Int64
}

type (
	traces  = checker[ptrace.ResourceSpans, ptrace.ScopeSpans, ptrace.Span]
	logs    = checker[plog.ResourceLogs, plog.ScopeLogs, plog.LogRecord]
	metrics = checker[pmetric.ResourceMetrics, pmetric.ScopeMetrics, pmetric.Metric]
)

func newChecker[R resource, S scope, I any](
	set processor.Settings, cfg *Config, signal string, all surfaces[R, S, I],
) (*checker[R, S, I], error) {
	redactor, err := cfg.load()
	if err != nil {
		return nil, err
	}
	cfg.reportUnfiltered(set.Logger)
	own, err := newTelemetry(set.MeterProvider, signal, all.names())
	if err != nil {
		return nil, err
	}
	c := &checker[R, S, I]{surfaces: all, onError: cfg.OnError, telemetry: own, logger: set.Logger}
	c.traversals.New = func() any { return &traversal{redactor: redactor, maxDepth: cfg.MaxDepth} }
	return c, nil
}

// batch runs one batch through each, which returns what is left of it. Whatever goes wrong outside
// of a single record refuses the batch.
func batch[R resource, S scope, I, B any](
	ctx context.Context, c *checker[R, S, I], data B, each func(*traversal, B) int,
) (_ B, err error) {
	t := c.traversals.Get().(*traversal)
	t.reset(ctx)
	defer func() {
		if recover() != nil {
			err = errBatch
			return // this traversal is not used again
		}
		c.traversals.Put(t)
	}()
	left := each(t, data)
	c.telemetry.report(ctx, t.hits, t.unscanned)
	if t.gone != nil { // nothing of it is passed on: some of it was not checked
		return data, t.gone
	}
	if left == 0 {
		return data, processorhelper.ErrSkipProcessingData
	}
	return data, nil
}

// processItem checks one item and reports whether it is passed on. mask empties an item that could not be
// checked; without one it is dropped. records returns how many records go with the item.
func processItem[R resource, S scope, I, T any](
	c *checker[R, S, I], t *traversal, list []surface[T], first int, item T,
	records func(T) int, mask func(T),
) bool {
	if t.abandoned() {
		return true
	}
	err := traverse(t, list, first, item)
	if err == nil {
		return true
	}
	action := dropped
	if c.onError == onErrorMask && mask != nil && try(func() { mask(item) }) {
		action = masked
	}
	count := 1
	try(func() { count = records(item) })
	t.recordUnchecked(action, count)
	c.warn(err, action, count)
	return action == masked
}

// try runs f and reports whether it came to its end.
func try(f func()) (done bool) {
	defer func() { _ = recover() }() //nolint:errcheck // its text could hold a value
	f()
	return true
}

// warn logs a record that could not be checked, without a word of what is in it.
func (c *checker[R, S, I]) warn(reason error, action string, records int) {
	now := time.Now().UnixNano()
	last := c.warned.Load()
	if now-last < int64(warnEvery) || !c.warned.CompareAndSwap(last, now) {
		return
	}
	c.logger.Warn("Records could not be checked for personal data",
		zap.String("signal", c.telemetry.signal), zap.String("action", action),
		zap.Int("records", records), zap.String("reason", reason.Error()))
}
