// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"context"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"glasshouse.example/collector/deadletter"
)

func traces() signal[ptrace.Traces] {
	return signal[ptrace.Traces]{
		name:   "traces",
		count:  ptrace.Traces.SpanCount,
		items:  path{{1}, {2}, {2}},
		layers: resourceScopeItem,
		decode: (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces,
		encode: func(data ptrace.Traces) ([]byte, error) {
			return ptraceotlp.NewExportRequestFromTraces(data).MarshalProto()
		},
		rejected: rejectedTraces,
		part:     partTraces,
		keep: func(ctx context.Context, store deadletter.Store, reason, source string, data ptrace.Traces) error {
			return store.PutTraces(ctx, reason, source, data)
		},
	}
}

func rejectedTraces(body []byte, json bool) (int64, string, error) {
	response := ptraceotlp.NewExportResponse()
	decode := response.UnmarshalProto
	if json {
		decode = response.UnmarshalJSON
	}
	if err := decode(body); err != nil {
		return 0, "", err
	}
	return response.PartialSuccess().RejectedSpans(), response.PartialSuccess().ErrorMessage(), nil
}

func partTraces(data ptrace.Traces, from, to int) ptrace.Traces {
	made := ptrace.NewTraces()
	at := 0
	for _, resource := range data.ResourceSpans().All() {
		var madeResource ptrace.ResourceSpans
		newResource := true
		for _, scope := range resource.ScopeSpans().All() {
			spans := scope.Spans()
			first, last := within(at, spans.Len(), from, to)
			at += spans.Len()
			if first >= last {
				continue
			}
			if newResource {
				newResource = false
				madeResource = made.ResourceSpans().AppendEmpty()
				madeResource.SetSchemaUrl(resource.SchemaUrl())
				resource.Resource().CopyTo(madeResource.Resource())
			}
			madeScope := madeResource.ScopeSpans().AppendEmpty()
			madeScope.SetSchemaUrl(scope.SchemaUrl())
			scope.Scope().CopyTo(madeScope.Scope())
			madeScope.Spans().EnsureCapacity(last - first)
			for i := first; i < last; i++ {
				spans.At(i).CopyTo(madeScope.Spans().AppendEmpty())
			}
		}
	}
	return made
}
