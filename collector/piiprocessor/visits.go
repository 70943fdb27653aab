// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package piiprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/xpdata/entity"
)

// visit checks one surface of an item: a place where a string can be.
type visit[T any] struct {
	surface string
	check   func(*walk, T)
}

// visits are all surfaces of one signal, from the outside in. What is not in these lists is not
// checked, so tests take each entry out and see a canary get through.
type visits[R resource, S scope, I any] struct {
	resource []visit[R]
	scope    []visit[S]
	item     []visit[I]
}

type resource interface {
	Resource() pcommon.Resource
	SchemaUrl() string
	SetSchemaUrl(string)
}

type scope interface {
	Scope() pcommon.InstrumentationScope
	SchemaUrl() string
	SetSchemaUrl(string)
}

func resourceVisits[R resource]() []visit[R] {
	return []visit[R]{
		{"resource.attributes", func(w *walk, r R) { w.attributes(r.Resource().Attributes(), 0) }},
		{"resource.schema_url", func(w *walk, r R) { text(w, r.SchemaUrl(), r.SetSchemaUrl) }},
		{"resource.entity_refs", func(w *walk, r R) {
			refs := entity.ResourceEntityRefs(r.Resource())
			for i := range refs.Len() {
				ref := refs.At(i)
				text(w, ref.SchemaUrl(), ref.SetSchemaUrl)
				text(w, ref.Type(), ref.SetType)
				w.keyNames(ref.IdKeys())
				w.keyNames(ref.DescriptionKeys())
			}
		}},
	}
}

func scopeVisits[S scope]() []visit[S] {
	return []visit[S]{
		{"scope.name", func(w *walk, s S) { text(w, s.Scope().Name(), s.Scope().SetName) }},
		{"scope.version", func(w *walk, s S) { text(w, s.Scope().Version(), s.Scope().SetVersion) }},
		{"scope.attributes", func(w *walk, s S) { w.attributes(s.Scope().Attributes(), 0) }},
		{"scope.schema_url", func(w *walk, s S) { text(w, s.SchemaUrl(), s.SetSchemaUrl) }},
	}
}

type (
	traceVisits  = visits[ptrace.ResourceSpans, ptrace.ScopeSpans, ptrace.Span]
	logVisits    = visits[plog.ResourceLogs, plog.ScopeLogs, plog.LogRecord]
	metricVisits = visits[pmetric.ResourceMetrics, pmetric.ScopeMetrics, pmetric.Metric]
)

func newTraceVisits() traceVisits {
	return traceVisits{
		resource: resourceVisits[ptrace.ResourceSpans](),
		scope:    scopeVisits[ptrace.ScopeSpans](),
		item: []visit[ptrace.Span]{
			{"span.name", func(w *walk, s ptrace.Span) { text(w, s.Name(), s.SetName) }},
			{"span.attributes", func(w *walk, s ptrace.Span) { w.attributes(s.Attributes(), 0) }},
			{"span.trace_state", func(w *walk, s ptrace.Span) {
				text(w, s.TraceState().AsRaw(), s.TraceState().FromRaw)
			}},
			{"span.status.message", func(w *walk, s ptrace.Span) {
				text(w, s.Status().Message(), s.Status().SetMessage)
			}},
			{"event.name", func(w *walk, s ptrace.Span) {
				for _, event := range s.Events().All() {
					text(w, event.Name(), event.SetName)
				}
			}},
			{"event.attributes", func(w *walk, s ptrace.Span) {
				for _, event := range s.Events().All() {
					w.attributes(event.Attributes(), 0)
				}
			}},
			{"link.attributes", func(w *walk, s ptrace.Span) {
				for _, link := range s.Links().All() {
					w.attributes(link.Attributes(), 0)
				}
			}},
			{"link.trace_state", func(w *walk, s ptrace.Span) {
				for _, link := range s.Links().All() {
					text(w, link.TraceState().AsRaw(), link.TraceState().FromRaw)
				}
			}},
		},
	}
}

func newLogVisits() logVisits {
	return logVisits{
		resource: resourceVisits[plog.ResourceLogs](),
		scope:    scopeVisits[plog.ScopeLogs](),
		item: []visit[plog.LogRecord]{
			{"log.body", func(w *walk, r plog.LogRecord) { w.value("", r.Body(), 0) }},
			{"log.attributes", func(w *walk, r plog.LogRecord) { w.attributes(r.Attributes(), 0) }},
			{"log.event_name", func(w *walk, r plog.LogRecord) { text(w, r.EventName(), r.SetEventName) }},
			{"log.severity_text", func(w *walk, r plog.LogRecord) {
				text(w, r.SeverityText(), r.SetSeverityText)
			}},
		},
	}
}

func newMetricVisits() metricVisits {
	return metricVisits{
		resource: resourceVisits[pmetric.ResourceMetrics](),
		scope:    scopeVisits[pmetric.ScopeMetrics](),
		item: []visit[pmetric.Metric]{
			{"metric.name", func(w *walk, m pmetric.Metric) { text(w, m.Name(), m.SetName) }},
			{"metric.description", func(w *walk, m pmetric.Metric) {
				text(w, m.Description(), m.SetDescription)
			}},
			{"metric.unit", func(w *walk, m pmetric.Metric) { text(w, m.Unit(), m.SetUnit) }},
			{"metric.metadata", func(w *walk, m pmetric.Metric) { w.attributes(m.Metadata(), 0) }},
			{"datapoint.attributes", datapointAttributes},
			{"exemplar.attributes", exemplarAttributes},
		},
	}
}

func datapointAttributes(w *walk, m pmetric.Metric) {
	switch m.Type() {
	case pmetric.MetricTypeEmpty:
	case pmetric.MetricTypeGauge:
		for _, point := range m.Gauge().DataPoints().All() {
			w.attributes(point.Attributes(), 0)
		}
	case pmetric.MetricTypeSum:
		for _, point := range m.Sum().DataPoints().All() {
			w.attributes(point.Attributes(), 0)
		}
	case pmetric.MetricTypeHistogram:
		for _, point := range m.Histogram().DataPoints().All() {
			w.attributes(point.Attributes(), 0)
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, point := range m.ExponentialHistogram().DataPoints().All() {
			w.attributes(point.Attributes(), 0)
		}
	case pmetric.MetricTypeSummary:
		for _, point := range m.Summary().DataPoints().All() {
			w.attributes(point.Attributes(), 0)
		}
	default:
		w.fail(errUnknownType)
	}
}

func exemplarAttributes(w *walk, m pmetric.Metric) {
	switch m.Type() {
	case pmetric.MetricTypeEmpty, pmetric.MetricTypeSummary: // these have none
	case pmetric.MetricTypeGauge:
		for _, point := range m.Gauge().DataPoints().All() {
			exemplars(w, point.Exemplars())
		}
	case pmetric.MetricTypeSum:
		for _, point := range m.Sum().DataPoints().All() {
			exemplars(w, point.Exemplars())
		}
	case pmetric.MetricTypeHistogram:
		for _, point := range m.Histogram().DataPoints().All() {
			exemplars(w, point.Exemplars())
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, point := range m.ExponentialHistogram().DataPoints().All() {
			exemplars(w, point.Exemplars())
		}
	default:
		w.fail(errUnknownType)
	}
}

func exemplars(w *walk, slice pmetric.ExemplarSlice) {
	for _, exemplar := range slice.All() {
		w.attributes(exemplar.FilteredAttributes(), 0)
	}
}

// surfaces lists the names of all surfaces of one signal. The position is a surface's number.
func (v visits[R, S, I]) surfaces() []string {
	var names []string
	for _, one := range v.resource {
		names = append(names, one.surface)
	}
	for _, one := range v.scope {
		names = append(names, one.surface)
	}
	for _, one := range v.item {
		names = append(names, one.surface)
	}
	return names
}
