// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package tenant is the processor `tenant`: it marks records with the tenant that they belong to.
package tenant

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
)

var componentType = component.MustNewType("tenant")

// NewFactory returns the factory of the processor.
func NewFactory() processor.Factory {
	return processor.NewFactory(
		componentType,
		createDefaultConfig,
		processor.WithTraces(createTraces, component.StabilityLevelAlpha),
		processor.WithMetrics(createMetrics, component.StabilityLevelAlpha),
		processor.WithLogs(createLogs, component.StabilityLevelAlpha),
	)
}

// stage is what the three have in common. Records are changed, and go on in other contexts.
type stage struct {
	component.StartFunc
	component.ShutdownFunc
	from string
}

// Capabilities says that resources get an attribute.
func (stage) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: true} }

type (
	traces struct {
		stage
		next consumer.Traces
	}
	metrics struct {
		stage
		next consumer.Metrics
	}
	logs struct {
		stage
		next consumer.Logs
	}
)

func createTraces(_ context.Context, _ processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
	return traces{stage{from: cfg.(*Config).From}, next}, nil
}

func createMetrics(_ context.Context, _ processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
	return metrics{stage{from: cfg.(*Config).From}, next}, nil
}

func createLogs(_ context.Context, _ processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
	return logs{stage{from: cfg.(*Config).From}, next}, nil
}

// ConsumeTraces hands them on under their tenant.
func (t traces) ConsumeTraces(ctx context.Context, data ptrace.Traces) error {
	return pass(ctx, t.from, data, data.ResourceSpans(), ptrace.NewTraces, ptrace.Traces.ResourceSpans, t.next.ConsumeTraces)
}

// ConsumeMetrics hands them on under their tenant.
func (m metrics) ConsumeMetrics(ctx context.Context, data pmetric.Metrics) error {
	return pass(ctx, m.from, data, data.ResourceMetrics(), pmetric.NewMetrics, pmetric.Metrics.ResourceMetrics, m.next.ConsumeMetrics)
}

// ConsumeLogs hands them on under their tenant.
func (l logs) ConsumeLogs(ctx context.Context, data plog.Logs) error {
	return pass(ctx, l.from, data, data.ResourceLogs(), plog.NewLogs, plog.Logs.ResourceLogs, l.next.ConsumeLogs)
}
