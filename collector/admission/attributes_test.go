// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// storedByLoki returns what Loki stores with a line beside its index: the record's own attributes, those of its
// resource and scope, and fields of the record (loghttp/push/otlp.go).
func storedByLoki(r plog.ResourceLogs, s plog.ScopeLogs, record plog.LogRecord, index []string) (count, size int) {
	var add func(prefix, key string, v pcommon.Value)
	add = func(prefix, key string, v pcommon.Value) {
		if prefix != "" {
			key = prefix + "_" + key
		}
		if v.Type() == pcommon.ValueTypeMap {
			for inner, item := range v.Map().All() {
				add(key, inner, item)
			}
			return
		}
		count++
		size += len(key) + len(v.AsString())
	}
	text := func(key, v string) {
		if v != "" {
			add("", key, pcommon.NewValueStr(v))
		}
	}
	for key, v := range r.Resource().Attributes().All() {
		indexed := false
		for _, one := range index {
			indexed = indexed || one == key
		}
		if !indexed {
			add("", key, v)
		}
	}
	for key, v := range s.Scope().Attributes().All() {
		add("", key, v)
	}
	text("scope_name", s.Scope().Name())
	text("scope_version", s.Scope().Version())
	text("scope_dropped_attributes_count", fmt.Sprint(s.Scope().DroppedAttributesCount()))
	for key, v := range record.Attributes().All() {
		add("", key, v)
	}
	text("severity_text", record.SeverityText())
	text("severity_number", fmt.Sprint(record.SeverityNumber()))
	text("observed_timestamp", fmt.Sprint(uint64(record.ObservedTimestamp())))
	text("dropped_attributes_count", fmt.Sprint(record.DroppedAttributesCount()))
	text("flags", fmt.Sprint(record.Flags()))
	text("trace_id", strings.Repeat("0", 32))
	text("span_id", strings.Repeat("0", 16))
	text("detected_level", "information") // which Loki may find
	return count, size
}

// TestTheFirstAndTheLastAttributesStay holds records of many attributes to Loki's limits, with a
// resource and a scope that take what they may.
func TestTheFirstAndTheLastAttributesStay(t *testing.T) {
	config := testConfig()
	for _, n := range []int{130, 1000, 5000} {
		for what, value := range map[string]string{
			"short": "v", "long": strings.Repeat("v", 500), "longer": strings.Repeat("v", 4000),
			"escaped": strings.Repeat("\x01", 100),
		} {
			t.Run(fmt.Sprintf("%d %s", n, what), func(t *testing.T) {
				data := plog.NewLogs()
				r := data.ResourceLogs().AppendEmpty()
				s := r.ScopeLogs().AppendEmpty()
				s.Scope().SetName(strings.Repeat("n", 200_000))
				s.Scope().SetVersion(strings.Repeat("v", 200_000))
				record := s.LogRecords().AppendEmpty()
				record.SetSeverityText(strings.Repeat("s", 200_000))
				record.SetTimestamp(1) // one attribute more
				for i := range n {
					key := fmt.Sprintf("key.%d", i)
					r.Resource().Attributes().PutStr(key, value)
					s.Scope().Attributes().PutStr(key, value)
					if i%2 == 0 {
						record.Attributes().PutStr(key, value)
					} else {
						record.Attributes().PutEmptySlice(key).AppendEmpty().SetStr(value)
					}
				}
				p := newLogs(t, config, testSettings(componenttest.NewTelemetry()), &recorder{})
				_, err := p.process(t.Context(), data)
				must(t, err)

				count, size := storedByLoki(r, s, record, config.Logs.Index)
				if count > config.Logs.Attributes || size > config.Logs.AttributesBytes {
					t.Errorf("Loki stores %d attributes of %d bytes", count, size)
				}
				if n >= 1000 && count < config.Logs.Attributes/2 && size < config.Logs.AttributesBytes/4 {
					t.Errorf("only %d attributes of %d bytes are left", count, size)
				}
				maps := []pcommon.Map{r.Resource().Attributes(), record.Attributes()}
				if len(value) < 1000 { // or not even the first fits into a scope
					maps = append(maps, s.Scope().Attributes())
				}
				for _, m := range maps {
					if m.Len() >= n {
						continue // nothing was to be done
					}
					for _, key := range []string{"key.0", "key.1", fmt.Sprintf("key.%d", n-1), overflowKey} {
						if _, stays := m.Get(key); !stays {
							t.Errorf("%s is gone", key)
						}
					}
					together(t, m, n, value)
				}
			})
		}
	}
}

// TestWhatIsBesideTheAttributesCounts fills up what they may have, to the byte.
func TestWhatIsBesideTheAttributesCounts(t *testing.T) {
	config := testConfig()
	data := plog.NewLogs()
	r := data.ResourceLogs().AppendEmpty()
	s := r.ScopeLogs().AppendEmpty()
	record := s.LogRecords().AppendEmpty()
	record.SetSeverityText(strings.Repeat("s", 4096))
	for _, length := range []int{65536, 65536, 65536, config.Logs.AttributesBytes - 3*65536 - reserved.bytes} {
		key := fmt.Sprint(record.Attributes().Len())
		record.Attributes().PutStr(key, strings.Repeat("v", length-len(key)))
	}
	p := newLogs(t, config, testSettings(componenttest.NewTelemetry()), &recorder{})
	_, err := p.process(t.Context(), data)
	must(t, err)
	if _, size := storedByLoki(r, s, record, nil); size > config.Logs.AttributesBytes {
		t.Errorf("Loki stores attributes of %d bytes", size)
	}
}

// TestNestedNamesCountWhole: a backend that takes maps apart stores the outer name with each leaf.
func TestNestedNamesCountWhole(t *testing.T) {
	config := testConfig()
	data := plog.NewLogs()
	r := data.ResourceLogs().AppendEmpty()
	s := r.ScopeLogs().AppendEmpty()
	record := s.LogRecords().AppendEmpty()
	for i := range 3 {
		outer := record.Attributes().PutEmptyMap(fmt.Sprint(i) + strings.Repeat("k", 1000))
		appendAll(outer.PutEmptyMap(strings.Repeat("k", 1000)), 60, func(i int) string { return fmt.Sprint(i) })
	}
	p := newLogs(t, config, testSettings(componenttest.NewTelemetry()), &recorder{})
	_, err := p.process(t.Context(), data)
	must(t, err)
	if _, size := storedByLoki(r, s, record, nil); size > config.Logs.AttributesBytes {
		t.Errorf("Loki stores attributes of %d bytes", size)
	}
}

// TestNewNamesCountToo renames attributes, which doubles their number: beside each stands the old name.
func TestNewNamesCountToo(t *testing.T) {
	config := testConfig()
	data := plog.NewLogs()
	r := data.ResourceLogs().AppendEmpty()
	s := r.ScopeLogs().AppendEmpty()
	record := s.LogRecords().AppendEmpty()
	appendAll(record.Attributes(), 200, func(i int) string { return strings.Repeat("_", i+1) })
	p := newLogs(t, config, testSettings(componenttest.NewTelemetry()), &recorder{})
	_, err := p.process(t.Context(), data)
	must(t, err)
	if count, _ := storedByLoki(r, s, record, nil); count > config.Logs.Attributes {
		t.Errorf("Loki stores %d attributes", count)
	}
}

// together holds what stays and what is gathered against all that were sent.
func together(t *testing.T, m pcommon.Map, n int, value string) {
	t.Helper()
	gathered, _ := m.Get(overflowKey)
	if strings.Contains(gathered.Str(), "… [cut, was ") {
		return // it is no JSON any more
	}
	var rest map[string]any
	must(t, json.Unmarshal([]byte(gathered.Str()), &rest))
	for i := range n {
		key := fmt.Sprintf("key.%d", i)
		v, stays := m.Get(key)
		other, moved := rest[key]
		if stays == moved {
			t.Fatalf("%s stays: %t, is in the JSON: %t", key, stays, moved)
		}
		if list, ok := other.([]any); ok {
			other = list[0]
		}
		if moved && other != value || stays && v.Type() == pcommon.ValueTypeStr && v.Str() != value {
			t.Fatalf("%s has another value", key)
		}
	}
}

// TestLinearTime compares attributes with eight times as many: what is quadratic takes 64 times as
// long. The shortest of several runs counts.
func TestLinearTime(t *testing.T) {
	for what, key := range map[string]func(int) string{
		"too many": func(i int) string { return fmt.Sprintf("key.%d", i) },
		"renamed":  func(i int) string { return strings.Repeat("_", i%50) },
		"one key":  func(int) string { return "same" },
		"a name":   func(int) string { return serviceName },
		"no UTF-8": func(i int) string { return fmt.Sprintf("\xff%d", i) },
	} {
		p := newLogs(t, testConfig(), testSettings(componenttest.NewTelemetry()), &recorder{})
		cost := func(n int) time.Duration {
			template := plog.NewLogs()
			r := template.ResourceLogs().AppendEmpty()
			record := r.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
			appendAll(r.Resource().Attributes(), n, key)
			appendAll(record.Attributes(), n, key)
			shortest := time.Hour
			for range 7 {
				data := plog.NewLogs()
				template.CopyTo(data)
				started := time.Now()
				_, err := p.process(t.Context(), data)
				shortest = min(shortest, time.Since(started))
				must(t, err)
			}
			return shortest
		}
		few, many := cost(2_000), cost(16_000)
		if many > 30*few {
			t.Errorf("%s: 2,000 take %s and 16,000 take %s", what, few, many)
		}
	}
}
