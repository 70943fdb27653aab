// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// span1 is a request with one span of these ids, and one plain one behind it.
func spanOf(trace, id, parent, link []byte) []byte {
	odd := tagged(1, trace)
	odd = append(odd, tagged(2, id)...)
	odd = append(odd, tagged(4, parent)...)
	odd = append(odd, tagged(13, append(tagged(1, link), tagged(2, id)...))...)
	odd = append(odd, tagged(5, []byte("odd"))...)
	plain := append(tagged(1, bytes.Repeat([]byte{7}, 16)), tagged(2, bytes.Repeat([]byte{8}, 8))...)
	spans := append(tagged(2, odd), tagged(2, append(plain, tagged(5, []byte("plain"))...))...)
	return tagged(1, tagged(2, spans))
}

func TestIDsOfOtherLengthsAreEmptied(t *testing.T) {
	full, half := bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 8)
	for name, c := range map[string]struct {
		trace, id, parent, link []byte
		repaired                int64
	}{
		"right":          {full, half, half, full, 0},
		"empty":          {nil, nil, nil, nil, 0},
		"one byte":       {full[:1], half, half, full, 1},
		"too long":       {append(full, 1), half, half, full, 1},
		"swapped":        {half, full, half, full, 3}, // the span's, and its link's
		"hex as bytes":   {[]byte(strings.Repeat("ab", 16)), half, half, full, 1},
		"huge":           {bytes.Repeat(full, 5000), half, half, full, 1},
		"parent and all": {full[:3], half[:3], half[:3], full[:3], 5},
	} {
		t.Run(name, func(t *testing.T) {
			body := spanOf(c.trace, c.id, c.parent, c.link)
			before := bytes.Clone(body)
			report := newScanners(createDefaultConfig().(*Config).bounds()).protobuf(body, traceRequest, true)
			if report.outcome != passed || report.ids != c.repaired {
				t.Fatalf("outcome %v, %d ids repaired, want %d", report.outcome, report.ids, c.repaired)
			}
			if c.repaired == 0 && !bytes.Equal(before, body) {
				t.Error("a request without fault was changed")
			}
			request := ptraceotlp.NewExportRequest()
			if err := request.UnmarshalProto(body); err != nil {
				t.Fatal(err)
			}
			spans := request.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans()
			if spans.Len() != 2 || spans.At(0).Name() != "odd" || spans.At(1).SpanID() != [8]byte(bytes.Repeat([]byte{8}, 8)) {
				t.Errorf("the spans are not what was sent: %d", spans.Len())
			}
			if keeps := len(c.trace) == 16; spans.At(0).TraceID().IsEmpty() == keeps {
				t.Errorf("the trace id is %s", spans.At(0).TraceID())
			}
		})
	}
}

func TestIDsThatAreNoHexAreEmptiedInJSON(t *testing.T) {
	const good = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"%s","span_id":"%s","eventName":"e"},{"eventName":"f"}]}]}]}`
	for _, c := range []struct {
		trace, id string
		repaired  int64
	}{
		{strings.Repeat("aB", 16), strings.Repeat("01", 8), 0},
		{"", "", 0},
		{"00", strings.Repeat("01", 8), 1},
		{strings.Repeat("a", 33), strings.Repeat("0", 15), 2},
		{strings.Repeat("zz", 16), "0", 2},
	} {
		body := fmt.Appendf(nil, good, c.trace, c.id)
		report := newScanners(createDefaultConfig().(*Config).bounds()).jsonText(body, logsRequest)
		if report.outcome != passed || report.ids != c.repaired {
			t.Errorf("%q %q: outcome %v, %d ids repaired, want %d", c.trace, c.id, report.outcome, report.ids, c.repaired)
		}
		request := plogotlp.NewExportRequest()
		if err := request.UnmarshalJSON(body); err != nil {
			t.Errorf("%q %q: %v", c.trace, c.id, err)
			continue
		}
		records := request.Logs().ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
		if records.Len() != 2 || records.At(0).EventName() != "e" || records.At(1).EventName() != "f" {
			t.Errorf("%q %q: the records are not what was sent", c.trace, c.id)
		}
	}
}
