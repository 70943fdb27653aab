// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"glasshouse.example/collector/casetest"
)

// narrow is a configuration whose limits are soon met.
func narrow() *Config {
	config := testConfig()
	config.Logs.BodyBytes, config.Logs.ValueBytes, config.Logs.Attributes = 700, 512, 128
	config.Logs.AttributesBytes, config.Logs.IndexBytes = 65536, 96
	config.Traces.ValueBytes, config.Traces.Attributes = 256, 128
	config.Metrics.ValueBytes, config.Metrics.NameBytes, config.Metrics.IndexBytes = 256, 128, 96
	config.Metrics.Series.PerMetric = 1
	config.Services.RecordsPerSecond, config.Services.BytesPerSecond = 0, 0
	return config
}

// rig is the processors of all signals, with what they count and set aside.
type rig struct {
	config    *Config
	telemetry *componenttest.Telemetry
	letters   *recorder
	signals   map[string]wire
	wrong     map[string]int // how often what was sent was so
}

func newRig(t testing.TB, config *Config) *rig {
	must(t, config.Validate())
	r := &rig{config: config, telemetry: componenttest.NewTelemetry(), letters: &recorder{}, wrong: map[string]int{}}
	r.signals = signals(t, config, testSettings(r.telemetry), r.letters)
	return r
}

// forget frees the table of services: whether it is full decides what becomes of a record.
func (r *rig) forget() {
	clear(r.config.shared.table.known)
	r.letters.letters = nil
}

// counted is all counters, by name and labels, without services.
func (r *rig) counted(t testing.TB) map[string]int64 {
	all := map[string]int64{}
	for name, counter := range counters {
		for labels, n := range casetest.Counted(t, r.telemetry, counter) {
			parts := strings.Split(labels, ",")
			all[name+" "+parts[0]] += n
		}
	}
	return all
}

// look returns how many records a request has, and what a backend would say.
func look(config *Config, signal string, otlp []byte) (records int, c checker, err error) {
	c = checker{config: config}
	switch signal {
	case signalLogs:
		data, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(otlp)
		if err != nil {
			return 0, c, err
		}
		c.logs(data)
		return data.LogRecordCount(), c, nil
	case signalTraces:
		data, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(otlp)
		if err != nil {
			return 0, c, err
		}
		c.traces(data)
		return data.SpanCount(), c, nil
	default:
		data, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(otlp)
		if err != nil {
			return 0, c, err
		}
		c.metrics(data)
		for _, r := range data.ResourceMetrics().All() {
			for _, s := range r.ScopeMetrics().All() {
				for _, m := range s.Metrics().All() { // one without points is one, too
					records += max(1, pmetricPoints(m))
				}
			}
		}
		return records, c, nil
	}
}

func pmetricPoints(m pmetric.Metric) int {
	one := pmetric.NewMetrics()
	m.CopyTo(one.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty())
	return one.DataPointCount()
}

// TestWhateverIsSent sends requests of odd values. What is passed on has to be acceptable, what is
// not has to be counted, and what has been here once has to pass a second time.
func TestWhateverIsSent(t *testing.T) {
	random, seed := seeded(t)
	o := odd{random}
	rounds := 60
	if testing.Short() {
		rounds = 15
	}
	for what, config := range map[string]*Config{"narrow limits": narrow(), "deployed limits": testConfig()} {
		config.Services.RecordsPerSecond, config.Services.BytesPerSecond = 0, 0
		r := newRig(t, config)
		for round := range rounds {
			for _, signal := range []string{signalLogs, signalTraces, signalMetrics} {
				in, err := o.request(signal)
				must(t, err)
				if problem := r.trial(t, signal, in); problem != "" {
					t.Fatalf("seed %d, %s, round %d, %s: %s", seed, what, round, signal, problem)
				}
			}
		}
		all := r.counted(t)
		for why := range reasonCount { // or the trials are too tame
			met := all["repaired reason="+reasonNames[why]] + all["refused reason="+reasonNames[why]] +
				all["set_aside reason="+reasonNames[why]]
			if met == 0 && why != broken && why != services && !testing.Short() && (what == "narrow limits" || why == name) {
				t.Errorf("%s: nothing was met that is wrong with %s", what, reasonNames[why])
			}
		}
		if !testing.Short() && len(r.wrong) < 24 {
			t.Errorf("%s: of what was sent only these things were wrong: %v", what, r.wrong)
		}
		if n := all["set_aside reason=broken"]; n > 0 {
			t.Errorf("%s: %d checks broke", what, n)
		}
	}
}

// trial returns what is wrong, if anything.
func (r *rig) trial(t *testing.T, signal string, in []byte) string {
	r.forget()
	before := r.counted(t)
	sent, wrong, err := look(r.config, signal, in)
	must(t, err)
	for kind := range wrong.kinds {
		r.wrong[kind]++
	}
	once, err := r.signals[signal](t.Context(), in)
	must(t, err)
	after := r.counted(t)
	passed, left, err := look(r.config, signal, once)
	must(t, err)
	if len(left.found) > 0 {
		return strings.Join(left.found[:min(3, len(left.found))], "\n")
	}
	aside, _, err := look(r.config, signal, r.letters.all())
	must(t, err)
	lost := 0
	for labels, n := range after {
		switch name, _, _ := strings.Cut(labels, " "); name {
		case "refused", "set_aside":
			lost += int(n - before[labels])
		}
	}
	if sent != passed+lost || aside > lost {
		t.Logf("%d are set aside", aside)
		return "records went without being counted"
	}
	if once == nil {
		return ""
	}
	// What is set aside is in the letters; a second time nothing more may be.
	r.letters.letters = nil
	twice, err := r.signals[signal](t.Context(), bytes.Clone(once))
	must(t, err)
	if again := r.counted(t); !maps.Equal(after, again) {
		for labels, n := range again {
			if n != after[labels] {
				return "a second time it counts " + labels
			}
		}
	}
	if !bytes.Equal(once, twice) {
		return "a second time it is changed"
	}
	return ""
}
