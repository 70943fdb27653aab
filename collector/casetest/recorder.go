// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package casetest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// instrument is what a component registers, whether it has a value yet or not.
type instrument struct{ Kind, Description, Unit string }

// recorder is a meter provider that notes the instruments of one component, by the prefix of their
// names, and the attributes of what is counted.
type recorder struct {
	noop.MeterProvider
	prefix string

	mutex sync.Mutex
	found map[string]instrument
	keys  map[string]map[string]bool
}

func (r *recorder) Meter(string, ...metric.MeterOption) metric.Meter { return meter{r: r} }

func (r *recorder) note(name, kind, description, unit string) {
	if !strings.HasPrefix(name, r.prefix) {
		return
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.found == nil {
		r.found = map[string]instrument{}
	}
	r.found[name] = instrument{Kind: kind, Description: description, Unit: unit}
}

func (r *recorder) noteKeys(name string, options []metric.AddOption) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.keys == nil {
		r.keys = map[string]map[string]bool{}
	}
	if r.keys[name] == nil {
		r.keys[name] = map[string]bool{}
	}
	set := metric.NewAddConfig(options).Attributes()
	for _, attribute := range set.ToSlice() {
		r.keys[name][string(attribute.Key)] = true
	}
}

func (r *recorder) instruments() map[string]instrument {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return maps.Clone(r.found)
}

func (r *recorder) keysOf(name string) []string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return slices.Sorted(maps.Keys(r.keys[name]))
}

// meter notes each instrument. Kinds that are not here are those that no component of ours has: one
// that begins to use them must add them, or its metadata.yaml names what is not registered.
type meter struct {
	noop.Meter
	r *recorder
}

func (m meter) Int64Counter(name string, options ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	config := metric.NewInt64CounterConfig(options...)
	m.r.note(name, "int64 counter", config.Description(), config.Unit())
	return counter{name: name, r: m.r}, nil
}

func (m meter) Int64ObservableGauge(name string, options ...metric.Int64ObservableGaugeOption) (metric.Int64ObservableGauge, error) {
	config := metric.NewInt64ObservableGaugeConfig(options...)
	m.r.note(name, "int64 observable gauge", config.Description(), config.Unit())
	return m.Meter.Int64ObservableGauge(name, options...)
}

func (m meter) Float64ObservableGauge(name string, options ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	config := metric.NewFloat64ObservableGaugeConfig(options...)
	m.r.note(name, "float64 observable gauge", config.Description(), config.Unit())
	return m.Meter.Float64ObservableGauge(name, options...)
}

func (m meter) Int64ObservableCounter(name string, options ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	config := metric.NewInt64ObservableCounterConfig(options...)
	m.r.note(name, "int64 observable counter", config.Description(), config.Unit())
	return m.Meter.Int64ObservableCounter(name, options...)
}

func (m meter) Int64UpDownCounter(name string, options ...metric.Int64UpDownCounterOption) (metric.Int64UpDownCounter, error) {
	config := metric.NewInt64UpDownCounterConfig(options...)
	m.r.note(name, "int64 up-down counter", config.Description(), config.Unit())
	return m.Meter.Int64UpDownCounter(name, options...)
}

func (m meter) Int64Gauge(name string, options ...metric.Int64GaugeOption) (metric.Int64Gauge, error) {
	config := metric.NewInt64GaugeConfig(options...)
	m.r.note(name, "int64 gauge", config.Description(), config.Unit())
	return m.Meter.Int64Gauge(name, options...)
}

func (m meter) Float64Counter(name string, options ...metric.Float64CounterOption) (metric.Float64Counter, error) {
	config := metric.NewFloat64CounterConfig(options...)
	m.r.note(name, "float64 counter", config.Description(), config.Unit())
	return m.Meter.Float64Counter(name, options...)
}

func (m meter) Int64Histogram(name string, options ...metric.Int64HistogramOption) (metric.Int64Histogram, error) {
	config := metric.NewInt64HistogramConfig(options...)
	m.r.note(name, "int64 histogram", config.Description(), config.Unit())
	return m.Meter.Int64Histogram(name, options...)
}

func (m meter) Float64Histogram(name string, options ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	config := metric.NewFloat64HistogramConfig(options...)
	m.r.note(name, "float64 histogram", config.Description(), config.Unit())
	return m.Meter.Float64Histogram(name, options...)
}

type counter struct {
	noop.Int64Counter
	name string
	r    *recorder
}

func (c counter) Add(_ context.Context, _ int64, options ...metric.AddOption) {
	c.r.noteKeys(c.name, options)
}
