// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"glasshouse.example/collector/casetest"
	"glasshouse.example/collector/deadletter"
)

// aged is a request of one metric with a point of each age.
func aged(ages ...time.Duration) pmetric.Metrics {
	data := pmetric.NewMetrics()
	r := data.ResourceMetrics().AppendEmpty()
	r.Resource().Attributes().PutStr(serviceName, "shop")
	m := r.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("orders")
	all := m.SetEmptyGauge().DataPoints()
	for i, age := range ages {
		point := all.AppendEmpty()
		point.SetTimestamp(pcommon.NewTimestampFromTime(casetest.Now.Add(-age)))
		point.SetIntValue(int64(i))
	}
	return data
}

const day = 24 * time.Hour

func TestWhatFindsNoDeadLetterIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		config *Config
		store  *recorder
		want   map[string]string // counter and labels
	}{
		"kept":   {testConfig(), &recorder{}, map[string]string{"set_aside": "reason=late,service=shop,signal=metrics"}},
		"full":   {testConfig(), &recorder{err: errors.New("full of secrets")}, map[string]string{"refused": "reason=late,service=shop,signal=metrics"}},
		"no one": {createDefaultConfig().(*Config), &recorder{}, map[string]string{"refused": "reason=late,service=shop,signal=metrics"}},
	} {
		t.Run(name, func(t *testing.T) {
			telemetry := componenttest.NewTelemetry()
			set := testSettings(telemetry)
			core, logged := observer.New(zap.DebugLevel)
			set.Logger = zap.New(core)
			p := newMetrics(t, c.config, set, c.store)
			for range 3 {
				left, err := p.process(t.Context(), aged(day, time.Hour, 2*day))
				must(t, err)
				if n := left.DataPointCount(); n != 1 {
					t.Errorf("%d points are left", n)
				}
			}
			for _, counter := range []string{"repaired", "refused", "set_aside", "throttled"} {
				got := casetest.Counted(t, telemetry, counters[counter])
				if labels, counts := c.want[counter]; counts && (got[labels] != 6 || len(got) != 1) || !counts && len(got) > 0 {
					t.Errorf("%s: counted %v", counter, got)
				}
			}
			// One line, not one a record, and nothing of a record or of an error in it.
			if logged.Len() != 1 {
				t.Errorf("%d lines are logged", logged.Len())
			}
			for _, line := range logged.All() {
				text := line.Message
				for _, field := range line.Context {
					text += " " + field.String
				}
				if !strings.Contains(text, "late") || strings.Contains(text, "orders") || strings.Contains(text, "secret") {
					t.Errorf("the log says %q", text)
				}
			}
		})
	}
}

// TestALetterIsSentOnceForEachReason: each is a write that waits for the disk.
func TestALetterIsSentOnceForEachReason(t *testing.T) {
	letters := &recorder{}
	p := newMetrics(t, testConfig(), testSettings(componenttest.NewTelemetry()), letters)
	_, err := p.process(t.Context(), aged(day, time.Hour, 2*day, time.Hour, 3*day))
	must(t, err)
	if len(letters.letters) != 1 {
		t.Fatalf("%d letters are sent", len(letters.letters))
	}
	if one := letters.letters[0]; one.signal != signalMetrics || one.reason != "late" || one.source != "admission" {
		t.Errorf("it is one of %s, for %s, from %s", one.signal, one.reason, one.source)
	}
}

// TestWhatIsSetAsideIsKeptAlthoughTheSenderHasGone: it has left its request already.
func TestWhatIsSetAsideIsKeptAlthoughTheSenderHasGone(t *testing.T) {
	letters := &watchful{}
	p := newMetrics(t, testConfig(), testSettings(componenttest.NewTelemetry()), letters)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.process(gone, aged(day, time.Hour))
	must(t, err) // too short to be given up
	if len(letters.letters) != 1 || letters.gone {
		t.Errorf("%d letters are sent, with a context that is over: %t", len(letters.letters), letters.gone)
	}
}

// watchful notes whether it is called for a sender that has gone.
type watchful struct {
	recorder
	gone bool
}

func (w *watchful) PutMetrics(ctx context.Context, reason, source string, data pmetric.Metrics) error {
	w.gone = w.gone || ctx.Err() != nil
	return w.recorder.PutMetrics(ctx, reason, source, data)
}

// TestTheExtensionKeepsIt writes with the real one and reads its file.
func TestTheExtensionKeepsIt(t *testing.T) {
	folder := t.TempDir()
	factory := deadletter.NewFactory()
	config := factory.CreateDefaultConfig().(*deadletter.Config)
	config.Directory = folder
	telemetry := componenttest.NewTelemetry()
	letters, err := factory.Create(t.Context(), extension.Settings{
		ID: deadLetterID, TelemetrySettings: telemetry.NewTelemetrySettings(),
	}, config)
	must(t, err)
	must(t, letters.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { must(t, letters.Shutdown(context.Background())) })
	p := newMetrics(t, testConfig(), testSettings(componenttest.NewTelemetry()), letters)

	// Its reasons show before the first record comes.
	written, err := telemetry.GetMetric("otelcol_extension_dead_letter_written")
	must(t, err)
	shown := ""
	for _, point := range written.Data.(metricdata.Sum[int64]).DataPoints {
		shown += fmt.Sprintf("%s=%d ", point.Attributes.Encoded(attribute.DefaultEncoder()), point.Value)
	}
	for _, why := range []string{"late", "broken"} {
		if !strings.Contains(shown, "reason="+why+",signal=metrics=0 ") {
			t.Errorf("shown are %s", shown)
		}
	}

	_, err = p.process(t.Context(), aged(day, time.Hour))
	must(t, err)
	text, err := os.ReadFile(filepath.Join(folder, "metrics.jsonl"))
	must(t, err)
	var line struct {
		Reason, Source, Signal string
		Items                  int
		OTLP                   json.RawMessage
	}
	must(t, json.Unmarshal(text, &line))
	if line.Reason != "late" || line.Source != component.NewID(componentType).String() || line.Signal != signalMetrics || line.Items != 1 {
		t.Errorf("the line says %s", text)
	}
	kept, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(line.OTLP)
	must(t, err)
	r := kept.ResourceMetrics().At(0)
	name, _ := r.Resource().Attributes().Get(serviceName)
	m := r.ScopeMetrics().At(0).Metrics().At(0)
	if name.Str() != "shop" || m.Name() != "orders" || m.Gauge().DataPoints().Len() != 1 || m.Gauge().DataPoints().At(0).IntValue() != 0 {
		t.Errorf("kept is %s", line.OTLP)
	}
}

// TestALargeResourceIsCopiedOnce: each scope and each metric of it may have something set aside.
func TestALargeResourceIsCopiedOnce(t *testing.T) {
	data := pmetric.NewMetrics()
	r := data.ResourceMetrics().AppendEmpty()
	for i := range 1000 {
		r.Resource().Attributes().PutStr(strings.Repeat("k", i+1), "v")
	}
	size := (&pmetric.ProtoMarshaler{}).MetricsSize(data)
	for range 1000 {
		m := r.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		m.SetEmptyGauge().DataPoints().AppendEmpty().SetTimestamp(1)
	}
	letters := &recorder{}
	config := testConfig()
	config.Metrics.Actions = map[string]string{"no_value": "set_aside"}
	p := newMetrics(t, config, testSettings(componenttest.NewTelemetry()), letters)
	_, _ = p.process(t.Context(), data)
	if got := len(letters.all()); got > 3*size {
		t.Errorf("%d bytes are set aside, of a resource of %d", got, size)
	}
}
