// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"glasshouse.example/collector/deadletter"
)

var storageID = component.MustNewID("file_storage")

// eventually polls, and reports the last state when it gives up.
func eventually(t *testing.T, what string, state func() (string, bool)) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		last, ok := state()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come about: %s", what, last)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func startExtension(t *testing.T, factory extension.Factory, settings map[string]any) component.Component {
	t.Helper()
	cfg := factory.CreateDefaultConfig()
	fatal(t, confmap.NewFromStringMap(settings).Unmarshal(cfg))
	made, err := factory.Create(t.Context(), extension.Settings{
		ID: component.NewID(factory.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings(),
	}, cfg)
	fatal(t, err)
	fatal(t, made.Start(t.Context(), componenttest.NewNopHost()))
	return made
}

// queued is a configuration with a queue on disk, and short waits.
func queued(endpoint string) *Config {
	cfg := testConfig(endpoint)
	cfg.RetryConfig.InitialInterval = 10 * time.Millisecond
	cfg.RetryConfig.MaxInterval = 20 * time.Millisecond
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.StorageID = &storageID
	queue.NumConsumers = 4
	queue.BlockOnOverflow = true
	queue.Sizer = exporterhelper.RequestSizerTypeBytes
	queue.QueueSize = 64 << 20
	queue.Batch = configoptional.Some(exporterhelper.BatchConfig{
		FlushTimeout: 20 * time.Millisecond, Sizer: exporterhelper.RequestSizerTypeItems, MinSize: 500, MaxSize: 5000,
	})
	cfg.QueueConfig = configoptional.Some(queue)
	return cfg
}

// sums adds what a metric shows over all labels.
func sums(t *testing.T, telemetry *componenttest.Telemetry, name string) (total int64) {
	t.Helper()
	for _, n := range counted(t, telemetry, name) {
		total += n
	}
	return total
}

// TestSentLessRefusedIsStored runs the whole exporter, with the extension that keeps dead letters.
func TestSentLessRefusedIsStored(t *testing.T) {
	directory := t.TempDir()
	letters := startExtension(t, deadletter.NewFactory(), map[string]any{"directory": filepath.Join(directory, "dead")})
	storage := startExtension(t, filestorage.NewFactory(), map[string]any{"directory": directory})
	var turn atomic.Int64
	server := serve(t, logTrial(), func(names []string, size int) reply {
		if turn.Add(1)%4 == 0 {
			return reply{status: http.StatusServiceUnavailable}
		}
		return dislikes(http.StatusBadRequest)(names, size)
	})
	telemetry := componenttest.NewTelemetry()
	set, logged := testSettings(telemetry)
	cfg := queued(server.URL)
	fatal(t, cfg.Validate())
	made, err := NewFactory().CreateLogs(t.Context(), set, cfg)
	fatal(t, err)
	fatal(t, made.Start(t.Context(), host{letterID: letters, storageID: storage}))
	names := numbered(5000, 17, 3210)
	for chunk := range slices.Chunk(names, 100) {
		fatal(t, made.ConsumeLogs(t.Context(), logTrial().make(chunk)))
	}
	eventually(t, "all of it", func() (string, bool) {
		sent := sums(t, telemetry, "otelcol_exporter_sent_log_records")
		return fmt.Sprint(sent, " sent"), sent == 5000
	})
	fatal(t, made.Shutdown(context.Background()))
	stored, _ := server.seen()
	expectSame(t, "stored", stored, good(names))
	expectCounted(t, telemetry, "logs", map[string]int64{"400": 2})
	if failed := sums(t, telemetry, "otelcol_exporter_send_failed_log_records"); failed != 0 {
		t.Errorf("%d failed", failed)
	}
	file, err := os.ReadFile(filepath.Join(directory, "dead", "logs.jsonl"))
	fatal(t, err)
	lines := strings.Split(strings.TrimSpace(string(file)), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines {
		var one struct {
			Reason, Source, Signal string
			Items                  int
		}
		fatal(t, json.Unmarshal([]byte(line), &one))
		if one.Reason != "status_400" || one.Source != "otlp_bisect/there" || one.Signal != "logs" || one.Items != 1 {
			t.Errorf("the line says %+v", one)
		}
	}
	for _, line := range logged.All() {
		if strings.Contains(fmt.Sprint(line), secret) {
			t.Errorf("%v quotes a record", line)
		}
	}
}

// TestAQueueOnDiskLosesNothing stops in the midst of batches of each kind of trouble, and starts
// again with the queue.
func TestAQueueOnDiskLosesNothing(t *testing.T) {
	for name, status := range map[string]int{
		"throttled": 429, "broken": 500, "refused": 400, "away": 503, "hangs up": 0,
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			kept := &letters{}
			var healed atomic.Bool
			server := serve(t, logTrial(), func(names []string, size int) reply {
				if healed.Load() {
					return reply{status: http.StatusOK}
				}
				return dislikes(status)(names, size)
			})
			names := numbered(2000, 1000)
			run := func(body func(exporter.Logs)) {
				storage := startExtension(t, filestorage.NewFactory(), map[string]any{"directory": directory})
				telemetry := componenttest.NewTelemetry()
				set, _ := testSettings(telemetry)
				made, err := NewFactory().CreateLogs(t.Context(), set, queued(server.URL))
				fatal(t, err)
				fatal(t, made.Start(t.Context(), host{letterID: kept, storageID: storage}))
				body(made)
				stopped := make(chan error, 1)
				go func() { stopped <- made.Shutdown(context.Background()) }()
				select {
				case err := <-stopped:
					fatal(t, err)
				case <-time.After(30 * time.Second):
					t.Fatal("it does not stop")
				}
				fatal(t, storage.Shutdown(context.Background()))
			}
			run(func(made exporter.Logs) {
				for chunk := range slices.Chunk(names, 250) {
					fatal(t, made.ConsumeLogs(t.Context(), logTrial().make(chunk)))
				}
				eventually(t, "trouble", func() (string, bool) {
					_, requests := server.seen()
					return fmt.Sprint(requests, " requests"), requests >= 5
				})
			})
			healed.Store(true)
			run(func(exporter.Logs) {
				eventually(t, "the rest", func() (string, bool) {
					stored, _ := server.seen()
					stored = append(stored, kept.names["status_400"]...)
					slices.Sort(stored)
					stored = slices.Compact(stored) // what was under way comes again
					return fmt.Sprint(len(stored), " stored"), len(stored) == len(names)
				})
			})
		})
	}
}

// A backend that takes a request and never answers holds a stop up for the grace, not for the
// timeout of each request and of what is flushed after it.
func TestAStopIsNotHeldUpByABackendThatNeverAnswers(t *testing.T) {
	directory := t.TempDir()
	asked := make(chan struct{}, 100)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	answering := serve(t, logTrial(), func([]string, int) reply { return reply{status: http.StatusOK} })
	names := numbered(1000)
	run := func(url string, body func(exporter.Logs)) time.Duration {
		storage := startExtension(t, filestorage.NewFactory(), map[string]any{"directory": directory})
		set, _ := testSettings(componenttest.NewTelemetry())
		config := queued(url)
		config.ClientConfig.Timeout = 20 * time.Second
		made, err := NewFactory().CreateLogs(t.Context(), set, config)
		fatal(t, err)
		fatal(t, made.Start(t.Context(), host{letterID: &letters{}, storageID: storage}))
		body(made)
		begin := time.Now()
		fatal(t, made.Shutdown(context.Background()))
		took := time.Since(begin)
		fatal(t, storage.Shutdown(context.Background()))
		return took
	}
	took := run(silent.URL, func(made exporter.Logs) {
		for chunk := range slices.Chunk(names, 250) {
			fatal(t, made.ConsumeLogs(t.Context(), logTrial().make(chunk)))
		}
		<-asked
	})
	if took > stopGrace+10*time.Second {
		t.Errorf("the stop took %v", took)
	}
	run(answering.URL, func(exporter.Logs) {
		eventually(t, "the rest", func() (string, bool) {
			stored, _ := answering.seen()
			return fmt.Sprint(len(stored), " stored"), len(stored) == len(names)
		})
	})
}

func TestRequestsAreThoseOfTheStockExporter(t *testing.T) {
	for name, one := range map[string]struct {
		endpoint, logs, path string
	}{
		"endpoint":            {"", "", "/v1/logs"},
		"endpoint with path":  {"/otlp", "", "/otlp/v1/logs"},
		"endpoint with slash": {"/otlp/", "", "/otlp/v1/logs"},
		"own":                 {"/otlp", "/mine", "/mine"},
	} {
		t.Run(name, func(t *testing.T) {
			r := assemble(t, logTrial(), nil, func([]string, int) reply { return reply{status: http.StatusOK} })
			cfg := testConfig(r.backend.URL + one.endpoint)
			if one.logs != "" {
				cfg.LogsEndpoint = r.backend.URL + one.logs
			}
			set, _ := testSettings(r.telemetry)
			cfg.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]()
			made, err := NewFactory().CreateLogs(t.Context(), set, cfg)
			fatal(t, err)
			fatal(t, made.Start(t.Context(), host{letterID: r.letters}))
			fatal(t, made.ConsumeLogs(t.Context(), logTrial().make(numbered(3))))
			fatal(t, made.Shutdown(t.Context()))
			if r.backend.paths[one.path] != 1 {
				t.Errorf("paths are %v", r.backend.paths)
			}
			got := r.backend.headers
			if got.Get("Content-Type") != "application/x-protobuf" || got.Get("Content-Encoding") != "gzip" ||
				!strings.HasPrefix(got.Get("User-Agent"), "test/1 (") {
				t.Errorf("headers are %v", got)
			}
			metric, err := r.telemetry.GetMetric("http.client.request.duration")
			fatal(t, err)
			labels := metric.Data.(metricdata.Histogram[float64]).DataPoints[0].Attributes
			for _, key := range []attribute.Key{"server.address", "http.response.status_code"} {
				if !labels.HasValue(key) {
					t.Errorf("requests are measured without %s", key)
				}
			}
		})
	}
}

// TestAnswersOfAllKinds has bodies that are none, cut off, JSON, too long, or not OTLP.
func TestAnswersOfAllKinds(t *testing.T) {
	asJSON, err := logTrial().answer(2, secret).MarshalJSON()
	fatal(t, err)
	for name, one := range map[string]struct {
		status  int
		kind    string
		body    []byte
		refused map[string]int64
	}{
		"none":           {204, "", nil, map[string]int64{}},
		"empty protobuf": {200, protobufType, nil, map[string]int64{}},
		"JSON":           {200, "application/json; charset=utf-8", asJSON, map[string]int64{statusPartial: 2}},
		"empty JSON":     {200, jsonType, []byte("{}"), map[string]int64{}},
		"not OTLP":       {200, protobufType, []byte(secret), map[string]int64{}},
		"HTML":           {200, "text/html", []byte("<html>" + secret), map[string]int64{}},
		"endless":        {200, protobufType, make([]byte, 10<<20), map[string]int64{}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", one.kind)
				w.WriteHeader(one.status)
				_, _ = w.Write(one.body)
			}))
			defer server.Close()
			r := assemble(t, logTrial(), nil, nil)
			r.sender.address = server.URL
			if got := r.sender.send(t.Context(), nil); len(got.body) > mostResponseBytes {
				t.Errorf("%d bytes of the answer are held", len(got.body))
			}
			fatal(t, r.push(t.Context(), r.make(numbered(5))))
			r.expectRefused(t, one.refused)
			r.expectQuiet(t)
		})
	}
	t.Run("cut off", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(http.StatusOK)
			_, _ = w.Write([]byte("part"))
		}))
		defer server.Close()
		r := assemble(t, logTrial(), nil, nil)
		r.sender.address = server.URL
		fatal(t, r.push(t.Context(), r.make(numbered(5))))
		r.expectRefused(t, map[string]int64{})
	})
}

// TestASilentBackendIsNotWaitedForLongerThanTheTimeout: per request, not for the whole batch.
func TestASilentBackendIsNotWaitedForLongerThanTheTimeout(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		request := plogotlp.NewExportRequest()
		if err := request.UnmarshalProto(body); err != nil {
			t.Error(err)
		}
		if slices.ContainsFunc(logTrial().names(request.Logs()), isBad) {
			<-release
		}
	}))
	defer server.Close()
	defer close(release)
	r := assemble(t, logTrial(), func(cfg *Config) {
		cfg.ClientConfig.Timeout = 20 * time.Millisecond
		cfg.ClientConfig.Compression = ""
	}, nil)
	r.sender.address = server.URL
	fatal(t, r.push(t.Context(), r.make(numbered(4, 2))))
	r.expectRefused(t, map[string]int64{statusNoAnswer: 1})
	expectSame(t, "dead letters", r.letters.names[statusNoAnswer], []string{"bad-00002"})
}
