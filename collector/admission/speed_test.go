// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
)

const batchRecords = 500

func settings() processor.Settings {
	return processor.Settings{
		ID: component.NewID(componentType), TelemetrySettings: componenttest.NewNopTelemetrySettings(),
	}
}

func fill(m pcommon.Map, n int) {
	for i := range n {
		if i%3 == 0 {
			m.PutInt(fmt.Sprintf("shop.number.%d", i), int64(i))
			continue
		}
		m.PutStr(fmt.Sprintf("shop.attribute.%d", i), "an ordinary value of some length")
	}
}

func describeResource(r pcommon.Resource) {
	r.Attributes().PutStr("service.name", "shop")
	r.Attributes().PutStr("service.version", "1.2.3")
	r.Attributes().PutStr("deployment.environment.name", "test")
}

func ordinaryLogs() plog.Logs {
	data := plog.NewLogs()
	r := data.ResourceLogs().AppendEmpty()
	describeResource(r.Resource())
	s := r.ScopeLogs().AppendEmpty()
	s.Scope().SetName("shop.orders")
	for i := range batchRecords {
		record := s.LogRecords().AppendEmpty()
		record.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
		record.SetSeverityText("INFO")
		record.Body().SetStr(fmt.Sprintf("order %d was packed and handed to the carrier", i))
		fill(record.Attributes(), 8)
	}
	return data
}

func ordinaryTraces() ptrace.Traces {
	data := ptrace.NewTraces()
	r := data.ResourceSpans().AppendEmpty()
	describeResource(r.Resource())
	s := r.ScopeSpans().AppendEmpty()
	for i := range batchRecords {
		span := s.Spans().AppendEmpty()
		span.SetTraceID(pcommon.TraceID{1, byte(i), byte(i >> 8)})
		span.SetSpanID(pcommon.SpanID{1, byte(i), byte(i >> 8)})
		span.SetName("GET /orders/{id}")
		span.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Now().Add(-time.Second)))
		span.SetEndTimestamp(pcommon.NewTimestampFromTime(time.Now()))
		fill(span.Attributes(), 12)
	}
	return data
}

func ordinaryMetrics() pmetric.Metrics {
	data := pmetric.NewMetrics()
	r := data.ResourceMetrics().AppendEmpty()
	describeResource(r.Resource())
	s := r.ScopeMetrics().AppendEmpty()
	for i := range batchRecords / 10 {
		m := s.Metrics().AppendEmpty()
		m.SetName(fmt.Sprintf("shop.orders.%d", i))
		sum := m.SetEmptySum()
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for range 10 {
			point := sum.DataPoints().AppendEmpty()
			point.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
			point.SetIntValue(3)
			fill(point.Attributes(), 4)
		}
	}
	return data
}

// free lifts the bounds on services, which a benchmark would run into.
func free() *Config {
	config := createDefaultConfig().(*Config)
	config.Services.RecordsPerSecond, config.Services.BytesPerSecond = 0, 0
	return config
}

func BenchmarkRecord(b *testing.B) {
	config := free()
	b.Run("logs", func(b *testing.B) {
		p, err := newAdmission(settings(), config, logs, config.Logs.part())
		must(b, err)
		measure(b, ordinaryLogs(), p)
	})
	b.Run("traces", func(b *testing.B) {
		p, err := newAdmission(settings(), config, traces, config.Traces.part())
		must(b, err)
		measure(b, ordinaryTraces(), p)
	})
	b.Run("metrics", func(b *testing.B) {
		p, err := newAdmission(settings(), config, metrics, config.Metrics.part())
		must(b, err)
		measure(b, ordinaryMetrics(), p)
	})
}

func measure[B any, R resource](b *testing.B, data B, p *admission[B, R]) {
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := p.process(b.Context(), data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batchRecords, "ns/record")
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
