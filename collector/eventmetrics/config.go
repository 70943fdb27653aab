// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"time"

	"go.opentelemetry.io/collector/component"
)

const (
	defaultFlushInterval       = 200 * time.Millisecond
	defaultInitialZeroDuration = 3 * time.Second
	defaultEventKey            = "event"
	defaultWindow              = 10 * time.Minute
	defaultIDs                 = 200_000

	// maxDynamicValues bounds what one label may learn; a family has the product of its labels.
	maxDynamicValues = 1000
	maxSeries        = 20000
	// maxIDs bounds the memory of the window: twice as many are kept at most.
	maxIDs = 2_000_000
)

// metricName is what Prometheus can carry after dots have become underscores.
var metricName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.]*$`)

// Config of the connector.
type Config struct {
	// StorageID names a storage extension. With it counts go on after a restart where they
	// stopped; without it they start at zero.
	StorageID *component.ID `mapstructure:"storage"`
	// FlushInterval is how often changed counts are handed on.
	FlushInterval time.Duration `mapstructure:"flush_interval"`
	// InitialZeroDuration is how long a new series is exposed at 0 before its first count, so that
	// increase() sees the step. Longer than the interval of the scrape.
	InitialZeroDuration time.Duration `mapstructure:"initial_zero_duration"`
	// RepeatInterval is how often all series are handed on again, also those that have not changed. 0:
	// never, where an exporter keeps them. Where they are pushed, a series that is silent for five
	// minutes has ended for Prometheus, and increase() does not see its next step.
	RepeatInterval time.Duration `mapstructure:"repeat_interval"`
	// EventAttribute names the event where a record has no event name of its own.
	EventAttribute string `mapstructure:"event_attribute"`
	// Services are those whose events are counted. None: those of every service are.
	Services []ServiceConfig `mapstructure:"services"`
	// Repeats is how an event that is sent again is known.
	Repeats RepeatsConfig `mapstructure:"repeats"`
	// Families are the metrics made.
	Families []FamilyConfig `mapstructure:"families"`
}

// ServiceConfig names a service that is believed.
type ServiceConfig struct {
	// Name is its service.name, exactly.
	Name string `mapstructure:"name"`
	// Namespace is its service.namespace. Empty: any, and none.
	Namespace string `mapstructure:"namespace"`
}

// RepeatsConfig bounds the memory of what was counted. A sender that got an error sends its batch
// again, though it was counted.
type RepeatsConfig struct {
	// Window is for how long an event is known after it came. 0 switches it off.
	Window time.Duration `mapstructure:"window"`
	// IDs is how many events are known for that long; with more, the oldest are forgotten early.
	IDs int `mapstructure:"ids"`
}

// FamilyConfig is one metric. With Buckets it is a histogram of Value, with Value alone the sum
// of it, else a count of events.
type FamilyConfig struct {
	Name        string `mapstructure:"name"`
	Description string `mapstructure:"description"`
	Unit        string `mapstructure:"unit"`
	// Events are the event names counted, each with the value of EventLabel it gets.
	Events     map[string]string `mapstructure:"events"`
	EventLabel string            `mapstructure:"event_label"`
	Labels     []LabelConfig     `mapstructure:"labels"`
	// Value is the attribute that is measured. An event without a valid number there is left
	// out of this family, and of no other.
	Value string `mapstructure:"value"`
	// Max is the largest number that is taken. One that is far too large would hide all that are
	// added after it. 0: any that is finite.
	Max     float64   `mapstructure:"max"`
	Buckets []float64 `mapstructure:"buckets"`
}

// LabelConfig makes a label of an attribute.
type LabelConfig struct {
	Name      string `mapstructure:"name"`
	Attribute string `mapstructure:"attribute"`
	// Known values have their place for certain and are exposed at 0 from the start.
	Known []string `mapstructure:"known"`
	// MaxDynamicValues is how many further values get a series of their own. What comes after is
	// "other".
	MaxDynamicValues int `mapstructure:"max_dynamic_values"`
}

// Validate names the first key that has to be fixed.
func (c *Config) Validate() error {
	if c.FlushInterval <= 0 {
		return errors.New("flush_interval: must be over 0, such as 200ms")
	}
	if c.InitialZeroDuration < 0 {
		return errors.New("initial_zero_duration: must not be negative")
	}
	if c.RepeatInterval < 0 {
		return errors.New("repeat_interval: must not be negative; 0 hands on what changed alone")
	}
	for i, one := range c.Services {
		if one.Name == "" {
			return fmt.Errorf("services[%d].name: is empty; write the service.name of a service whose events count", i)
		}
	}
	if c.Repeats.Window < 0 {
		return errors.New("repeats.window: must not be negative; 0 switches it off")
	}
	if c.Repeats.Window > 0 && (c.Repeats.IDs < 1 || c.Repeats.IDs > maxIDs) {
		return fmt.Errorf("repeats.ids: must be 1 to %d", maxIDs)
	}
	if len(c.Families) == 0 {
		return errors.New("families: name at least one metric")
	}
	names := map[string]bool{}
	for i := range c.Families {
		family := &c.Families[i]
		if err := family.validate(); err != nil {
			return fmt.Errorf("families[%d] (%s): %w", i, family.Name, err)
		}
		if names[family.Name] {
			return fmt.Errorf("families[%d]: name %s is used twice", i, family.Name)
		}
		names[family.Name] = true
	}
	return nil
}

func (f *FamilyConfig) validate() error {
	if !metricName.MatchString(f.Name) {
		return errors.New("name: letters, digits, dots and underscores, a letter first")
	}
	if len(f.Events) == 0 {
		return errors.New("events: name at least one event")
	}
	if len(f.Buckets) > 0 && f.Value == "" {
		return errors.New("value: a histogram needs the attribute to measure")
	}
	// The bucket to infinity is there by itself; infinity could not be stored.
	for i, bound := range f.Buckets {
		if math.IsNaN(bound) || math.IsInf(bound, 0) || i > 0 && bound <= f.Buckets[i-1] {
			return errors.New("buckets: must be finite and rise")
		}
	}
	if math.IsNaN(f.Max) || math.IsInf(f.Max, 0) || f.Max < 0 {
		return errors.New("max: must be over 0, or 0 for any")
	}
	if f.Max > 0 && f.Value == "" {
		return errors.New("value: max needs the attribute to measure")
	}
	series := 1
	if f.EventLabel != "" {
		series = len(f.Events)
	}
	seen := map[string]bool{f.EventLabel: true}
	for i, label := range f.Labels {
		if label.Name == "" || label.Attribute == "" {
			return fmt.Errorf("labels[%d]: set both name and attribute", i)
		}
		if seen[label.Name] {
			return fmt.Errorf("labels[%d]: name %s is used twice", i, label.Name)
		}
		seen[label.Name] = true
		if label.MaxDynamicValues < 0 || label.MaxDynamicValues > maxDynamicValues {
			return fmt.Errorf("labels[%d].max_dynamic_values: must be 0 to %d", i, maxDynamicValues)
		}
		series *= len(label.Known) + label.MaxDynamicValues + 1
	}
	if series > maxSeries {
		return fmt.Errorf("labels: up to %d series; %d is the most, lower max_dynamic_values", series, maxSeries)
	}
	return nil
}
