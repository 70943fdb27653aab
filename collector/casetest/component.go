// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package casetest

import (
	"context"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.yaml.in/yaml/v3"
)

// Component is a component as its factory has it. Check holds it to the metadata.yaml beside it.
type Component struct {
	Factory   component.Factory
	Class     string
	Stability map[string]component.StabilityLevel // by signal; of an extension, "extension"
	// Create makes an instance for a signal with the settings.
	Create func(signal string, set component.TelemetrySettings) (component.Component, error)
	// NoDefault says that the default configuration lacks what only the user knows.
	NoDefault bool
}

// metadata is a metadata.yaml, in the form that mdatagen reads.
type metadata struct {
	Type   string `yaml:"type"`
	Status struct {
		Class     string              `yaml:"class"`
		Stability map[string][]string `yaml:"stability"`
	} `yaml:"status"`
	Attributes map[string]struct {
		Description string `yaml:"description"`
		Type        string `yaml:"type"`
	} `yaml:"attributes"`
	Telemetry struct {
		Metrics map[string]struct {
			Description string   `yaml:"description"`
			Unit        string   `yaml:"unit"`
			Sum         *number  `yaml:"sum"`
			Gauge       *number  `yaml:"gauge"`
			Attributes  []string `yaml:"attributes"`
		} `yaml:"metrics"`
	} `yaml:"telemetry"`
}

type number struct {
	ValueType string `yaml:"value_type"`
	Monotonic bool   `yaml:"monotonic"`
	Async     bool   `yaml:"async"`
}

// Check runs the component through its lives and compares what it is with its metadata.yaml.
func (c Component) Check(t *testing.T) {
	t.Helper()
	raw, err := os.ReadFile("metadata.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var meta metadata
	if err := yaml.Unmarshal(raw, &meta); err != nil {
		t.Fatalf("metadata.yaml: %v", err)
	}
	t.Run("status", func(t *testing.T) { c.checkStatus(t, &meta) })
	t.Run("config", func(t *testing.T) { c.checkConfig(t) })
	signals := slices.Sorted(maps.Keys(c.Stability))
	recorded := &recorder{prefix: "otelcol_" + c.Class + "_" + meta.Type + "_"}
	for _, signal := range signals {
		t.Run(signal, func(t *testing.T) { c.checkLives(t, signal, recorded) })
	}
	t.Run("metrics", func(t *testing.T) { checkMetrics(t, &meta, recorded) })
}

func (c Component) checkStatus(t *testing.T, meta *metadata) {
	if got := c.Factory.Type().String(); got != meta.Type {
		t.Errorf("the type is %s, metadata.yaml says %s", got, meta.Type)
	}
	if c.Class != meta.Status.Class {
		t.Errorf("the class is %s, metadata.yaml says %s", c.Class, meta.Status.Class)
	}
	stated := map[string]string{}
	for level, signals := range meta.Status.Stability {
		for _, signal := range signals {
			stated[signal] = level
		}
	}
	real := map[string]string{}
	for signal, level := range c.Stability {
		real[signal] = strings.ToLower(level.String())
	}
	if !maps.Equal(stated, real) {
		t.Errorf("the stability is %v, metadata.yaml says %v", real, stated)
	}
}

func (c Component) checkConfig(t *testing.T) {
	config := c.Factory.CreateDefaultConfig()
	if err := componenttest.CheckConfigStruct(config); err != nil {
		t.Error(err)
	}
	if again := c.Factory.CreateDefaultConfig(); !reflect.DeepEqual(config, again) {
		t.Error("two default configurations differ")
	}
	validator, validates := config.(interface{ Validate() error })
	if !validates {
		return
	}
	if err := validator.Validate(); (err != nil) != c.NoDefault {
		t.Errorf("the default configuration: %v", err)
	}
}

// checkLives makes instances of one signal: stopped before they start, and started and stopped twice.
func (c Component) checkLives(t *testing.T, signal string, recorded *recorder) {
	ctx := context.Background()
	create := func() component.Component {
		set := componenttest.NewNopTelemetrySettings()
		set.MeterProvider = recorded
		one, err := c.Create(signal, set)
		if err != nil {
			t.Fatal(err)
		}
		return one
	}
	if err := create().Shutdown(ctx); err != nil {
		t.Errorf("shutdown before start: %v", err)
	}
	for range 2 {
		one := create()
		if err := one.Start(ctx, componenttest.NewNopHost()); err != nil {
			t.Fatalf("start: %v", err)
		}
		if err := one.Shutdown(ctx); err != nil {
			t.Fatalf("shutdown: %v", err)
		}
	}
}

func checkMetrics(t *testing.T, meta *metadata, recorded *recorder) {
	stated := map[string]instrument{}
	for name, m := range meta.Telemetry.Metrics {
		one := instrument{Description: m.Description, Unit: m.Unit}
		switch {
		case m.Sum != nil:
			one.Kind = kindOf(m.Sum, "counter")
			if !m.Sum.Monotonic {
				one.Kind = kindOf(m.Sum, "up-down counter")
			}
		case m.Gauge != nil:
			one.Kind = kindOf(m.Gauge, "gauge")
		default:
			t.Errorf("%s: metadata.yaml gives neither sum nor gauge", name)
		}
		stated["otelcol_"+name] = one
		for _, attribute := range m.Attributes {
			if a, known := meta.Attributes[attribute]; !known || a.Description == "" || a.Type == "" {
				t.Errorf("%s: metadata.yaml does not describe the attribute %s", name, attribute)
			}
		}
		for _, key := range recorded.keysOf("otelcol_" + name) {
			if !slices.Contains(m.Attributes, key) {
				t.Errorf("%s has the attribute %s, which metadata.yaml does not name", name, key)
			}
		}
	}
	for name, one := range recorded.instruments() {
		if stated[name] != one {
			t.Errorf("%s is %+v, metadata.yaml says %+v", name, one, stated[name])
		}
	}
	for name := range stated {
		if _, real := recorded.instruments()[name]; !real {
			t.Errorf("metadata.yaml has %s, which is not registered", name)
		}
	}
}

func kindOf(n *number, kind string) string {
	if n.Async {
		kind = "observable " + kind
	}
	if n.ValueType == "double" {
		return "float64 " + kind
	}
	return "int64 " + kind
}
