// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/plog"

	"glasshouse.example/collector/deadletter"
)

type asideLogs = aside[plog.Logs, plog.ResourceLogs]

var logs = signal[plog.Logs, plog.ResourceLogs]{
	name:      signalLogs,
	resources: func(data plog.Logs) slice[plog.ResourceLogs] { return data.ResourceLogs() },
	records:   logRecords,
	admit:     admitLogs,
	takeAll:   takeAllLogs,
	empty:     plog.NewLogs,
	put: func(to deadletter.Store, ctx context.Context, why, source string, data plog.Logs) error {
		return to.PutLogs(ctx, why, source, data)
	},
}

func (c *LogsConfig) part() part {
	return part{
		times: c.TimeConfig,
		text: limits{
			valueBytes: c.ValueBytes, shortBytes: min(c.ValueBytes, c.AttributesBytes/64),
			bodyBytes: c.BodyBytes, fileable: true, asJSON: true,
		},
		index:   newIndexing(c.Index, c.IndexBytes),
		bounds:  bounds{size{c.Attributes, c.AttributesBytes}},
		actions: c.Actions,
	}
}

func logRecords(r plog.ResourceLogs) (n int) {
	for _, s := range r.ScopeLogs().All() {
		n += s.LogRecords().Len()
	}
	return n
}

func admitLogs(v *visit, letters *asideLogs, r plog.ResourceLogs) {
	r.ScopeLogs().RemoveIf(func(s plog.ScopeLogs) bool {
		if !v.goneOn() {
			return false
		}
		var shared size
		if !v.item(s.LogRecords().Len(), func() { shared = v.scope(s) }) {
			if v.verdict == setAside {
				takeScopeLogs(letters, v.why, r, s)
			}
			return true
		}
		most := v.bounds.record(shared)
		s.LogRecords().RemoveIf(func(record plog.LogRecord) bool {
			if !v.goneOn() || v.item(1, func() { v.log(record, most) }) {
				return false
			}
			if v.verdict == setAside {
				takeLog(letters, v.why, r, s, record)
			}
			return true
		})
		return s.LogRecords().Len() == 0
	})
}

// log makes one record acceptable. most is what its own attributes may take.
func (v *visit) log(record plog.LogRecord, most size) {
	level := v.severity(record) // before the attributes are counted, as the time: it may add one
	most.bytes -= level         // the backend stores it as one more attribute
	bytes := level + v.text(record.EventName(), record.SetEventName) + v.line(record)
	v.logTime(record)
	is := v.attributes(record.Attributes(), 0, false)
	is = v.boundKnown(record.Attributes(), is, most, nil)
	v.bytes += bytes + is.bytes
	if v.repaired != 0 {
		record.Attributes().PutStr(repairedKey, v.repaired.String())
	}
}

// line repairs the body. It returns its length.
func (v *visit) line(record plog.LogRecord) int {
	content := record.Body()
	if content.Type() == 0 {
		return 0
	}
	most := v.limits.bodyBytes
	if s := content.Str(); s != "" {
		if !utf8.ValidString(s) && v.hit(encoding) {
			s = validText(s)
			content.SetStr(s)
		}
		if len(s) > most && v.hit(body) {
			s = v.shorten(s, most)
			content.SetStr(s)
		}
		return len(s)
	}
	v.repairValue(content)
	bytes := jsonLen(content)
	if bytes > most && v.hit(body) {
		s := v.textOf(content, bytes, most)
		content.SetStr(s)
		bytes = len(s)
	}
	return bytes
}

// logTime sets a time out of range to when the record was seen, or else to now.
func (v *visit) logTime(record plog.LogRecord) {
	at := record.Timestamp()
	if at == 0 {
		at = record.ObservedTimestamp()
	}
	if at == 0 || v.window.has(at) || !v.hit(timestamp) {
		return
	}
	instead := v.window.now
	if observed := record.ObservedTimestamp(); v.window.has(observed) {
		instead = observed
	}
	record.Attributes().PutStr(originalTimeKey, timeText(at))
	record.SetTimestamp(instead)
}

func takeLog(letters *asideLogs, why reason, r plog.ResourceLogs, s plog.ScopeLogs, record plog.LogRecord) {
	batch, at := letters.batch(why, 1)
	if at.fromResource != r {
		into := batch.ResourceLogs().AppendEmpty()
		r.Resource().CopyTo(into.Resource())
		into.SetSchemaUrl(r.SchemaUrl())
		*at = place{fromResource: r, toResource: into}
	}
	if at.fromScope != s {
		scope := at.toResource.(plog.ResourceLogs).ScopeLogs().AppendEmpty()
		s.Scope().CopyTo(scope.Scope())
		scope.SetSchemaUrl(s.SchemaUrl())
		at.fromScope, at.toScope = s, scope
	}
	record.MoveTo(at.toScope.(plog.ScopeLogs).LogRecords().AppendEmpty())
}

func takeScopeLogs(letters *asideLogs, why reason, r plog.ResourceLogs, s plog.ScopeLogs) {
	for _, record := range s.LogRecords().All() {
		takeLog(letters, why, r, s, record)
	}
}

func takeAllLogs(letters *asideLogs, why reason, r plog.ResourceLogs) {
	for _, s := range r.ScopeLogs().All() {
		takeScopeLogs(letters, why, r, s)
	}
}
