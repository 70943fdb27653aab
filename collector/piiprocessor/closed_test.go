// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package piiprocessor

import (
	"bytes"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/protobuf/proto"

	"glasshouse.example/collector/casetest"
	"glasshouse.example/collector/piiprocessor/engine"
)

// brittle breaks on one word, as an engine with a bug would.
type brittle struct{ redactor }

const brittleWord = "break-here"

func (b brittle) String(key, s string, hits *engine.Hits) (string, bool) {
	if strings.Contains(s, brittleWord) {
		panic("cannot check " + s)
	}
	return b.redactor.String(key, s, hits)
}

func brittleConfig(t testing.TB, onError string) *Config {
	cfg := testConfig()
	cfg.OnError = onError
	whole, err := cfg.load()
	fatal(t, err)
	cfg.loading.redactor = brittle{whole}
	return cfg
}

// broken is a request of each signal with three records, of which the middle one breaks the check.
func broken(t *testing.T) map[string][]byte {
	names := []string{"first", brittleWord + " 4111111111111111", "third"}
	logs, traces, metrics := plog.NewLogs(), ptrace.NewTraces(), pmetric.NewMetrics()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	spans := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	all := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	for _, name := range names {
		records.AppendEmpty().Body().SetStr(name)
		spans.AppendEmpty().SetName(name)
		metric := all.AppendEmpty()
		metric.SetName("orders")
		metric.SetEmptyGauge().DataPoints().AppendEmpty().Attributes().PutStr("name", name)
	}
	encoded := map[string][]byte{}
	var err error
	encoded["logs"], err = (&plog.ProtoMarshaler{}).MarshalLogs(logs)
	fatal(t, err)
	encoded["traces"], err = (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
	fatal(t, err)
	encoded["metrics"], err = (&pmetric.ProtoMarshaler{}).MarshalMetrics(metrics)
	fatal(t, err)
	return encoded
}

func TestARecordThatBreaksTheCheckIsNotPassedOn(t *testing.T) {
	requests := broken(t)
	for _, onError := range []string{onErrorDrop, onErrorMask} {
		t.Run(onError, func(t *testing.T) {
			telemetry := componenttest.NewTelemetry()
			set := testSettings(telemetry)
			core, logged := observer.New(zap.WarnLevel)
			set.Logger = zap.New(core)
			for _, one := range pipelines(t, set, brittleConfig(t, onError), "") {
				out, err := one.run(requests[one.signal])
				fatal(t, err)
				for word, want := range map[string]bool{
					"first": true, "third": true, brittleWord: false, "4111111111111111": false,
					unchecked: onError == onErrorMask && one.signal != "metrics",
				} {
					if got := bytes.Contains(out, []byte(word)); got != want {
						t.Errorf("%s: %q is passed on: %t", one.signal, word, got)
					}
				}
			}
			action := map[string]string{onErrorDrop: dropped, onErrorMask: masked}[onError]
			got := casetest.Counted(t, telemetry, "otelcol_processor_pii_unscanned")
			want := map[string]int64{
				"action=" + action + ",signal=logs":     1,
				"action=" + action + ",signal=traces":   1,
				"action=" + dropped + ",signal=metrics": 1,
			}
			for labels, n := range want {
				if got[labels] != n {
					t.Errorf("%s: counted %d", labels, got[labels])
				}
			}
			if len(got) != len(want) {
				t.Errorf("counted %v", got)
			}
			if logged.Len() != 3 {
				t.Errorf("%d lines are logged, not one a signal", logged.Len())
			}
			for _, line := range logged.All() {
				text := line.Message
				for _, field := range line.Context {
					text += " " + field.String
				}
				if !strings.Contains(text, errPanic.Error()) || strings.Contains(text, brittleWord) {
					t.Errorf("the log says %q", text)
				}
			}
		})
	}
}

// TestABrokenBatchIsRefused breaks what lies outside of single records.
func TestABrokenBatchIsRefused(t *testing.T) {
	set := testSettings(componenttest.NewTelemetry())
	c, err := newChecker(set, testConfig(), "logs", newLogSurfaces())
	fatal(t, err)
	_, err = batch(t.Context(), c, plog.NewLogs(), func(*traversal, plog.Logs) int { panic("broken") })
	if err != errBatch {
		t.Errorf("the error is %v", err)
	}
}

// FuzzTraversal feeds whatever decodes as OTLP. The traversal must not break, and what it has redacted must
// be left alone when it comes by again.
func FuzzTraversal(f *testing.F) {
	for _, request := range requests() {
		encoded, err := proto.Marshal(request)
		fatal(f, err)
		f.Add(encoded)
	}
	telemetry := componenttest.NewTelemetry()
	all := pipelines(f, testSettings(telemetry), testConfig(), "")
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, one := range all {
			once, err := one.run(in)
			if err == errNotOTLP {
				continue
			}
			fatal(t, err)
			if once == nil {
				continue
			}
			twice, err := one.run(once)
			fatal(t, err)
			if !bytes.Equal(once, twice) {
				t.Errorf("%s: redacting twice is not the same as once", one.signal)
			}
		}
	})
}
