// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
)

// Bounds that keep a wrong number in the configuration from undoing the whole.
const (
	leastBytes      = 256
	mostBytes       = 64 << 20
	leastAttributes = 128
	mostAttributes  = 100_000
	mostServices    = 100_000
	mostLabelled    = 1_000
	mostReserved    = 100
	mostSeries      = 10_000_000
	// mostIndex is how many attributes a backend may file by, with those that name a service.
	mostIndex = 16
	// serviceBytes is the longest text that names a service of traces, whose backend has no index.
	serviceBytes = 512
	// mostTime keeps the arithmetic of times away from their ends.
	mostTime = 10 * 365 * 24 * time.Hour
	// coarsest is the lowest scale of the protocol.
	coarsest = -10
)

// Config of the processor. The limits are those of the backends behind it; the defaults are what
// Loki 3, Tempo 3 and Prometheus 3 take as this project configures them.
type Config struct {
	// DeadLetter names the extension that keeps what is set aside. Without one it is refused.
	DeadLetter *component.ID `mapstructure:"dead_letter"`
	Logs       LogsConfig    `mapstructure:"logs"`
	Traces     TracesConfig  `mapstructure:"traces"`
	Metrics    MetricsConfig `mapstructure:"metrics"`
	// Services bounds what a single service may take of the whole.
	Services ServicesConfig `mapstructure:"services"`

	shared *shared
}

// TimeConfig is the range of times, around now, in which a record can be found again.
type TimeConfig struct {
	// Oldest is how far back a time may lie.
	Oldest time.Duration `mapstructure:"oldest"`
	// Newest is how far ahead: clocks differ.
	Newest time.Duration `mapstructure:"newest"`
}

// LogsConfig has the limits of the backend of logs.
type LogsConfig struct {
	TimeConfig `mapstructure:",squash"`
	// BodyBytes is the longest line (Loki: max_line_size).
	BodyBytes int `mapstructure:"body_bytes"`
	// ValueBytes is the longest value of one attribute.
	ValueBytes int `mapstructure:"value_bytes"`
	// Attributes is how many attributes a record may have, with those of its scope and resource
	// and of nested maps (Loki: max_structured_metadata_entries_count).
	Attributes int `mapstructure:"attributes"`
	// AttributesBytes is how many bytes these may have, names and values
	// (Loki: max_structured_metadata_size).
	AttributesBytes int `mapstructure:"attributes_bytes"`
	// Index lists the resource attributes by which the backend files (Loki: index labels).
	Index []string `mapstructure:"index"`
	// IndexBytes is the longest value of these (Loki: max_label_value_length).
	IndexBytes int `mapstructure:"index_bytes"`
	// Actions changes what is done about single reasons: keep, repair, set_aside or refuse.
	Actions map[string]string `mapstructure:"actions"`
}

// TracesConfig has the limits of the backend of traces.
type TracesConfig struct {
	TimeConfig `mapstructure:",squash"`
	// ValueBytes is the longest value of one attribute (Tempo: max_attribute_bytes).
	ValueBytes int `mapstructure:"value_bytes"`
	// Attributes is how many attributes a span, event or link may have.
	Attributes int               `mapstructure:"attributes"`
	Actions    map[string]string `mapstructure:"actions"`
}

// MetricsConfig has the limits of the backend of metrics.
type MetricsConfig struct {
	// Oldest and Newest as for logs (Prometheus: out_of_order_time_window, and 10 minutes ahead).
	TimeConfig `mapstructure:",squash"`
	// ValueBytes is the longest value of a label. What is cut keeps a hash of the whole, so that
	// no two series become one.
	ValueBytes int `mapstructure:"value_bytes"`
	// NameBytes is the longest name of a metric or label.
	NameBytes int `mapstructure:"name_bytes"`
	// Index as for logs: resource attributes that become labels of every series.
	Index      []string          `mapstructure:"index"`
	IndexBytes int               `mapstructure:"index_bytes"`
	LeastScale int32             `mapstructure:"least_scale"`
	Actions    map[string]string `mapstructure:"actions"`
	// Series bounds what a backend has to keep in memory.
	Series SeriesConfig `mapstructure:"series"`
}

// SeriesConfig bounds the number of distinct series. 0 is no bound. What a series is, the backend
// says: each bucket of a histogram is one (Prometheus).
type SeriesConfig struct {
	// PerMetric is how many sets of attributes one metric of a service may have.
	PerMetric int `mapstructure:"per_metric"`
	// PerService is how many series one service may have, those of its earlier instances among them.
	PerService int `mapstructure:"per_service"`
	// Total is how many all services may have. Reserved ones find a place beyond it.
	Total int `mapstructure:"total"`
	// Idle is for how long a series without points takes its place.
	Idle time.Duration `mapstructure:"idle"`
}

// ServicesConfig bounds services. A service is a service.name with its namespace and environment.
type ServicesConfig struct {
	// Most is how many are distinguished; what comes after them is stored under the name "other".
	Most int `mapstructure:"most"`
	// Reserved are names of services that always find a place, however many others there are.
	Reserved []string `mapstructure:"reserved"`
	// Labelled is how many of them our own metrics name.
	Labelled int `mapstructure:"labelled"`
	// RecordsPerSecond and BytesPerSecond are what one of them may send, over a while. 0: no bound.
	RecordsPerSecond int64 `mapstructure:"records_per_second"`
	BytesPerSecond   int64 `mapstructure:"bytes_per_second"`
	// Burst is for how long it may save up what it did not send.
	Burst time.Duration `mapstructure:"burst"`
}

func createDefaultConfig() component.Config {
	index := []string{"service.name", "service.namespace", "deployment.environment.name"}
	return &Config{
		Logs: LogsConfig{
			TimeConfig: TimeConfig{Oldest: 335 * time.Hour, Newest: 9 * time.Minute},
			BodyBytes:  256 << 10, ValueBytes: 128 << 10,
			Attributes: 256, AttributesBytes: 256 << 10,
			Index: index, IndexBytes: 512,
		},
		Traces: TracesConfig{
			TimeConfig: TimeConfig{Oldest: 335 * time.Hour, Newest: time.Hour},
			ValueBytes: 16 << 10, Attributes: 1024,
		},
		Metrics: MetricsConfig{
			TimeConfig: TimeConfig{Oldest: 23 * time.Hour, Newest: 9 * time.Minute},
			ValueBytes: 4 << 10, NameBytes: 512, Index: index, IndexBytes: 512,
			LeastScale: -4,
			Series:     SeriesConfig{PerMetric: 2000, PerService: 30_000, Total: 60_000, Idle: 3 * time.Hour},
		},
		Services: ServicesConfig{
			Most: 1000, Labelled: 100,
			RecordsPerSecond: 20_000, BytesPerSecond: 16 << 20, Burst: 10 * time.Second,
		},
		shared: &shared{},
	}
}

// Validate names the first key that has to be fixed.
func (c *Config) Validate() error {
	logs, traces, metrics := &c.Logs, &c.Traces, &c.Metrics
	for _, one := range []struct {
		signal  string
		times   TimeConfig
		actions map[string]string
	}{
		{signalLogs, logs.TimeConfig, logs.Actions},
		{signalTraces, traces.TimeConfig, traces.Actions},
		{signalMetrics, metrics.TimeConfig, metrics.Actions},
	} {
		if one.times.Oldest <= 0 || one.times.Oldest > mostTime {
			return fmt.Errorf("%s.oldest: must be over 0, such as 24h, and at most ten years", one.signal)
		}
		if one.times.Newest <= 0 || one.times.Newest > mostTime {
			return fmt.Errorf("%s.newest: must be over 0, such as 5m, and at most ten years", one.signal)
		}
		if _, err := actionsOf(one.signal, one.actions); err != nil {
			return fmt.Errorf("%s.%w", one.signal, err)
		}
		for _, reason := range slices.Sorted(maps.Keys(one.actions)) {
			if one.actions[reason] == actionNames[setAside] && c.DeadLetter == nil {
				return fmt.Errorf("%s.actions.%s: set_aside needs dead_letter, the extension that keeps it",
					one.signal, reason)
			}
		}
	}
	for _, one := range []struct {
		key             string
		is, least, most int
	}{
		{"logs.body_bytes", logs.BodyBytes, leastBytes, mostBytes},
		{"logs.value_bytes", logs.ValueBytes, leastBytes, mostBytes},
		{"logs.attributes", logs.Attributes, leastAttributes, mostAttributes},
		{"logs.attributes_bytes", logs.AttributesBytes, 256 * leastBytes, mostBytes},
		{"logs.index_bytes", logs.IndexBytes, 64, mostBytes},
		{"traces.value_bytes", traces.ValueBytes, leastBytes, mostBytes},
		{"traces.attributes", traces.Attributes, leastAttributes, mostAttributes},
		{"metrics.value_bytes", metrics.ValueBytes, leastBytes, mostBytes},
		{"metrics.name_bytes", metrics.NameBytes, 128, mostBytes},
		{"metrics.index_bytes", metrics.IndexBytes, 64, mostBytes},
		{"metrics.least_scale", int(metrics.LeastScale), coarsest, finest},
		{"services.most", c.Services.Most, 1, mostServices},
		{"services.labelled", c.Services.Labelled, 1, mostLabelled},
		{"services.reserved", len(c.Services.Reserved), 0, mostReserved},
		{"metrics.series.per_metric", metrics.Series.PerMetric, 0, mostSeries},
		{"metrics.series.per_service", metrics.Series.PerService, 0, mostSeries},
		{"metrics.series.total", metrics.Series.Total, 0, mostSeries},
	} {
		if one.is < one.least || one.is > one.most {
			return fmt.Errorf("%s: is %d, must be %d to %d", one.key, one.is, one.least, one.most)
		}
	}
	for key, index := range map[string][]string{"logs.index": logs.Index, "metrics.index": metrics.Index} {
		if len(newIndexing(index, 0).keys) > mostIndex {
			return fmt.Errorf("%s: has %d names, which are too many", key, len(index))
		}
	}
	if idle := metrics.Series.Idle; idle < time.Minute || idle > mostTime {
		return errors.New("metrics.series.idle: must be at least 1m, and at most ten years")
	}
	if logs.ValueBytes > logs.AttributesBytes {
		return errors.New("logs.value_bytes: must not be over logs.attributes_bytes")
	}
	if n := len(newIndexing(logs.Index, 0).keys); n*logs.IndexBytes > logs.AttributesBytes/32 {
		return fmt.Errorf("logs.index_bytes: %d times that must not be over a 32nd of logs.attributes_bytes", n)
	}
	return c.Services.validate()
}

func (s *ServicesConfig) validate() error {
	switch {
	case s.RecordsPerSecond < 0:
		return errors.New("services.records_per_second: must not be negative; 0 is no bound")
	case s.BytesPerSecond < 0:
		return errors.New("services.bytes_per_second: must not be negative; 0 is no bound")
	case s.Burst < time.Second && (s.RecordsPerSecond > 0 || s.BytesPerSecond > 0):
		return errors.New("services.burst: must be at least 1s")
	}
	return nil
}
