// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configcompression"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.yaml.in/yaml/v3"
)

func load(t *testing.T, text string) (*Config, error) {
	t.Helper()
	keys := map[string]any{}
	fatal(t, yaml.Unmarshal([]byte(text), &keys))
	cfg := createDefaultConfig().(*Config)
	if err := confmap.NewFromStringMap(keys).Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestConfigOfAllKeys(t *testing.T) {
	fatal(t, componenttest.CheckConfigStruct(createDefaultConfig()))
	cfg, err := load(t, `
endpoint: http://loki:3100/otlp
traces_endpoint: http://tempo:4318/v1/traces
compression: zstd
timeout: 7s
headers: { X-Scope-OrgID: one }
tls: { insecure: true, ca_file: x, reload_interval: 1m }
compression_params: { level: 3 }
keepalive: { max_idle_conns: 7 }
proxy_url: http://proxy
max_conns_per_host: 3
retry_on_failure: { enabled: true, initial_interval: 500ms, max_interval: 10s, max_elapsed_time: 0 }
sending_queue:
  storage: file_storage
  sizer: bytes
  queue_size: 1000000
  batch: { sizer: items, min_size: 500, max_size: 5000, flush_timeout: 200ms }
dead_letter: dead_letter/other
max_splits: 7
max_request_bytes: 1000000
throttled_for: 1m
`)
	fatal(t, err)
	if cfg.ClientConfig.Endpoint != "http://loki:3100/otlp" || cfg.ClientConfig.Timeout != 7*time.Second ||
		cfg.ClientConfig.Compression != "zstd" || cfg.RetryConfig.MaxElapsedTime != 0 ||
		*cfg.DeadLetter != component.MustNewIDWithName("dead_letter", "other") || cfg.MaxSplits != 7 ||
		cfg.MaxRequestBytes != 1000000 || cfg.ThrottledFor != time.Minute {
		t.Errorf("is %+v", cfg)
	}
	queue := cfg.QueueConfig.Get()
	if queue.Sizer != exporterhelper.RequestSizerTypeBytes || queue.Batch.Get().Sizer != exporterhelper.RequestSizerTypeItems {
		t.Errorf("the queue is %+v", queue)
	}
}

func TestDefaults(t *testing.T) {
	cfg, err := load(t, "endpoint: http://loki:3100")
	fatal(t, err)
	if cfg.ClientConfig.Timeout != 30*time.Second || cfg.ClientConfig.Compression != configcompression.TypeGzip ||
		!cfg.RetryConfig.Enabled || !cfg.QueueConfig.HasValue() || cfg.DeadLetter != nil || cfg.MaxSplits != 1000 ||
		cfg.MaxRequestBytes != 4<<20 || cfg.ThrottledFor != 5*time.Minute {
		t.Errorf("is %+v", cfg)
	}
}

func TestConfigNamesTheKeyToFix(t *testing.T) {
	for text, want := range map[string]string{
		"max_splits: 5":  "endpoint: set it",
		"endpoint: loki": "endpoint: is no URL",
		"{endpoint: 'http://x', logs_endpoint: x}":                   "logs_endpoint: is no URL",
		"{endpoint: 'http://x', timeout: 0s}":                        "timeout: ",
		"{endpoint: 'http://x', max_splits: -1}":                     "max_splits: ",
		"{endpoint: 'http://x', max_splits: 1000000}":                "max_splits: ",
		"{endpoint: 'http://x', max_request_bytes: 1000}":            "max_request_bytes: ",
		"{endpoint: 'http://x', max_request_bytes: -1}":              "max_request_bytes: ",
		"{endpoint: 'http://x', throttled_for: 0s}":                  "throttled_for: ",
		"{endpoint: 'http://x', retry_on_failure: {enabled: false}}": "retry_on_failure.enabled: ",
		"{endpoint: 'http://x', encoding: json}":                     "encoding: there is no such key",
		"{endpoint: 'http://x', dead_leter: x}":                      "dead_leter: there is no such key",
		"{endpoint: 'http://x', retry_on_failure: {max: 1s}}":        "retry_on_failure.max: there is no such key",
		"{endpoint: 'http://x', tls: {insecur: true}}":               "tls.insecur: there is no such key",
		"{endpoint: 'http://x', sending_queue: {queue: 1}}":          "queue",
		"{endpoint: 'http://x', sending_queue: {batch: {max: 1}}}":   "max",
		"{endpoint: 'http://x', dead_letter: '/'}":                   "dead_letter",
	} {
		_, err := load(t, text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is answered with %v", text, err)
		}
	}
}

func TestTheDeadLetterExtensionIsNamedWhenItIsNone(t *testing.T) {
	for name, there := range map[string]host{
		"there is no extension dead_letter":       {},
		"extension dead_letter keeps no dead let": {letterID: plain{}},
	} {
		set, _ := testSettings(componenttest.NewTelemetry())
		made, err := NewFactory().CreateTraces(t.Context(), set, testConfig("http://localhost:1"))
		fatal(t, err)
		err = made.Start(t.Context(), there)
		if err == nil || !strings.Contains(err.Error(), "dead_letter: "+name) {
			t.Errorf("is answered with %v", err)
		}
		fatal(t, made.Shutdown(t.Context()))
	}
}

type plain struct {
	component.StartFunc
	component.ShutdownFunc
}

func TestAllSignalsStopBeforeTheyStart(t *testing.T) {
	set, _ := testSettings(componenttest.NewTelemetry())
	cfg := testConfig("http://localhost:1")
	logs, err := NewFactory().CreateLogs(t.Context(), set, cfg)
	fatal(t, err)
	fatal(t, logs.Shutdown(t.Context()))
	traces, err := NewFactory().CreateTraces(t.Context(), set, cfg)
	fatal(t, err)
	fatal(t, traces.Shutdown(t.Context()))
	metrics, err := NewFactory().CreateMetrics(t.Context(), set, cfg)
	fatal(t, err)
	fatal(t, metrics.Shutdown(t.Context()))
}

func TestCountersAreShownAtZero(t *testing.T) {
	telemetry := componenttest.NewTelemetry()
	set, _ := testSettings(telemetry)
	_, err := NewFactory().CreateLogs(t.Context(), set, testConfig("http://localhost:1"))
	fatal(t, err)
	refused := counted(t, telemetry, "otelcol_exporter_otlp_bisect_refused")
	for _, status := range usualStatuses {
		if n, shown := refused["exporter=otlp_bisect/there,signal=logs,status="+status]; !shown || n != 0 {
			t.Errorf("%s is not exposed at 0", status)
		}
	}
	if n, shown := counted(t, telemetry, "otelcol_exporter_otlp_bisect_splits")["exporter=otlp_bisect/there,signal=logs"]; !shown || n != 0 {
		t.Error("splits are not exposed at 0")
	}
}
