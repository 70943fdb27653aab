// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"context"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"glasshouse.example/collector/deadletter"
)

func logs() signal[plog.Logs] {
	return signal[plog.Logs]{
		name:     "logs",
		count:    plog.Logs.LogRecordCount,
		items:    path{{1}, {2}, {2}},
		layers:   resourceScopeItem,
		decode:   (&plog.ProtoUnmarshaler{}).UnmarshalLogs,
		encode:   func(data plog.Logs) ([]byte, error) { return plogotlp.NewExportRequestFromLogs(data).MarshalProto() },
		rejected: rejectedLogs,
		part:     partLogs,
		keep: func(ctx context.Context, store deadletter.Store, reason, source string, data plog.Logs) error {
			return store.PutLogs(ctx, reason, source, data)
		},
	}
}

func rejectedLogs(body []byte, json bool) (int64, string, error) {
	response := plogotlp.NewExportResponse()
	decode := response.UnmarshalProto
	if json {
		decode = response.UnmarshalJSON
	}
	if err := decode(body); err != nil {
		return 0, "", err
	}
	return response.PartialSuccess().RejectedLogRecords(), response.PartialSuccess().ErrorMessage(), nil
}

func partLogs(data plog.Logs, from, to int) plog.Logs {
	made := plog.NewLogs()
	at := 0
	for _, resource := range data.ResourceLogs().All() {
		var madeResource plog.ResourceLogs
		newResource := true
		for _, scope := range resource.ScopeLogs().All() {
			records := scope.LogRecords()
			first, last := within(at, records.Len(), from, to)
			at += records.Len()
			if first >= last {
				continue
			}
			if newResource {
				newResource = false
				madeResource = made.ResourceLogs().AppendEmpty()
				madeResource.SetSchemaUrl(resource.SchemaUrl())
				resource.Resource().CopyTo(madeResource.Resource())
			}
			madeScope := madeResource.ScopeLogs().AppendEmpty()
			madeScope.SetSchemaUrl(scope.SchemaUrl())
			scope.Scope().CopyTo(madeScope.Scope())
			madeScope.LogRecords().EnsureCapacity(last - first)
			for i := first; i < last; i++ {
				records.At(i).CopyTo(madeScope.LogRecords().AppendEmpty())
			}
		}
	}
	return made
}

// within returns which of the next items, that begin at a place, lie from one place to another.
func within(at, items, from, to int) (first, last int) {
	return max(0, from-at), min(items, to-at)
}
