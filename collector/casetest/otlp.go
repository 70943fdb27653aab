// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package casetest

import (
	"bytes"
	"encoding/json"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.yaml.in/yaml/v3"
)

func signalOf(t testing.TB, section string) string {
	t.Helper()
	var request map[string]any
	fatal(t, yaml.Unmarshal([]byte(section), &request))
	signals := map[string]string{
		"resourceSpans": "traces", "resourceLogs": "logs", "resourceMetrics": "metrics",
	}
	for key := range request {
		if signal, known := signals[key]; known && len(request) == 1 {
			return signal
		}
	}
	t.Fatal("the section in is none of resourceSpans, resourceLogs, resourceMetrics")
	return ""
}

// encode turns YAML into protobuf.
func encode(signal, section string) ([]byte, error) {
	var document any
	if err := yaml.Unmarshal([]byte(section), &document); err != nil {
		return nil, err
	}
	text, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	text = withBytes(text)
	switch signal {
	case "traces":
		data, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(text)
		if err != nil {
			return nil, err
		}
		return (&ptrace.ProtoMarshaler{}).MarshalTraces(data)
	case "logs":
		data, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(text)
		if err != nil {
			return nil, err
		}
		return (&plog.ProtoMarshaler{}).MarshalLogs(data)
	default:
		data, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(text)
		if err != nil {
			return nil, err
		}
		return (&pmetric.ProtoMarshaler{}).MarshalMetrics(data)
	}
}

// withBytes puts single bytes where U+E080 to U+E0FF stand. Neither YAML nor JSON has a form for
// text that is no UTF-8; the Collector's own decoder takes it.
func withBytes(text []byte) []byte {
	for b := 0x80; b <= 0xFF; b++ {
		text = bytes.ReplaceAll(text, []byte(string(rune(0xE000+b))), []byte{byte(b)})
	}
	return text
}

// show is a request as people read it.
func show(t testing.TB, signal string, request []byte) string {
	t.Helper()
	var text []byte
	switch signal {
	case "traces":
		data, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(request)
		fatal(t, err)
		text, err = (&ptrace.JSONMarshaler{}).MarshalTraces(data)
		fatal(t, err)
	case "logs":
		data, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(request)
		fatal(t, err)
		text, err = (&plog.JSONMarshaler{}).MarshalLogs(data)
		fatal(t, err)
	default:
		data, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(request)
		fatal(t, err)
		text, err = (&pmetric.JSONMarshaler{}).MarshalMetrics(data)
		fatal(t, err)
	}
	var pretty bytes.Buffer
	fatal(t, json.Indent(&pretty, text, "", " "))
	return pretty.String()
}
