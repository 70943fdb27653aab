// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package piiprocessor

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

const batchSize = 100

// ids makes ids as services do, the same ones at each run: ids of one kind would hide what others
// cost.
type ids struct{ random *rand.Rand }

func newIDs() ids { return ids{rand.New(rand.NewPCG(1, 2))} }

func (i ids) hex(digits int) string {
	return fmt.Sprintf("%016x%016x%016x%016x", i.random.Uint64(), i.random.Uint64(), i.random.Uint64(), i.random.Uint64())[:digits]
}

func (i ids) uuid() string {
	h := i.hex(32)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

func resourceAttributes(m pcommon.Map) {
	m.PutStr("service.name", "backend-api")
	m.PutStr("service.version", "1.14.2")
	m.PutStr("service.instance.id", "627cc493-f310-47de-96bd-71410b7dec09")
	m.PutStr("telemetry.sdk.version", "1.45.1")
	m.PutStr("host.name", "ip-10-0-12-7")
}

// plainLogs are records as a service writes them, with eight attributes and nothing personal.
func plainLogs(n int) plog.Logs {
	data := plog.NewLogs()
	resource := data.ResourceLogs().AppendEmpty()
	resourceAttributes(resource.Resource().Attributes())
	scope := resource.ScopeLogs().AppendEmpty()
	scope.Scope().SetName("backend.payments")
	made := newIDs()
	for range n {
		record := scope.LogRecords().AppendEmpty()
		record.SetSeverityText("INFO")
		record.SetEventName("payment.confirmed")
		tx := made.uuid()
		record.Body().SetStr("Payment " + tx + " confirmed after 3 blocks in 12.4 s")
		attributes := record.Attributes()
		attributes.PutStr("payment.transaction_id", tx)
		attributes.PutStr("payment.currency", "EUR")
		attributes.PutDouble("payment.amount", 12.5)
		attributes.PutStr("payment.blockchain_tx_id", "0x"+made.hex(64))
		attributes.PutStr("correlation.id", made.hex(32))
		attributes.PutStr("request.id", made.uuid())
		attributes.PutStr("code.function.name", "backend.payments.confirm_payment")
		attributes.PutInt("code.line.number", 184)
	}
	return data
}

// plainSpans are server spans with twelve attributes and nothing personal.
func plainSpans(n int) ptrace.Traces {
	data := ptrace.NewTraces()
	resource := data.ResourceSpans().AppendEmpty()
	resourceAttributes(resource.Resource().Attributes())
	scope := resource.ScopeSpans().AppendEmpty()
	scope.Scope().SetName("opentelemetry.instrumentation.asgi")
	made := newIDs()
	for range n {
		span := scope.Spans().AppendEmpty()
		span.SetName("GET /payments/{transaction_id}")
		attributes := span.Attributes()
		attributes.PutStr("http.request.method", "GET")
		attributes.PutStr("url.scheme", "http")
		attributes.PutStr("url.path", "/payments/"+made.uuid())
		attributes.PutStr("http.route", "/payments/{transaction_id}")
		attributes.PutInt("http.response.status_code", 200)
		attributes.PutStr("network.protocol.version", "1.1")
		attributes.PutStr("server.address", "api.internal")
		attributes.PutInt("server.port", 8000)
		attributes.PutStr("client.address", "10.0.3.44")
		attributes.PutStr("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36")
		attributes.PutStr("request.id", made.uuid())
		attributes.PutStr("correlation.id", made.hex(32))
	}
	return data
}

func plainMetrics(n int) pmetric.Metrics {
	data := pmetric.NewMetrics()
	resource := data.ResourceMetrics().AppendEmpty()
	resourceAttributes(resource.Resource().Attributes())
	metrics := resource.ScopeMetrics().AppendEmpty().Metrics()
	for range n {
		metric := metrics.AppendEmpty()
		metric.SetName("http.server.request.duration")
		metric.SetUnit("s")
		metric.SetDescription("Duration of HTTP server requests.")
		point := metric.SetEmptyHistogram().DataPoints().AppendEmpty()
		point.Attributes().PutStr("http.request.method", "GET")
		point.Attributes().PutStr("http.route", "/payments/{transaction_id}")
		point.Attributes().PutInt("http.response.status_code", 200)
		point.Exemplars().AppendEmpty().FilteredAttributes().PutStr("request.id", "b7ad6b7169203331")
	}
	return data
}

type round struct {
	name string
	run  func()
}

func rounds(t testing.TB) []round {
	set := testSettings(componenttest.NewTelemetry())
	logChecker, err := newChecker(set, testConfig(), "logs", newLogSurfaces())
	fatal(t, err)
	traceChecker, err := newChecker(set, testConfig(), "traces", newTraceSurfaces())
	fatal(t, err)
	metricChecker, err := newChecker(set, testConfig(), "metrics", newMetricSurfaces())
	fatal(t, err)
	doLogs, doTraces, doMetrics := processLogs(logChecker), processTraces(traceChecker), processMetrics(metricChecker)
	logs, traces, metrics, ctx := plainLogs(batchSize), plainSpans(batchSize), plainMetrics(batchSize), t.Context()
	return []round{
		{"logs", func() {
			if _, err := doLogs(ctx, logs); err != nil {
				t.Error(err)
			}
		}},
		{"traces", func() {
			if _, err := doTraces(ctx, traces); err != nil {
				t.Error(err)
			}
		}},
		{"metrics", func() {
			if _, err := doMetrics(ctx, metrics); err != nil {
				t.Error(err)
			}
		}},
	}
}

func TestNothingIsAllocatedWhereNothingIsFound(t *testing.T) {
	for _, one := range rounds(t) {
		one.run() // learns the keys
		if n := testing.AllocsPerRun(100, one.run); n > 0 {
			t.Errorf("%s: %.0f allocations a batch of %d", one.name, n, batchSize)
		}
	}
}

// BenchmarkRecord measures the time of one record: run with -cpu 1.
func BenchmarkRecord(b *testing.B) {
	for _, one := range rounds(b) {
		b.Run(one.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				one.run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batchSize, "ns/record")
		})
	}
}
