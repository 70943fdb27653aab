// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
)

// set returns a configuration in which one key, such as logs.body_bytes, has a value.
func set(key string, value any) map[string]any {
	parts := strings.Split(key, ".")
	slices.Reverse(parts)
	for _, part := range parts {
		value = map[string]any{part: value}
	}
	return value.(map[string]any)
}

func configured(tb testing.TB, changes map[string]any) *Config {
	tb.Helper()
	config := testConfig()
	must(tb, confmap.NewFromStringMap(changes).Unmarshal(config))
	return config
}

func TestValidateNamesTheKeyToFix(t *testing.T) {
	type trial struct {
		key  string
		bad  []any
		says string // behind the key, with a colon between
		good []any
	}
	trials := []trial{
		{"services.records_per_second", []any{-1}, "must not be negative; 0 is no bound", []any{0, 1}},
		{"services.bytes_per_second", []any{-1}, "must not be negative; 0 is no bound", []any{0, 1}},
		{"services.burst", []any{"999ms", "-1s"}, "must be at least 1s", []any{"1s"}},
		{"metrics.least_scale", []any{-11, 9}, "must be -10 to 8", []any{-10, 8}},
		{"logs.index_bytes", []any{2731}, "3 times that must not be over a 32nd of logs.attributes_bytes", []any{2730}},
		{"logs.value_bytes", []any{262145}, "must not be over logs.attributes_bytes", []any{262144}},
		{"logs.index", []any{strings.Split("a,b,c,d,e,f,g,h,i,j,k,l,m,n", ",")}, "too many", []any{[]string{"a"}, []string{}}},
		{"metrics.index", []any{strings.Split("a,b,c,d,e,f,g,h,i,j,k,l,m,n", ",")}, "too many", []any{[]string{"a"}}},
	}
	for key, bounds := range map[string][2]int{
		"logs.body_bytes": {256, 64 << 20}, "logs.value_bytes": {256, 64 << 20},
		"logs.attributes": {128, 100_000}, "logs.attributes_bytes": {65536, 64 << 20}, "logs.index_bytes": {64, 64 << 20},
		"traces.value_bytes": {256, 64 << 20}, "traces.attributes": {128, 100_000},
		"metrics.value_bytes": {256, 64 << 20}, "metrics.name_bytes": {128, 64 << 20}, "metrics.index_bytes": {64, 64 << 20},
		"services.most": {1, 100_000}, "services.labelled": {1, 1000},
	} {
		trials = append(trials, trial{key, []any{bounds[0] - 1, bounds[1] + 1, -1, 0}, "must be", nil})
	}
	for _, signal := range []string{signalLogs, signalTraces, signalMetrics} {
		trials = append(trials,
			trial{signal + ".oldest", []any{"0s", "-1h", "100000h"}, "must be over 0", []any{"1s", "87600h"}},
			trial{signal + ".newest", []any{"0s", "-1h", "100000h"}, "must be over 0", []any{"1s", "87600h"}},
			trial{signal + ".actions.encoding", []any{"drop", "", "Repair"}, "must be one of keep, repair, set_aside, refuse", []any{"keep", "repair", "set_aside", "refuse"}},
			trial{signal + ".actions.broken", []any{"repair"}, "there is no repair; choose set_aside or refuse", []any{"keep", "set_aside", "refuse"}},
		)
	}
	for _, one := range trials {
		for _, bad := range one.bad {
			err := configured(t, set(one.key, bad)).Validate()
			if err == nil {
				t.Errorf("%s: %v is taken", one.key, bad)
				continue
			}
			if says := err.Error(); !strings.HasPrefix(says, one.key+": ") || !strings.Contains(says, one.says) || strings.Contains(says, "\n") {
				t.Errorf("%s: %v: says %q", one.key, bad, says)
			}
		}
		for _, good := range one.good {
			if err := configured(t, set(one.key, good)).Validate(); err != nil {
				t.Errorf("%s: %v: %v", one.key, good, err)
			}
		}
	}
	must(t, testConfig().Validate())
	must(t, createDefaultConfig().(*Config).Validate())
}

func TestSettingAsideNeedsDeadLetters(t *testing.T) {
	config := configured(t, set("traces.actions.ids", "set_aside"))
	must(t, config.Validate())
	config.DeadLetter = nil
	if says := errorText(config.Validate()); !strings.HasPrefix(says, "traces.actions.ids: set_aside needs dead_letter") {
		t.Errorf("says %q", says)
	}
}

func TestAnUnknownReasonIsReportedWithThoseThereAre(t *testing.T) {
	for signal, missing := range map[string]string{signalLogs: "late", signalTraces: "body", signalMetrics: "ids"} {
		err := configured(t, set(signal+".actions."+missing, "keep")).Validate()
		says, found := strings.CutPrefix(errorText(err), signal+".actions: "+missing+" is no reason; there are ")
		if listed := strings.Split(says, ", "); !found || len(listed) != len(tables[signal]) || slices.Contains(listed, missing) {
			t.Errorf("%s: says %v", signal, err)
		}
	}
}

func TestEachReasonHasAName(t *testing.T) {
	met := map[string]bool{}
	for why, name := range reasonNames {
		if name == "" || met[name] {
			t.Errorf("reason %d is called %q", why, name)
		}
		met[name] = true
	}
	for signal, rules := range tables {
		for _, one := range rules {
			if one.normally == repair && !one.repairable {
				t.Errorf("%s: %s is normally repaired and cannot be", signal, reasonNames[one.reason])
			}
		}
	}
}

func TestTheConfigIsOneOfTheCollectors(t *testing.T) {
	must(t, componenttest.CheckConfigStruct(createDefaultConfig()))
	// A list that is set must not write into another signal's default.
	config := configured(t, set("logs.index", []string{"mine", "too"}))
	if !reflect.DeepEqual(config.Logs.Index, []string{"mine", "too"}) {
		t.Errorf("logs.index is %v", config.Logs.Index)
	}
	if !reflect.DeepEqual(config.Metrics, testConfig().Metrics) {
		t.Errorf("metrics became %+v", config.Metrics)
	}
}

// TestAFactoryMakesEachSignal runs the lifecycle, also in an order that nobody means.
func TestAFactoryMakesEachSignal(t *testing.T) {
	factory, ctx, next := NewFactory(), t.Context(), consumertest.NewNop()
	set := testSettings(componenttest.NewTelemetry())
	set.ID = component.NewID(factory.Type())
	for signal, create := range map[string]func(*Config) (component.Component, error){
		signalLogs:    func(c *Config) (component.Component, error) { return factory.CreateLogs(ctx, set, c, next) },
		signalTraces:  func(c *Config) (component.Component, error) { return factory.CreateTraces(ctx, set, c, next) },
		signalMetrics: func(c *Config) (component.Component, error) { return factory.CreateMetrics(ctx, set, c, next) },
	} {
		for what, c := range map[string]struct {
			host component.Host
			says string
		}{
			"a store":      {host{&recorder{}}, ""},
			"none":         {componenttest.NewNopHost(), "dead_letter: there is no extension dead_letter"},
			"no store":     {host{struct{ component.Component }{}}, "dead_letter: the extension dead_letter keeps no dead letters"},
			"never starts": {nil, ""},
		} {
			one, err := create(testConfig())
			must(t, err)
			if c.host != nil {
				err = one.Start(ctx, c.host)
			}
			if got := errorText(err); got != c.says {
				t.Errorf("%s, %s: says %q", signal, what, got)
			}
			must(t, one.Shutdown(ctx))
		}
		alone := createDefaultConfig().(*Config)
		one, err := create(alone)
		must(t, err)
		must(t, one.Start(ctx, componenttest.NewNopHost()))
		bad := testConfig()
		bad.Logs.Actions = map[string]string{"nothing": "keep"}
		bad.Traces.Actions, bad.Metrics.Actions = bad.Logs.Actions, bad.Logs.Actions
		if _, err := create(bad); err == nil {
			t.Errorf("%s: starts with a configuration that was not validated", signal)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
