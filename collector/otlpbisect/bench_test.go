// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configcompression"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/plog"
)

// usual is a batch of records with 8 attributes.
func usual(n int) plog.Logs {
	data := plog.NewLogs()
	resource := data.ResourceLogs().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "api")
	records := resource.ScopeLogs().AppendEmpty().LogRecords()
	for i := range n {
		record := records.AppendEmpty()
		record.SetTimestamp(1_800_000_000_000_000_000)
		record.Body().SetStr(fmt.Sprintf("payment %d was confirmed after two seconds", i))
		for j := range 8 {
			record.Attributes().PutStr(fmt.Sprint("payment.attribute", j), fmt.Sprint("value ", i*j))
		}
	}
	return data
}

// BenchmarkPush is the good case, ours and the stock exporter in turns, per batch. It shows CPU
// time of the whole process, with the server's part in both, so that a busy machine counts less.
func BenchmarkPush(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer server.Close()
	for _, size := range []int{1, 100, 5000} {
		for _, compression := range []configcompression.Type{"none", configcompression.TypeGzip} {
			b.Run(fmt.Sprintf("records=%d/compression=%s", size, compression), func(b *testing.B) {
				ours := testConfig(server.URL)
				ours.DeadLetter = nil
				ours.ClientConfig.Compression = compression
				ours.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]()
				stock := otlphttpexporter.NewFactory().CreateDefaultConfig().(*otlphttpexporter.Config)
				stock.ClientConfig = ours.ClientConfig
				stock.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]()
				pushOurs := running(b, NewFactory(), ours)
				pushStock := running(b, otlphttpexporter.NewFactory(), stock)
				data := usual(size)
				var costOurs, costStock []time.Duration
				for b.Loop() {
					costOurs = append(costOurs, cpuTime(b, func() { pushOurs(data) }))
					costStock = append(costStock, cpuTime(b, func() { pushStock(data) }))
				}
				perRecord := func(costs []time.Duration) float64 {
					slices.Sort(costs)
					return float64(costs[len(costs)/2].Nanoseconds()) / float64(size)
				}
				b.ReportMetric(perRecord(costOurs), "bisect-ns/record")
				b.ReportMetric(perRecord(costStock), "stock-ns/record")
				b.ReportMetric(testing.AllocsPerRun(20, func() { pushOurs(data) }), "bisect-allocs")
				b.ReportMetric(testing.AllocsPerRun(20, func() { pushStock(data) }), "stock-allocs")
			})
		}
	}
}

func running(b *testing.B, factory exporter.Factory, cfg component.Config) func(plog.Logs) {
	made, err := factory.CreateLogs(b.Context(), exporter.Settings{
		ID: component.NewID(factory.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings(),
	}, cfg)
	fatal(b, err)
	fatal(b, made.Start(b.Context(), componenttest.NewNopHost()))
	b.Cleanup(func() { fatal(b, made.Shutdown(context.Background())) })
	return func(data plog.Logs) { fatal(b, made.ConsumeLogs(b.Context(), data)) }
}

// cpuTime is what the process used meanwhile.
func cpuTime(b *testing.B, work func()) time.Duration {
	var before, after syscall.Rusage
	fatal(b, syscall.Getrusage(syscall.RUSAGE_SELF, &before))
	work()
	fatal(b, syscall.Getrusage(syscall.RUSAGE_SELF, &after))
	return time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
}

// BenchmarkBatch is what the helper's own batching costs, by items and by bytes: requests of 100
// records come, batches of 5,000 records or of about as many bytes leave.
func BenchmarkBatch(b *testing.B) {
	const arrive = 100
	size := int64((&plog.ProtoMarshaler{}).LogsSize(usual(arrive)))
	for name, batch := range map[string]exporterhelper.BatchConfig{
		"items":      {Sizer: exporterhelper.RequestSizerTypeItems, MinSize: 500, MaxSize: 5000},
		"bytes":      {Sizer: exporterhelper.RequestSizerTypeBytes, MinSize: 5 * size, MaxSize: 50 * size},
		"items tiny": {Sizer: exporterhelper.RequestSizerTypeItems, MinSize: 30, MaxSize: 30}, // all are split
		"bytes tiny": {Sizer: exporterhelper.RequestSizerTypeBytes, MinSize: size / 3, MaxSize: size / 3},
	} {
		for _, onDisk := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/disk=%v", name, onDisk), func(b *testing.B) {
				queue := exporterhelper.NewDefaultQueueConfig()
				queue.Sizer = exporterhelper.RequestSizerTypeBytes
				queue.QueueSize = 64 << 20
				queue.BlockOnOverflow = true
				batch.FlushTimeout = 20 * time.Millisecond
				queue.Batch = configoptional.Some(batch)
				there := host{}
				if onDisk {
					factory := filestorage.NewFactory()
					cfg := factory.CreateDefaultConfig()
					fatal(b, confmap.NewFromStringMap(map[string]any{"directory": b.TempDir()}).Unmarshal(cfg))
					storage, err := factory.Create(b.Context(), extension.Settings{
						ID: storageID, TelemetrySettings: componenttest.NewNopTelemetrySettings(),
					}, cfg)
					fatal(b, err)
					fatal(b, storage.Start(b.Context(), there))
					there[storageID] = storage
					queue.StorageID = &storageID
				}
				var left atomic.Int64
				set := exporter.Settings{
					ID: component.NewID(componentType), TelemetrySettings: componenttest.NewNopTelemetrySettings(),
				}
				made, err := exporterhelper.NewLogs(b.Context(), set, &Config{},
					func(_ context.Context, data plog.Logs) error { left.Add(-int64(data.LogRecordCount())); return nil },
					exporterhelper.WithQueue(configoptional.Some(queue)))
				fatal(b, err)
				fatal(b, made.Start(b.Context(), there))
				requests := make([]plog.Logs, 500)
				b.ReportAllocs()
				records, cost := 0, time.Duration(0)
				for b.Loop() {
					b.StopTimer()
					for i := range requests {
						requests[i] = usual(arrive)
					}
					left.Store(int64(len(requests) * arrive))
					b.StartTimer()
					cost += cpuTime(b, func() {
						for _, one := range requests {
							fatal(b, made.ConsumeLogs(b.Context(), one))
						}
						for left.Load() > 0 {
							time.Sleep(time.Millisecond)
						}
					})
					records += len(requests) * arrive
				}
				b.ReportMetric(float64(cost.Nanoseconds())/float64(records), "cpu-ns/record")
				fatal(b, made.Shutdown(context.Background()))
			})
		}
	}
}
