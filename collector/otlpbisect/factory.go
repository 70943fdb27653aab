// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package otlpbisect is an exporter of OTLP over HTTP for which a refused record costs itself: a
// batch that the backend refuses is halved until the record is alone.
package otlpbisect

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
)

var componentType = component.MustNewType("otlp_bisect")

// NewFactory returns the factory of the exporter.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(
		componentType,
		createDefaultConfig,
		exporter.WithTraces(createTraces, component.StabilityLevelBeta),
		exporter.WithMetrics(createMetrics, component.StabilityLevelBeta),
		exporter.WithLogs(createLogs, component.StabilityLevelBeta),
	)
}

func createTraces(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
	config := cfg.(*Config)
	p, address, err := newPusher(set, config, traces(), config.TracesEndpoint)
	if err != nil {
		return nil, err
	}
	inner, err := xexporterhelper.NewTracesRequest(ctx, set, converter(&p.signal), p.push, options(config, address, p)...)
	if err != nil {
		return nil, err
	}
	return stoppableTraces{inner, p.stop, gathering(config, p, inner.ConsumeTraces)}, nil
}

func createMetrics(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
	config := cfg.(*Config)
	p, address, err := newPusher(set, config, metrics(), config.MetricsEndpoint)
	if err != nil {
		return nil, err
	}
	inner, err := xexporterhelper.NewMetricsRequest(ctx, set, converter(&p.signal), p.push, options(config, address, p)...)
	if err != nil {
		return nil, err
	}
	return stoppableMetrics{inner, p.stop, gathering(config, p, inner.ConsumeMetrics)}, nil
}

func createLogs(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	config := cfg.(*Config)
	p, address, err := newPusher(set, config, logs(), config.LogsEndpoint)
	if err != nil {
		return nil, err
	}
	inner, err := xexporterhelper.NewLogsRequest(ctx, set, converter(&p.signal), p.push, options(config, address, p)...)
	if err != nil {
		return nil, err
	}
	return stoppableLogs{inner, p.stop, gathering(config, p, inner.ConsumeLogs)}, nil
}

// gathered is the key of a request in the context of a call that has no data.
type gathered struct{}

// gathering returns what takes data: consume, or what goes together before it.
func gathering[T any](
	config *Config, p *pusher[T], consume func(context.Context, T) error,
) func(context.Context, T) error {
	var nothing T
	together := newGather(config, func(ctx context.Context, one *request[T]) error {
		return consume(context.WithValue(ctx, gathered{}, one), nothing)
	})
	if together == nil {
		return consume
	}
	convert := converter(&p.signal)
	return func(ctx context.Context, data T) error {
		one, err := convert(ctx, data)
		if err != nil {
			return consumererror.NewPermanent(err)
		}
		return together.send(ctx, one.(*request[T]))
	}
}

func options[T any](config *Config, address *url.URL, p *pusher[T]) []exporterhelper.Option {
	made := []exporterhelper.Option{
		exporterhelper.WithStart(p.start),
		// The client's own timeout bounds each request. A bound here would end a batch that is
		// being halved.
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: 0}),
		exporterhelper.WithRetry(config.RetryConfig),
		xexporterhelper.WithQueueBatch(config.QueueConfig,
			xexporterhelper.QueueBatchSettings{Encoding: encoding[T]{&p.signal}}),
	}
	// The labels that the stock exporter's metrics have.
	labels := []attribute.KeyValue{semconv.ServerAddress(address.Hostname())}
	if address.Path != "" {
		labels = append(labels, semconv.URLPath(address.Path))
	}
	if port, err := strconv.Atoi(address.Port()); err == nil {
		labels = append(labels, semconv.ServerPort(port))
	}
	return append(made, exporterhelper.WithAttrs(labels...))
}

// signalURL is where a signal goes, composed as the stock exporter does.
func signalURL(config *Config, own, name string) (*url.URL, error) {
	if own != "" {
		return url.Parse(own)
	}
	return url.Parse(strings.TrimSuffix(config.ClientConfig.Endpoint, "/") + "/v1/" + name)
}

// The helper stops its queue, which waits for all that is being pushed, before it shuts the
// exporter down. So a push that waits for its backend has to be stopped first.
type (
	stoppableTraces struct {
		exporter.Traces
		stop    func()
		consume func(context.Context, ptrace.Traces) error
	}
	stoppableMetrics struct {
		exporter.Metrics
		stop    func()
		consume func(context.Context, pmetric.Metrics) error
	}
	stoppableLogs struct {
		exporter.Logs
		stop    func()
		consume func(context.Context, plog.Logs) error
	}
)

func (s stoppableTraces) Shutdown(ctx context.Context) error {
	s.stop()
	return s.Traces.Shutdown(ctx)
}

func (s stoppableMetrics) Shutdown(ctx context.Context) error {
	s.stop()
	return s.Metrics.Shutdown(ctx)
}

func (s stoppableLogs) Shutdown(ctx context.Context) error {
	s.stop()
	return s.Logs.Shutdown(ctx)
}

// asItIs says that data is only read, whatever the helper says: with batches in its queue it announces
// that it changes data (base_exporter.go, 0.161.0), and who else gets it is given a copy. Here it is
// encoded before it gets there.
var asItIs = consumer.Capabilities{MutatesData: false}

// Capabilities says that data is only read.
func (stoppableTraces) Capabilities() consumer.Capabilities { return asItIs }

// Capabilities says that data is only read.
func (stoppableMetrics) Capabilities() consumer.Capabilities { return asItIs }

// Capabilities says that data is only read.
func (stoppableLogs) Capabilities() consumer.Capabilities { return asItIs }

// ConsumeLogs puts them into the queue.
func (s stoppableLogs) ConsumeLogs(ctx context.Context, data plog.Logs) error {
	return s.consume(ctx, data)
}

// ConsumeTraces puts them into the queue.
func (s stoppableTraces) ConsumeTraces(ctx context.Context, data ptrace.Traces) error {
	return s.consume(ctx, data)
}

// ConsumeMetrics puts them into the queue.
func (s stoppableMetrics) ConsumeMetrics(ctx context.Context, data pmetric.Metrics) error {
	return s.consume(ctx, data)
}
