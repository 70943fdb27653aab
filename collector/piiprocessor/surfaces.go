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

// surface is a place of an item where a string can be, and how it is checked.
type surface[T any] struct {
	name  string
	check func(*traversal, T)
}

// surfaces are those of one signal, from the outside in. What is not in these lists is not
// checked, so tests take each entry out and see a canary get through.
type surfaces[R resource, S scope, I any] struct {
	resource []surface[R]
	scope    []surface[S]
	item     []surface[I]
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

func resourceSurfaces[R resource]() []surface[R] {
	return []surface[R]{
		{"resource.attributes", func(t *traversal, r R) { t.attributes(r.Resource().Attributes(), 0) }},
		{"resource.schema_url", func(t *traversal, r R) { text(t, r.SchemaUrl(), r.SetSchemaUrl) }},
		{"resource.entity_refs", func(t *traversal, r R) {
			refs := entity.ResourceEntityRefs(r.Resource())
			for i := range refs.Len() {
				ref := refs.At(i)
				text(t, ref.SchemaUrl(), ref.SetSchemaUrl)
				text(t, ref.Type(), ref.SetType)
				t.keyNames(ref.IdKeys())
				t.keyNames(ref.DescriptionKeys())
			}
		}},
	}
}

func scopeSurfaces[S scope]() []surface[S] {
	return []surface[S]{
		{"scope.name", func(t *traversal, s S) { text(t, s.Scope().Name(), s.Scope().SetName) }},
		{"scope.version", func(t *traversal, s S) { text(t, s.Scope().Version(), s.Scope().SetVersion) }},
		{"scope.attributes", func(t *traversal, s S) { t.attributes(s.Scope().Attributes(), 0) }},
		{"scope.schema_url", func(t *traversal, s S) { text(t, s.SchemaUrl(), s.SetSchemaUrl) }},
	}
}

type (
	traceSurfaces  = surfaces[ptrace.ResourceSpans, ptrace.ScopeSpans, ptrace.Span]
	logSurfaces    = surfaces[plog.ResourceLogs, plog.ScopeLogs, plog.LogRecord]
	metricSurfaces = surfaces[pmetric.ResourceMetrics, pmetric.ScopeMetrics, pmetric.Metric]
)

func newTraceSurfaces() traceSurfaces {
	return traceSurfaces{
		resource: resourceSurfaces[ptrace.ResourceSpans](),
		scope:    scopeSurfaces[ptrace.ScopeSpans](),
		item: []surface[ptrace.Span]{
			{"span.name", func(t *traversal, s ptrace.Span) { text(t, s.Name(), s.SetName) }},
			{"span.attributes", func(t *traversal, s ptrace.Span) { t.attributes(s.Attributes(), 0) }},
			{"span.trace_state", func(t *traversal, s ptrace.Span) {
				text(t, s.TraceState().AsRaw(), s.TraceState().FromRaw)
			}},
			{"span.status.message", func(t *traversal, s ptrace.Span) {
				text(t, s.Status().Message(), s.Status().SetMessage)
			}},
			{"event.name", func(t *traversal, s ptrace.Span) {
				for _, event := range s.Events().All() {
					text(t, event.Name(), event.SetName)
				}
			}},
			{"event.attributes", func(t *traversal, s ptrace.Span) {
				for _, event := range s.Events().All() {
					t.attributes(event.Attributes(), 0)
				}
			}},
			{"link.attributes", func(t *traversal, s ptrace.Span) {
				for _, link := range s.Links().All() {
					t.attributes(link.Attributes(), 0)
				}
			}},
			{"link.trace_state", func(t *traversal, s ptrace.Span) {
				for _, link := range s.Links().All() {
					text(t, link.TraceState().AsRaw(), link.TraceState().FromRaw)
				}
			}},
		},
	}
}

func newLogSurfaces() logSurfaces {
	return logSurfaces{
		resource: resourceSurfaces[plog.ResourceLogs](),
		scope:    scopeSurfaces[plog.ScopeLogs](),
		item: []surface[plog.LogRecord]{
			{"log.body", func(t *traversal, r plog.LogRecord) { t.value("", r.Body(), 0) }},
			{"log.attributes", func(t *traversal, r plog.LogRecord) { t.attributes(r.Attributes(), 0) }},
			{"log.event_name", func(t *traversal, r plog.LogRecord) { text(t, r.EventName(), r.SetEventName) }},
			{"log.severity_text", func(t *traversal, r plog.LogRecord) {
				text(t, r.SeverityText(), r.SetSeverityText)
			}},
		},
	}
}

func newMetricSurfaces() metricSurfaces {
	return metricSurfaces{
		resource: resourceSurfaces[pmetric.ResourceMetrics](),
		scope:    scopeSurfaces[pmetric.ScopeMetrics](),
		item: []surface[pmetric.Metric]{
			{"metric.name", func(t *traversal, m pmetric.Metric) { text(t, m.Name(), m.SetName) }},
			{"metric.description", func(t *traversal, m pmetric.Metric) {
				text(t, m.Description(), m.SetDescription)
			}},
			{"metric.unit", func(t *traversal, m pmetric.Metric) { text(t, m.Unit(), m.SetUnit) }},
			{"metric.metadata", func(t *traversal, m pmetric.Metric) { t.attributes(m.Metadata(), 0) }},
			{"datapoint.attributes", datapointAttributes},
			{"exemplar.attributes", exemplarAttributes},
		},
	}
}

func datapointAttributes(t *traversal, m pmetric.Metric) {
	switch m.Type() {
	case pmetric.MetricTypeEmpty:
	case pmetric.MetricTypeGauge:
		for _, point := range m.Gauge().DataPoints().All() {
			t.attributes(point.Attributes(), 0)
		}
	case pmetric.MetricTypeSum:
		for _, point := range m.Sum().DataPoints().All() {
			t.attributes(point.Attributes(), 0)
		}
	case pmetric.MetricTypeHistogram:
		for _, point := range m.Histogram().DataPoints().All() {
			t.attributes(point.Attributes(), 0)
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, point := range m.ExponentialHistogram().DataPoints().All() {
			t.attributes(point.Attributes(), 0)
		}
	case pmetric.MetricTypeSummary:
		for _, point := range m.Summary().DataPoints().All() {
			t.attributes(point.Attributes(), 0)
		}
	default:
		t.fail(errUnknownType)
	}
}

func exemplarAttributes(t *traversal, m pmetric.Metric) {
	switch m.Type() {
	case pmetric.MetricTypeEmpty, pmetric.MetricTypeSummary: // these have none
	case pmetric.MetricTypeGauge:
		for _, point := range m.Gauge().DataPoints().All() {
			exemplars(t, point.Exemplars())
		}
	case pmetric.MetricTypeSum:
		for _, point := range m.Sum().DataPoints().All() {
			exemplars(t, point.Exemplars())
		}
	case pmetric.MetricTypeHistogram:
		for _, point := range m.Histogram().DataPoints().All() {
			exemplars(t, point.Exemplars())
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, point := range m.ExponentialHistogram().DataPoints().All() {
			exemplars(t, point.Exemplars())
		}
	default:
		t.fail(errUnknownType)
	}
}

func exemplars(t *traversal, slice pmetric.ExemplarSlice) {
	for _, exemplar := range slice.All() {
		t.attributes(exemplar.FilteredAttributes(), 0)
	}
}

// names lists the names of all surfaces of one signal. The position is a surface's number.
func (v surfaces[R, S, I]) names() []string {
	var names []string
	for _, one := range v.resource {
		names = append(names, one.name)
	}
	for _, one := range v.scope {
		names = append(names, one.name)
	}
	for _, one := range v.item {
		names = append(names, one.name)
	}
	return names
}
