// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package piiprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/xpdata/entity"
)

// The three traversals have one shape: resources, their scopes, their items. A resource or scope that
// cannot be checked takes its records with it, or is emptied; its records are checked all the same.

func processTraces(c *traces) func(context.Context, ptrace.Traces) (ptrace.Traces, error) {
	scopes, items := offsets(c.surfaces)
	each := func(t *traversal, data ptrace.Traces) int {
		data.ResourceSpans().RemoveIf(func(r ptrace.ResourceSpans) bool {
			if !processItem(c, t, c.surfaces.resource, 0, r, spansOfResource, maskResource) {
				return true
			}
			before := r.ScopeSpans().Len()
			r.ScopeSpans().RemoveIf(func(s ptrace.ScopeSpans) bool {
				if !processItem(c, t, c.surfaces.scope, scopes, s, spansOfScope, maskScope) {
					return true
				}
				before := s.Spans().Len()
				s.Spans().RemoveIf(func(i ptrace.Span) bool {
					return !processItem(c, t, c.surfaces.item, items, i, one, maskSpan)
				})
				return before > 0 && s.Spans().Len() == 0
			})
			return before > 0 && r.ScopeSpans().Len() == 0
		})
		return data.ResourceSpans().Len()
	}
	return func(ctx context.Context, data ptrace.Traces) (ptrace.Traces, error) {
		return batch(ctx, c, data, each)
	}
}

func processLogs(c *logs) func(context.Context, plog.Logs) (plog.Logs, error) {
	scopes, items := offsets(c.surfaces)
	each := func(t *traversal, data plog.Logs) int {
		data.ResourceLogs().RemoveIf(func(r plog.ResourceLogs) bool {
			if !processItem(c, t, c.surfaces.resource, 0, r, recordsOfResource, maskResource) {
				return true
			}
			before := r.ScopeLogs().Len()
			r.ScopeLogs().RemoveIf(func(s plog.ScopeLogs) bool {
				if !processItem(c, t, c.surfaces.scope, scopes, s, recordsOfScope, maskScope) {
					return true
				}
				before := s.LogRecords().Len()
				s.LogRecords().RemoveIf(func(i plog.LogRecord) bool {
					return !processItem(c, t, c.surfaces.item, items, i, one, maskLogRecord)
				})
				return before > 0 && s.LogRecords().Len() == 0
			})
			return before > 0 && r.ScopeLogs().Len() == 0
		})
		return data.ResourceLogs().Len()
	}
	return func(ctx context.Context, data plog.Logs) (plog.Logs, error) {
		return batch(ctx, c, data, each)
	}
}

func processMetrics(c *metrics) func(context.Context, pmetric.Metrics) (pmetric.Metrics, error) {
	scopes, items := offsets(c.surfaces)
	each := func(t *traversal, data pmetric.Metrics) int {
		data.ResourceMetrics().RemoveIf(func(r pmetric.ResourceMetrics) bool {
			if !processItem(c, t, c.surfaces.resource, 0, r, pointsOfResource, maskResource) {
				return true
			}
			before := r.ScopeMetrics().Len()
			r.ScopeMetrics().RemoveIf(func(s pmetric.ScopeMetrics) bool {
				if !processItem(c, t, c.surfaces.scope, scopes, s, pointsOfScope, maskScope) {
					return true
				}
				before := s.Metrics().Len()
				s.Metrics().RemoveIf(func(i pmetric.Metric) bool {
					// Never emptied: without its labels a series would run into others.
					return !processItem(c, t, c.surfaces.item, items, i, pointsOf, nil)
				})
				return before > 0 && s.Metrics().Len() == 0
			})
			return before > 0 && r.ScopeMetrics().Len() == 0
		})
		return data.ResourceMetrics().Len()
	}
	return func(ctx context.Context, data pmetric.Metrics) (pmetric.Metrics, error) {
		return batch(ctx, c, data, each)
	}
}

// offsets returns the numbers of the first surface of a scope and of an item.
func offsets[R resource, S scope, I any](v surfaces[R, S, I]) (scopes, items int) {
	return len(v.resource), len(v.resource) + len(v.scope)
}

func maskResource[R resource](r R) {
	r.Resource().Attributes().Clear()
	// Backends file by it; without it they make up a name that says less.
	r.Resource().Attributes().PutStr("service.name", unchecked)
	entity.ResourceEntityRefs(r.Resource()).RemoveIf(func(entity.EntityRef) bool { return true })
	r.SetSchemaUrl("")
}

func maskScope[S scope](s S) {
	s.Scope().SetName(unchecked)
	s.Scope().SetVersion("")
	s.Scope().Attributes().Clear()
	s.SetSchemaUrl("")
}

// maskSpan leaves times, ids, kind and status code.
func maskSpan(s ptrace.Span) {
	s.SetName(unchecked)
	s.Attributes().Clear()
	s.TraceState().FromRaw("")
	s.Status().SetMessage("")
	s.Events().RemoveIf(func(ptrace.SpanEvent) bool { return true })
	for _, link := range s.Links().All() {
		link.Attributes().Clear()
		link.TraceState().FromRaw("")
	}
}

// maskLogRecord leaves times, ids and severity number.
func maskLogRecord(r plog.LogRecord) {
	pcommon.NewValueStr(unchecked).MoveTo(r.Body())
	r.Attributes().Clear()
	r.SetEventName("")
	r.SetSeverityText("")
}

func one[T any](T) int { return 1 }

func spansOfScope(s ptrace.ScopeSpans) int { return s.Spans().Len() }

func spansOfResource(r ptrace.ResourceSpans) (n int) {
	for _, s := range r.ScopeSpans().All() {
		n += spansOfScope(s)
	}
	return n
}

func recordsOfScope(s plog.ScopeLogs) int { return s.LogRecords().Len() }

func recordsOfResource(r plog.ResourceLogs) (n int) {
	for _, s := range r.ScopeLogs().All() {
		n += recordsOfScope(s)
	}
	return n
}

func pointsOf(m pmetric.Metric) int {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints().Len()
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints().Len()
	case pmetric.MetricTypeHistogram:
		return m.Histogram().DataPoints().Len()
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().DataPoints().Len()
	case pmetric.MetricTypeSummary:
		return m.Summary().DataPoints().Len()
	default:
		return 1
	}
}

func pointsOfScope(s pmetric.ScopeMetrics) (n int) {
	for _, m := range s.Metrics().All() {
		n += pointsOf(m)
	}
	return n
}

func pointsOfResource(r pmetric.ResourceMetrics) (n int) {
	for _, s := range r.ScopeMetrics().All() {
		n += pointsOfScope(s)
	}
	return n
}
