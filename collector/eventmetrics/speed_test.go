// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

const recordsARequest = 100

// requestOf has a hundred events as a service sends them, or other records.
func requestOf(name string) plog.Logs {
	logs := batch()
	logs.ResourceLogs().At(0).Resource().Attributes().PutStr("service.instance.id", "0b1f6f0e-7c1f-4e0e-9c39-6f1f3e8a8f10")
	for range recordsARequest {
		record := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().AppendEmpty()
		record.SetSeverityNumber(9)
		record.SetSeverityText("INFO")
		record.SetTraceID(pcommon.TraceID{1, 2, 3})
		record.SetSpanID(pcommon.SpanID{1})
		record.Body().SetStr("Payment created")
		event(name, map[string]any{
			"payment.currency": "EUR", "payment.amount": 19.99, "payment.delay": 2.5,
			"payment.transaction_id": "tx_6f1f3e8a8f100b1f6f0e7c1f4e0e9c39", "user.id": "9c396f1f3e8a8f10",
			"request.id": "0b1f6f0e7c1f4e0e9c396f1f3e8a8f10", "correlation.id": "0b1f6f0e7c1f4e0e9c396f1f3e8a8f10",
		})(record)
	}
	return logs
}

// cpuTime is what this process has used, which a busy machine changes little.
func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func BenchmarkConsume(b *testing.B) {
	for _, one := range []struct {
		name, event string
		window      time.Duration
		fresh       bool
	}{
		{"events without window", "payment.created", 0, true},
		{"events", "payment.created", 10 * time.Minute, true},
		{"repeated events", "payment.created", 10 * time.Minute, false},
		{"other records", "cart.opened", 10 * time.Minute, true},
	} {
		b.Run(one.name, func(b *testing.B) {
			config := atOnce()
			config.Repeats = RepeatsConfig{Window: one.window, IDs: defaultIDs}
			r := start(b, config, nil)
			defer r.shutdown(b)
			logs := requestOf(one.event)
			records := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
			n := pcommon.Timestamp(0)
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				if one.fresh {
					for i := range records.Len() {
						n++
						records.At(i).SetTimestamp(n)
					}
				}
				r.post(b, logs)
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N*recordsARequest), "cpu-ns/record")
		})
	}
}

// BenchmarkFlush: one of a thousand series has changed.
func BenchmarkFlush(b *testing.B) {
	config := kept()
	config.Families[0].Labels[0].MaxDynamicValues = 1000
	r := start(b, config, &memory{})
	defer r.shutdown(b)
	for i := range 1000 {
		r.send(b, event("payment.failed", map[string]any{"payment.currency": fmt.Sprint("X", i)}))
	}
	if err := r.flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	logs := batch(event("payment.failed", map[string]any{"payment.currency": "X7"}))
	b.ReportAllocs()
	for b.Loop() {
		r.post(b, logs)
		if err := r.flush(context.Background()); err != nil {
			b.Fatal(err)
		}
		r.sink.Reset()
	}
}

// BenchmarkMemory measures what one id takes when both generations are full.
func BenchmarkMemory(b *testing.B) {
	heap := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	for b.Loop() {
		before := heap()
		r := newRepeats(RepeatsConfig{Window: time.Hour, IDs: defaultIDs}, begin)
		for i := range uint64(2 * defaultIDs) {
			r.seen(identity{i}.nth(uint32(i)), begin)
		}
		b.ReportMetric(float64(heap()-before)/(2*defaultIDs), "B/id")
		b.ReportMetric(float64(heap()-before)/(1<<20), "MiB")
		runtime.KeepAlive(r)
	}
}
