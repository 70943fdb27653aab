// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package kafkabisect is the stock exporter to Kafka, for which a refusal costs no record: a batch that the
// brokers refuse is kept and sent again, and a record that is too large for them is set aside alone.
package kafkabisect

import (
	"context"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/kafkaexporter"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

var (
	componentType = component.MustNewType("kafka_bisect")
	stock         = kafkaexporter.NewFactory()
)

// NewFactory returns the factory of the exporter.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(
		componentType,
		createDefaultConfig,
		exporter.WithTraces(createTraces, component.StabilityLevelAlpha),
		exporter.WithMetrics(createMetrics, component.StabilityLevelAlpha),
		exporter.WithLogs(createLogs, component.StabilityLevelAlpha),
	)
}

func createTraces(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
	config := cfg.(*Config)
	inner, err := stock.CreateTraces(ctx, innerSettings(set), innerConfig(config))
	if err != nil {
		return nil, err
	}
	p, err := newPusher(set, config, traces(inner))
	if err != nil {
		return nil, err
	}
	return exporterhelper.NewTraces(ctx, set, config, p.push, p.options(inner)...)
}

func createMetrics(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
	config := cfg.(*Config)
	inner, err := stock.CreateMetrics(ctx, innerSettings(set), innerConfig(config))
	if err != nil {
		return nil, err
	}
	p, err := newPusher(set, config, metrics(inner))
	if err != nil {
		return nil, err
	}
	return exporterhelper.NewMetrics(ctx, set, config, p.push, p.options(inner)...)
}

func createLogs(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	config := cfg.(*Config)
	inner, err := stock.CreateLogs(ctx, innerSettings(set), innerConfig(config))
	if err != nil {
		return nil, err
	}
	p, err := newPusher(set, config, logs(inner))
	if err != nil {
		return nil, err
	}
	return exporterhelper.NewLogs(ctx, set, config, p.push, p.options(inner)...)
}

// innerConfig is that of the stock exporter, which only sends: the queue and the tries are ours.
func innerConfig(config *Config) *kafkaexporter.Config {
	inner := config.Kafka
	inner.QueueBatchConfig = configoptional.None[exporterhelper.QueueBatchConfig]()
	inner.BackOffConfig.Enabled = false
	return &inner
}

// options of the exporter around the stock one.
func (p *pusher[T]) options(inner component.Component) []exporterhelper.Option {
	return []exporterhelper.Option{
		exporterhelper.WithStart(func(ctx context.Context, host component.Host) error {
			if err := p.start(host); err != nil {
				return err
			}
			return inner.Start(ctx, host)
		}),
		exporterhelper.WithShutdown(inner.Shutdown),
		// The stock exporter bounds each try. A bound here would end a batch that is being halved.
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: 0}),
		exporterhelper.WithRetry(p.config.Kafka.BackOffConfig),
		exporterhelper.WithQueue(p.config.Kafka.QueueBatchConfig),
	}
}
