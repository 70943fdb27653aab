// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package kafkabisect

import (
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// helperScope is of the metrics that every exporter has. Ours has them, and they would be there twice.
const helperScope = "go.opentelemetry.io/collector/exporter/exporterhelper"

// linesEvery is how often the stock exporter, which logs each try, may write one line again.
const linesEvery = 10 * time.Second

// innerSettings are those of the stock exporter inside ours.
func innerSettings(set exporter.Settings) exporter.Settings {
	set.ID = component.NewIDWithName(stock.Type(), set.ID.Name())
	set.MeterProvider = withoutHelper{set.MeterProvider}
	set.Logger = set.Logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, linesEvery, 1, 0)
	}))
	return set
}

type withoutHelper struct{ metric.MeterProvider }

// Meter is that of the provider inside, except for what the helper counts.
func (w withoutHelper) Meter(name string, options ...metric.MeterOption) metric.Meter {
	if name == helperScope {
		return noop.NewMeterProvider().Meter(name)
	}
	return w.MeterProvider.Meter(name, options...)
}
