// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/xpdata"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"glasshouse.example/collector/casetest"
	"glasshouse.example/collector/deadletter"
)

var deadLetterID = component.MustNewID("dead_letter")

// counters by the names that cases give them.
var counters = map[string]string{
	"repaired":  "otelcol_processor_admission_repaired",
	"refused":   "otelcol_processor_admission_refused",
	"set_aside": "otelcol_processor_admission_set_aside",
	"throttled": "otelcol_processor_admission_throttled",
}

func testConfig() *Config {
	config := createDefaultConfig().(*Config)
	id := deadLetterID
	config.DeadLetter = &id
	return config
}

func testSettings(telemetry *componenttest.Telemetry) processor.Settings {
	return processor.Settings{
		ID: component.NewID(componentType), TelemetrySettings: telemetry.NewTelemetrySettings(),
	}
}

// recorder is a dead letter in memory.
type recorder struct {
	component.StartFunc
	component.ShutdownFunc
	letters []letter
	err     error // what Put returns
}

type letter struct {
	signal, reason, source string
	otlp                   []byte
}

func (r *recorder) put(signal, reason, source string, otlp []byte, err error) error {
	if err != nil || r.err != nil {
		return errors.Join(err, r.err)
	}
	r.letters = append(r.letters, letter{signal, reason, source, otlp})
	return nil
}

func (r *recorder) PutLogs(_ context.Context, reason, source string, data plog.Logs) error {
	otlp, err := (&plog.ProtoMarshaler{}).MarshalLogs(data)
	return r.put(signalLogs, reason, source, otlp, err)
}

func (r *recorder) PutTraces(_ context.Context, reason, source string, data ptrace.Traces) error {
	otlp, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(data)
	return r.put(signalTraces, reason, source, otlp, err)
}

func (r *recorder) PutMetrics(_ context.Context, reason, source string, data pmetric.Metrics) error {
	otlp, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(data)
	return r.put(signalMetrics, reason, source, otlp, err)
}

// all is what was put, as one request: messages of protobuf that stand behind each other are one.
func (r *recorder) all() (otlp []byte) {
	for _, one := range r.letters {
		otlp = append(otlp, one.otlp...)
	}
	return otlp
}

var _ deadletter.Store = (*recorder)(nil)

// host has one extension.
type host struct{ extension component.Component }

func (h host) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{deadLetterID: h.extension}
}

// wire is a processor of any signal on encoded OTLP. It returns what is left: nil when nothing is.
type wire func(context.Context, []byte) ([]byte, error)

var errNotOTLP = errors.New("not OTLP")

// clocked sets what makes a processor different each time: its clock, and the ids it makes.
func clocked[B any, R resource](p *admission[B, R], clock func() time.Time) *admission[B, R] {
	p.clock = clock
	made := uint64(0)
	p.random = func() uint64 {
		made++
		return made * 0x0101010101010101
	}
	return p
}

func casesNow() time.Time { return casetest.Now }

func newLogs(t testing.TB, config *Config, set processor.Settings, to component.Component) *admission[plog.Logs, plog.ResourceLogs] {
	t.Helper()
	p, err := newAdmission(set, config, logs, config.Logs.part())
	must(t, err)
	must(t, p.start(t.Context(), host{to}))
	return clocked(p, casesNow)
}

func newTraces(t testing.TB, config *Config, set processor.Settings, to component.Component) *admission[ptrace.Traces, ptrace.ResourceSpans] {
	t.Helper()
	p, err := newAdmission(set, config, traces, config.Traces.part())
	must(t, err)
	must(t, p.start(t.Context(), host{to}))
	return clocked(p, casesNow)
}

func newMetrics(t testing.TB, config *Config, set processor.Settings, to component.Component) *admission[pmetric.Metrics, pmetric.ResourceMetrics] {
	t.Helper()
	p, err := newAdmission(set, config, metrics, config.Metrics.part())
	must(t, err)
	must(t, p.start(t.Context(), host{to}))
	return clocked(p, casesNow)
}

func onBytes[B any, R resource](
	p *admission[B, R], decode func([]byte) (B, error), encode func(B) ([]byte, error),
) wire {
	return func(ctx context.Context, in []byte) ([]byte, error) {
		data, err := decode(in)
		if err != nil {
			return nil, errNotOTLP
		}
		data, err = p.process(ctx, data)
		switch {
		case errors.Is(err, processorhelper.ErrSkipProcessingData):
			return nil, nil
		case err != nil:
			return nil, err
		}
		return encode(data)
	}
}

// signals makes the processors of all signals, as one configuration does.
func signals(t testing.TB, config *Config, set processor.Settings, to component.Component) map[string]wire {
	t.Helper()
	return map[string]wire{
		signalLogs: onBytes(newLogs(t, config, set, to),
			(&plog.ProtoUnmarshaler{}).UnmarshalLogs, (&plog.ProtoMarshaler{}).MarshalLogs),
		signalTraces: onBytes(newTraces(t, config, set, to),
			(&ptrace.ProtoUnmarshaler{}).UnmarshalTraces, (&ptrace.ProtoMarshaler{}).MarshalTraces),
		signalMetrics: onBytes(newMetrics(t, config, set, to),
			(&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics, (&pmetric.ProtoMarshaler{}).MarshalMetrics),
	}
}

// appendAll adds attributes without checking those there are: a sender may repeat a name.
func appendAll(m pcommon.Map, n int, key func(int) string) {
	var made xpdata.MapBuilder
	for i := range n {
		made.AppendEmpty(key(i)).SetStr("v")
	}
	made.UnsafeIntoMap(m)
}

// at is a time from the cases' now on.
func at(ahead time.Duration) pcommon.Timestamp {
	return pcommon.NewTimestampFromTime(casetest.Now.Add(ahead))
}

// seeded returns random numbers that ADMISSION_SEED brings back.
func seeded(t testing.TB) (*rand.Rand, uint64) {
	t.Helper()
	seed := rand.Uint64()
	if given := os.Getenv("ADMISSION_SEED"); given != "" {
		_, err := fmt.Sscan(given, &seed)
		must(t, err)
	}
	t.Logf("ADMISSION_SEED=%d brings these back", seed)
	return rand.New(rand.NewPCG(seed, 0)), seed
}
