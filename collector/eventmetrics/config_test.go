// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"math"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/confmap"
)

func TestValidateNamesTheKeyToFix(t *testing.T) {
	cases := map[string]struct {
		spoil func(*Config)
		want  string
	}{
		"no families":    {func(c *Config) { c.Families = nil }, "families: name at least one metric"},
		"service":        {func(c *Config) { c.Services = []ServiceConfig{{Name: "a"}, {}} }, "services[1].name: is empty; write the service.name of a service whose events count"},
		"flush interval": {func(c *Config) { c.FlushInterval = 0 }, "flush_interval: must be over 0, such as 200ms"},
		"a window":       {func(c *Config) { c.Repeats.Window = -1 }, "repeats.window: must not be negative; 0 switches it off"},
		"no ids":         {func(c *Config) { c.Repeats = RepeatsConfig{Window: 1} }, "repeats.ids: must be 1 to 2000000"},
		"many ids":       {func(c *Config) { c.Repeats = RepeatsConfig{Window: 1, IDs: 2_000_001} }, "repeats.ids: must be 1 to 2000000"},
		"a name twice":   {func(c *Config) { c.Families[1].Name = "payments" }, "families[1]: name payments is used twice"},
		"no events":      {func(c *Config) { c.Families[0].Events = nil }, "families[0] (payments): events: name at least one event"},
		"a bad name":     {func(c *Config) { c.Families[0].Name = "pay ments" }, "families[0] (pay ments): name: letters, digits, dots and underscores, a letter first"},
		"no value":       {func(c *Config) { c.Families[2].Value = "" }, "families[2] (payment.delay): value: a histogram needs the attribute to measure"},
		"falling":        {func(c *Config) { c.Families[2].Buckets = []float64{2, 1} }, "families[2] (payment.delay): buckets: must be finite and rise"},
		"level":          {func(c *Config) { c.Families[2].Buckets = []float64{1, 1} }, "families[2] (payment.delay): buckets: must be finite and rise"},
		"infinite":       {func(c *Config) { c.Families[2].Buckets = []float64{1, math.Inf(1)} }, "families[2] (payment.delay): buckets: must be finite and rise"},
		"no number":      {func(c *Config) { c.Families[2].Buckets = []float64{math.NaN()} }, "families[2] (payment.delay): buckets: must be finite and rise"},
		"a negative max": {func(c *Config) { c.Families[1].Max = -1 }, "families[1] (payments.amount): max: must be over 0, or 0 for any"},
		"an endless max": {func(c *Config) { c.Families[1].Max = math.Inf(1) }, "families[1] (payments.amount): max: must be over 0, or 0 for any"},
		"max of a count": {func(c *Config) { c.Families[0].Max = 1 }, "families[0] (payments): value: max needs the attribute to measure"},
		"too many":       {func(c *Config) { c.Families[0].Labels[0].MaxDynamicValues = 1001 }, "families[0] (payments): labels[0].max_dynamic_values: must be 0 to 1000"},
		"label twice":    {func(c *Config) { c.Families[0].Labels[0].Name = "state" }, "families[0] (payments): labels[0]: name state is used twice"},
	}
	for name, one := range cases {
		t.Run(name, func(t *testing.T) {
			config := payments()
			one.spoil(config)
			if err := config.Validate(); err == nil || err.Error() != one.want {
				t.Errorf("got %v, want %s", err, one.want)
			}
		})
	}
}

func TestTheDefaultsKnowRepeats(t *testing.T) {
	config := NewFactory().CreateDefaultConfig().(*Config)
	if want := (RepeatsConfig{Window: 10 * time.Minute, IDs: 200_000}); config.Repeats != want {
		t.Errorf("got %v, want %v", config.Repeats, want)
	}
	config.Families = payments().Families
	if err := config.Validate(); err != nil {
		t.Error(err)
	}
}

func TestAFormerKeyIsRefusedAndTheNewOneNamed(t *testing.T) {
	label := func(key string) map[string]any {
		return map[string]any{"families": []any{
			map[string]any{"name": "payments", "labels": []any{
				map[string]any{"name": "state"}, map[string]any{"name": "currency", key: 10},
			}},
		}}
	}
	for want, keys := range map[string]map[string]any{
		"zero_for: is now named initial_zero_duration":                            {"zero_for": "3s"},
		"families[0] (payments): labels[1].more: is now named max_dynamic_values": label("more"),
		"": label("max_dynamic_values"),
	} {
		config := NewFactory().CreateDefaultConfig().(*Config)
		err := confmap.NewFromStringMap(keys).Unmarshal(config)
		if got := strings.TrimPrefix(message(err), "'' "); got != want { // the decoder quotes the place
			t.Errorf("got %q, want %q", got, want)
		}
		if want == "" && (config.Families[0].Labels[1].MaxDynamicValues != 10 || config.InitialZeroDuration != 3*time.Second) {
			t.Errorf("read %+v", config)
		}
	}
	err := confmap.NewFromStringMap(map[string]any{"zero_four": "3s"}).Unmarshal(NewFactory().CreateDefaultConfig())
	if err == nil {
		t.Error("an unknown key is taken")
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
