// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
)

const (
	signalLogs    = "logs"
	signalTraces  = "traces"
	signalMetrics = "metrics"

	// quietFor is how long a failure is not logged again. The counter shows how often it happens.
	quietFor = 10 * time.Second
)

// deadLetter is the extension.
type deadLetter struct {
	config    *Config
	logger    *zap.Logger
	telemetry *telemetry
	clock     func() time.Time
	files     *files

	mutex  sync.Mutex
	logged time.Time
}

var (
	_ Store       = (*deadLetter)(nil)
	_ Initializer = (*deadLetter)(nil)
)

func newExtension(set extension.Settings, config *Config) (*deadLetter, error) {
	telemetry, err := newTelemetry(set.MeterProvider)
	if err != nil {
		return nil, err
	}
	return &deadLetter{
		config: config, logger: set.Logger, telemetry: telemetry, clock: time.Now,
		files: newFiles(config.Directory, config.capacity()),
	}, nil
}

// Start makes sure that records can be kept before the first one has to be.
func (d *deadLetter) Start(context.Context, component.Host) error {
	if err := d.files.prepare(); err != nil {
		return err
	}
	return d.telemetry.watch(d.files.used, d.config.capacity())
}

// Shutdown has nothing to write: every Put has done so.
func (d *deadLetter) Shutdown(context.Context) error {
	if d.telemetry.unwatch == nil {
		return nil
	}
	unwatch := d.telemetry.unwatch
	d.telemetry.unwatch = nil
	return unwatch()
}

// PutLogs keeps log records.
func (d *deadLetter) PutLogs(ctx context.Context, reason, source string, logs plog.Logs) error {
	return d.put(ctx, letter{
		reason: reason, source: source, signal: signalLogs, items: logs.LogRecordCount(),
		encode: func() ([]byte, error) { return (&plog.JSONMarshaler{}).MarshalLogs(logs) },
	})
}

// PutTraces keeps spans.
func (d *deadLetter) PutTraces(ctx context.Context, reason, source string, traces ptrace.Traces) error {
	return d.put(ctx, letter{
		reason: reason, source: source, signal: signalTraces, items: traces.SpanCount(),
		encode: func() ([]byte, error) { return (&ptrace.JSONMarshaler{}).MarshalTraces(traces) },
	})
}

// PutMetrics keeps data points.
func (d *deadLetter) PutMetrics(ctx context.Context, reason, source string, metrics pmetric.Metrics) error {
	return d.put(ctx, letter{
		reason: reason, source: source, signal: signalMetrics, items: countPoints(metrics),
		encode: func() ([]byte, error) { return (&pmetric.JSONMarshaler{}).MarshalMetrics(metrics) },
	})
}

// InitializeReasons exposes reasons at 0.
func (d *deadLetter) InitializeReasons(signal string, reasons ...string) {
	for _, reason := range reasons {
		d.telemetry.written.Add(context.Background(), 0, labels(signal, reason))
		d.telemetry.lost.Add(context.Background(), 0, labels(signal, reason))
	}
}

func (d *deadLetter) put(ctx context.Context, one letter) error {
	if one.items == 0 {
		return nil
	}
	line, err := one.line(d.clock())
	if err == nil {
		err = d.files.add(one.signal, line)
	}
	if err != nil {
		d.telemetry.lost.Add(ctx, int64(one.items), labels(one.signal, one.reason))
		d.logLoss(one.signal, err)
		return err
	}
	d.telemetry.written.Add(ctx, int64(one.items), labels(one.signal, one.reason))
	return nil
}

func (d *deadLetter) logLoss(signal string, err error) {
	now := d.clock()
	d.mutex.Lock()
	quiet := !d.logged.IsZero() && now.Sub(d.logged) < quietFor
	if !quiet {
		d.logged = now
	}
	d.mutex.Unlock()
	if quiet {
		return
	}
	d.logger.Error("Records are lost: the dead letters cannot take them. "+
		"Free space on the disk, make the directory writable, replay or remove old dead letters, or raise max_mib",
		zap.String("file", d.files.path(signal)), zap.Error(err))
}

// countPoints counts a metric without data points as one: it is what was given up.
func countPoints(metrics pmetric.Metrics) int {
	count := 0
	for _, resource := range metrics.ResourceMetrics().All() {
		for _, scope := range resource.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				count += max(1, Points(metric))
			}
		}
	}
	return count
}

// Points is the number of points of a metric, of any type.
func Points(metric pmetric.Metric) int {
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		return metric.Gauge().DataPoints().Len()
	case pmetric.MetricTypeSum:
		return metric.Sum().DataPoints().Len()
	case pmetric.MetricTypeHistogram:
		return metric.Histogram().DataPoints().Len()
	case pmetric.MetricTypeExponentialHistogram:
		return metric.ExponentialHistogram().DataPoints().Len()
	case pmetric.MetricTypeSummary:
		return metric.Summary().DataPoints().Len()
	default:
		return 0
	}
}
