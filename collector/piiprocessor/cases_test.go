// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package piiprocessor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.yaml.in/yaml/v3"
)

// TestCases runs testdata/cases: one file a case, of sections that begin with "-- name --".
//
//	config     keys of the processor's configuration, if other than the defaults
//	in         one OTLP request: resourceSpans, resourceLogs or resourceMetrics
//	out        the whole of what is passed on; empty when nothing is
//	telemetry  the whole of what the processor counted, one line a counter
//
// A new case needs no Go.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*.case")
	fatal(t, err)
	if len(files) == 0 {
		t.Fatal("no cases")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".case"), func(t *testing.T) {
			runCase(t, file)
		})
	}
}

func runCase(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	fatal(t, err)
	sections := parseSections(t, string(text))
	cfg := testConfig()
	changes := map[string]any{}
	fatal(t, yaml.Unmarshal([]byte(sections["config"]), &changes))
	fatal(t, confmap.NewFromStringMap(changes).Unmarshal(cfg))
	fatal(t, cfg.Validate())

	var in map[string]any
	fatal(t, yaml.Unmarshal([]byte(sections["in"]), &in))
	signal := map[string]string{
		"resourceSpans": "traces", "resourceLogs": "logs", "resourceMetrics": "metrics",
	}[slices.Collect(maps.Keys(in))[0]]
	encoded, err := json.Marshal(in)
	fatal(t, err)

	telemetry := componenttest.NewTelemetry()
	for _, one := range pipelines(t, testSettings(telemetry), cfg, "") {
		if one.signal != signal {
			continue
		}
		request, err := toProto(signal, encoded)
		fatal(t, err)
		left, err := one.run(request)
		fatal(t, err)
		compare(t, "out", signal, left, sections["out"])
	}
	var lines []string
	for label, counter := range map[string]string{
		"redacted":  "otelcol_processor_pii_redacted",
		"unchecked": "otelcol_processor_pii_unchecked",
	} {
		for labels, n := range counted(t, telemetry, counter) {
			labels = strings.ReplaceAll(labels, ",signal="+signal, "")
			labels = strings.TrimSuffix(labels, "signal="+signal)
			lines = append(lines, fmt.Sprintf("%s{%s} %d", label, labels, n))
		}
	}
	slices.Sort(lines)
	want := strings.Fields(strings.ReplaceAll(strings.TrimSpace(sections["telemetry"]), " ", "~"))
	for i := range want {
		want[i] = strings.ReplaceAll(want[i], "~", " ")
	}
	if !slices.Equal(lines, want) {
		t.Errorf("telemetry is\n%s", strings.Join(lines, "\n"))
	}
}

func parseSections(t *testing.T, text string) map[string]string {
	sections := map[string]string{}
	name := ""
	for _, line := range strings.SplitAfter(text, "\n") {
		if found, ok := strings.CutPrefix(line, "-- "); ok {
			name = strings.TrimSuffix(strings.TrimSpace(found), " --")
			sections[name] = ""
			continue
		}
		sections[name] += line
	}
	for _, needed := range []string{"in", "out", "telemetry"} {
		if _, ok := sections[needed]; !ok {
			t.Fatalf("section %q is missing", needed)
		}
	}
	return sections
}

func toProto(signal string, encoded []byte) ([]byte, error) {
	switch signal {
	case "traces":
		data, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(encoded)
		if err != nil {
			return nil, err
		}
		return (&ptrace.ProtoMarshaler{}).MarshalTraces(data)
	case "logs":
		data, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(encoded)
		if err != nil {
			return nil, err
		}
		return (&plog.ProtoMarshaler{}).MarshalLogs(data)
	default:
		data, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(encoded)
		if err != nil {
			return nil, err
		}
		return (&pmetric.ProtoMarshaler{}).MarshalMetrics(data)
	}
}

func toJSON(t *testing.T, signal string, request []byte) any {
	var encoded []byte
	switch signal {
	case "traces":
		data, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(request)
		fatal(t, err)
		encoded, err = (&ptrace.JSONMarshaler{}).MarshalTraces(data)
		fatal(t, err)
	case "logs":
		data, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(request)
		fatal(t, err)
		encoded, err = (&plog.JSONMarshaler{}).MarshalLogs(data)
		fatal(t, err)
	default:
		data, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(request)
		fatal(t, err)
		encoded, err = (&pmetric.JSONMarshaler{}).MarshalMetrics(data)
		fatal(t, err)
	}
	return decode(t, encoded)
}

func decode(t *testing.T, encoded []byte) any {
	var document any
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	fatal(t, decoder.Decode(&document))
	return document
}

// compare holds what is left of a request against a section, both in the form that OTLP/JSON has
// after one way through the Collector.
func compare(t *testing.T, what, signal string, left []byte, section string) {
	t.Helper()
	if strings.TrimSpace(section) == "" {
		if left != nil {
			t.Errorf("%s should be empty, is %s", what, pretty(t, toJSON(t, signal, left)))
		}
		return
	}
	var expected any
	fatal(t, yaml.Unmarshal([]byte(section), &expected))
	encoded, err := json.Marshal(expected)
	fatal(t, err)
	request, err := toProto(signal, encoded)
	fatal(t, err)
	if left == nil {
		t.Errorf("%s is empty", what)
		return
	}
	if got, want := toJSON(t, signal, left), toJSON(t, signal, request); !reflect.DeepEqual(got, want) {
		t.Errorf("%s is\n%s\nand should be\n%s", what, pretty(t, got), pretty(t, want))
	}
}

func pretty(t *testing.T, document any) string {
	text, err := json.MarshalIndent(document, "", " ")
	fatal(t, err)
	return string(text)
}
