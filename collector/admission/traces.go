// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"encoding/binary"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"glasshouse.example/collector/deadletter"
)

type asideTraces = aside[ptrace.Traces, ptrace.ResourceSpans]

var traces = signal[ptrace.Traces, ptrace.ResourceSpans]{
	name:      signalTraces,
	resources: func(data ptrace.Traces) slice[ptrace.ResourceSpans] { return data.ResourceSpans() },
	records:   spans,
	admit:     admitTraces,
	takeAll:   takeAllTraces,
	empty:     ptrace.NewTraces,
	put: func(to deadletter.Store, ctx context.Context, why, source string, data ptrace.Traces) error {
		return to.PutTraces(ctx, why, source, data)
	},
}

func (c *TracesConfig) part() part {
	return part{
		times: c.TimeConfig,
		text:  limits{valueBytes: c.ValueBytes, shortBytes: c.ValueBytes},
		index: newIndexing(nil, min(c.ValueBytes, serviceBytes)),
		// Attributes are bounded in number alone; the bytes by the length of each.
		bounds:  bounds{size{c.Attributes + reserved.count, c.Attributes * c.ValueBytes}},
		actions: c.Actions,
	}
}

func spans(r ptrace.ResourceSpans) (n int) {
	for _, s := range r.ScopeSpans().All() {
		n += s.Spans().Len()
	}
	return n
}

func admitTraces(v *visit, letters *asideTraces, r ptrace.ResourceSpans) {
	r.ScopeSpans().RemoveIf(func(s ptrace.ScopeSpans) bool {
		if !v.goneOn() {
			return false
		}
		if !v.item(s.Spans().Len(), func() { v.scope(s) }) {
			if v.verdict == setAside {
				takeScopeSpans(letters, v.why, r, s)
			}
			return true
		}
		s.Spans().RemoveIf(func(span ptrace.Span) bool {
			if !v.goneOn() || v.item(1, func() { v.span(span) }) {
				return false
			}
			if v.verdict == setAside {
				takeSpan(letters, v.why, r, s, span)
			}
			return true
		})
		return s.Spans().Len() == 0
	})
}

// span makes one span acceptable.
func (v *visit) span(span ptrace.Span) {
	v.spanIDs(span)
	v.bytes += v.text(span.Name(), span.SetName)
	v.bytes += v.text(span.Status().Message(), span.Status().SetMessage)
	v.bytes += v.text(span.TraceState().AsRaw(), span.TraceState().FromRaw)
	v.spanTimes(span) // before the attributes are counted: it may add some
	for _, event := range span.Events().All() {
		v.bytes += v.text(event.Name(), event.SetName)
		v.spanAttributes(event.Attributes())
	}
	for _, link := range span.Links().All() {
		v.bytes += v.text(link.TraceState().AsRaw(), link.TraceState().FromRaw)
		v.spanAttributes(link.Attributes())
	}
	v.spanAttributes(span.Attributes()) // last: the list of repairs must fit into them
	if v.repaired != 0 {
		span.Attributes().PutStr(repairedKey, v.repaired.String())
	}
}

func (v *visit) spanAttributes(m pcommon.Map) {
	is := v.attributes(m, 0, false)
	v.bytes += v.boundKnown(m, is, v.bounds.record(size{}), nil).bytes
}

// spanIDs makes those that are missing: with one that is zero a backend refuses the whole batch.
func (v *visit) spanIDs(span ptrace.Span) {
	if span.TraceID().IsEmpty() && v.hit(ids) {
		var id pcommon.TraceID
		binary.BigEndian.PutUint64(id[:8], v.random()|1)
		binary.BigEndian.PutUint64(id[8:], v.random())
		span.SetTraceID(id)
	}
	if span.SpanID().IsEmpty() && v.hit(ids) {
		var id pcommon.SpanID
		binary.BigEndian.PutUint64(id[:], v.random()|1)
		span.SetSpanID(id)
	}
}

// spanTimes brings a span into the range in which it can be found. Its duration stays where it can
// be one. A time from 2^63 ns on hides the neighbours of its block from every search in Tempo, and
// an end before the start is a duration of that size there.
func (v *visit) spanTimes(span ptrace.Span) {
	start, end := span.StartTimestamp(), span.EndTimestamp()
	if !v.window.has(start) || !v.window.has(end) || end < start {
		if !v.hit(timestamp) {
			return
		}
		span.Attributes().PutStr(originalTimeKey, timeText(start)+"/"+timeText(end))
		start, end = v.window.fit(start, end)
		span.SetStartTimestamp(start)
		span.SetEndTimestamp(end)
	}
	for _, event := range span.Events().All() {
		if at := event.Timestamp(); !v.window.has(at) && v.hit(timestamp) {
			event.Attributes().PutStr(originalTimeKey, timeText(at))
			event.SetTimestamp(start)
		}
	}
}

func takeSpan(letters *asideTraces, why reason, r ptrace.ResourceSpans, s ptrace.ScopeSpans, span ptrace.Span) {
	batch, at := letters.batch(why, 1)
	if at.fromResource != r {
		into := batch.ResourceSpans().AppendEmpty()
		r.Resource().CopyTo(into.Resource())
		into.SetSchemaUrl(r.SchemaUrl())
		*at = place{fromResource: r, toResource: into}
	}
	if at.fromScope != s {
		scope := at.toResource.(ptrace.ResourceSpans).ScopeSpans().AppendEmpty()
		s.Scope().CopyTo(scope.Scope())
		scope.SetSchemaUrl(s.SchemaUrl())
		at.fromScope, at.toScope = s, scope
	}
	span.MoveTo(at.toScope.(ptrace.ScopeSpans).Spans().AppendEmpty())
}

func takeScopeSpans(letters *asideTraces, why reason, r ptrace.ResourceSpans, s ptrace.ScopeSpans) {
	for _, span := range s.Spans().All() {
		takeSpan(letters, why, r, s, span)
	}
}

func takeAllTraces(letters *asideTraces, why reason, r ptrace.ResourceSpans) {
	for _, s := range r.ScopeSpans().All() {
		takeScopeSpans(letters, why, r, s)
	}
}
