// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package kafkabisect

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"glasshouse.example/collector/deadletter"
)

// signal is what differs between logs, traces and metrics.
type signal[T any] struct {
	name string
	// count is of what can be parted: log records, spans, metrics.
	count func(T) int
	// part returns the items from the first to before the last.
	part func(data T, first, last int) T
	send func(context.Context, T) error
	keep func(ctx context.Context, store deadletter.Store, reason, source string, data T) error
	// failed is an error that names what is to be sent again.
	failed func(error, T) error
	// of returns what an error says is to be sent again.
	of func(error) (T, bool)
	// add appends the items of one to the other.
	add func(to, from T)
}

// halve parts data that has two items or more; both halves are copies.
func (s signal[T]) halve(data T) (one, other T) {
	count := s.count(data)
	return s.part(data, 0, count/2), s.part(data, count/2, count)
}

// join makes one error of two halves', with what neither delivered.
func (s signal[T]) join(one, other error) error {
	if one == nil || other == nil {
		return errors.Join(one, other)
	}
	left, has := s.of(one)
	right, hasToo := s.of(other)
	if !has || !hasToo {
		return errors.Join(one, other)
	}
	s.add(left, right)
	return s.failed(errors.New(one.Error()), left)
}

func logs(inner consumer.Logs) signal[plog.Logs] {
	return signal[plog.Logs]{
		name: "logs", count: plog.Logs.LogRecordCount, part: partOfLogs, send: inner.ConsumeLogs,
		keep: func(ctx context.Context, store deadletter.Store, reason, source string, data plog.Logs) error {
			return store.PutLogs(ctx, reason, source, data)
		},
		failed: func(err error, data plog.Logs) error { return consumererror.NewLogs(err, data) },
		of: func(err error) (plog.Logs, bool) {
			var with consumererror.Logs
			if !errors.As(err, &with) {
				return plog.Logs{}, false
			}
			return with.Data(), true
		},
		add: func(to, from plog.Logs) { from.ResourceLogs().MoveAndAppendTo(to.ResourceLogs()) },
	}
}

func traces(inner consumer.Traces) signal[ptrace.Traces] {
	return signal[ptrace.Traces]{
		name: "traces", count: ptrace.Traces.SpanCount, part: partOfTraces, send: inner.ConsumeTraces,
		keep: func(ctx context.Context, store deadletter.Store, reason, source string, data ptrace.Traces) error {
			return store.PutTraces(ctx, reason, source, data)
		},
		failed: func(err error, data ptrace.Traces) error { return consumererror.NewTraces(err, data) },
		of: func(err error) (ptrace.Traces, bool) {
			var with consumererror.Traces
			if !errors.As(err, &with) {
				return ptrace.Traces{}, false
			}
			return with.Data(), true
		},
		add: func(to, from ptrace.Traces) { from.ResourceSpans().MoveAndAppendTo(to.ResourceSpans()) },
	}
}

func metrics(inner consumer.Metrics) signal[pmetric.Metrics] {
	return signal[pmetric.Metrics]{
		name: "metrics", count: pmetric.Metrics.MetricCount, part: partOfMetrics, send: inner.ConsumeMetrics,
		keep: func(ctx context.Context, store deadletter.Store, reason, source string, data pmetric.Metrics) error {
			return store.PutMetrics(ctx, reason, source, data)
		},
		failed: func(err error, data pmetric.Metrics) error { return consumererror.NewMetrics(err, data) },
		of: func(err error) (pmetric.Metrics, bool) {
			var with consumererror.Metrics
			if !errors.As(err, &with) {
				return pmetric.Metrics{}, false
			}
			return with.Data(), true
		},
		add: func(to, from pmetric.Metrics) { from.ResourceMetrics().MoveAndAppendTo(to.ResourceMetrics()) },
	}
}

// window says of each item, in their order, whether it is left out of a part.
func window(first, last int) func() bool {
	at := -1
	return func() bool {
		at++
		return at < first || at >= last
	}
}

func partOfLogs(data plog.Logs, first, last int) plog.Logs {
	part, isOut := plog.NewLogs(), window(first, last)
	data.CopyTo(part)
	part.ResourceLogs().RemoveIf(func(resource plog.ResourceLogs) bool {
		resource.ScopeLogs().RemoveIf(func(scope plog.ScopeLogs) bool {
			scope.LogRecords().RemoveIf(func(plog.LogRecord) bool { return isOut() })
			return scope.LogRecords().Len() == 0
		})
		return resource.ScopeLogs().Len() == 0
	})
	return part
}

func partOfTraces(data ptrace.Traces, first, last int) ptrace.Traces {
	part, isOut := ptrace.NewTraces(), window(first, last)
	data.CopyTo(part)
	part.ResourceSpans().RemoveIf(func(resource ptrace.ResourceSpans) bool {
		resource.ScopeSpans().RemoveIf(func(scope ptrace.ScopeSpans) bool {
			scope.Spans().RemoveIf(func(ptrace.Span) bool { return isOut() })
			return scope.Spans().Len() == 0
		})
		return resource.ScopeSpans().Len() == 0
	})
	return part
}

func partOfMetrics(data pmetric.Metrics, first, last int) pmetric.Metrics {
	part, isOut := pmetric.NewMetrics(), window(first, last)
	data.CopyTo(part)
	part.ResourceMetrics().RemoveIf(func(resource pmetric.ResourceMetrics) bool {
		resource.ScopeMetrics().RemoveIf(func(scope pmetric.ScopeMetrics) bool {
			scope.Metrics().RemoveIf(func(pmetric.Metric) bool { return isOut() })
			return scope.Metrics().Len() == 0
		})
		return resource.ScopeMetrics().Len() == 0
	})
	return part
}
