// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

var storageID = component.MustNewID("memory")

// memory is a storage extension that outlives the connector.
type memory struct {
	component.StartFunc
	component.ShutdownFunc
	mutex sync.Mutex
	data  map[string][]byte
	// written are the keys of each batch that wrote any.
	written [][]string
	// refuse, where it is set, says of the keys of a batch whether it fails.
	refuse  func(keys []string) error
	refused int
}

func (m *memory) GetClient(
	context.Context, component.Kind, component.ID, string,
) (storage.Client, error) {
	return m, nil
}

func (m *memory) Get(ctx context.Context, key string) ([]byte, error) {
	operation := storage.GetOperation(key)
	err := m.Batch(ctx, operation)
	return operation.Value, err
}

func (m *memory) Set(ctx context.Context, key string, value []byte) error {
	return m.Batch(ctx, storage.SetOperation(key, value))
}

func (m *memory) Delete(ctx context.Context, key string) error {
	return m.Batch(ctx, storage.DeleteOperation(key))
}

// Batch does all or nothing, as the file storage does.
func (m *memory) Batch(_ context.Context, operations ...*storage.Operation) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	var changes []string
	for _, one := range operations {
		if one.Type == storage.Get {
			one.Value = slices.Clone(m.data[one.Key])
		} else {
			changes = append(changes, one.Key)
		}
	}
	if len(changes) == 0 {
		return nil
	}
	if m.refuse != nil {
		if err := m.refuse(changes); err != nil {
			m.refused++
			return err
		}
	}
	m.written = append(m.written, changes)
	if m.data == nil {
		m.data = map[string][]byte{}
	}
	for _, one := range operations {
		switch one.Type {
		case storage.Set:
			m.data[one.Key] = slices.Clone(one.Value)
		case storage.Delete:
			delete(m.data, one.Key)
		case storage.Get:
		}
	}
	return nil
}

func (*memory) Close(context.Context) error { return nil }

func (m *memory) set(key, value string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.data == nil {
		m.data = map[string][]byte{}
	}
	m.data[key] = []byte(value)
}

func (m *memory) refusing(refuse func(keys []string) error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.refuse = refuse
}

func (m *memory) keys() []string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Sorted(maps.Keys(m.data))
}

// failures is how many batches failed, batches what the others wrote.
func (m *memory) failures() int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.refused
}

func (m *memory) batches() [][]string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Clone(m.written)
}

var errRefused = errors.New("no space left on device")

type host struct {
	extensions map[component.ID]component.Component
}

func (h host) GetExtensions() map[component.ID]component.Component { return h.extensions }

func hostOf(extension component.Component) host {
	return host{map[component.ID]component.Component{storageID: extension}}
}

// unreadableStore fails at every look.
type unreadableStore struct{ memory }

func (s *unreadableStore) GetClient(
	context.Context, component.Kind, component.ID, string,
) (storage.Client, error) {
	return s, nil
}

func (*unreadableStore) Batch(context.Context, ...*storage.Operation) error { return errRefused }

// payments has a count, a sum and a histogram.
func payments() *Config {
	return &Config{
		FlushInterval:       time.Hour, // tests flush by hand
		InitialZeroDuration: 3 * time.Second,
		EventAttribute:      "event",
		Families: []FamilyConfig{
			{
				Name:       "payments",
				Events:     map[string]string{"payment.created": "created", "payment.failed": "failed"},
				EventLabel: "state",
				Labels: []LabelConfig{
					{Name: "currency", Attribute: "payment.currency", Known: []string{"EUR", "USD"}, MaxDynamicValues: 2},
				},
			},
			{
				Name:   "payments.amount",
				Events: map[string]string{"payment.created": ""},
				Labels: []LabelConfig{{Name: "currency", Attribute: "payment.currency", MaxDynamicValues: 3}},
				Value:  "payment.amount",
			},
			{
				Name:    "payment.delay",
				Events:  map[string]string{"payment.created": ""},
				Value:   "payment.delay",
				Buckets: []float64{1, 5},
			},
		},
	}
}

// atOnce is payments without the time at 0.
func atOnce() *Config {
	config := payments()
	config.InitialZeroDuration = 0
	return config
}

// kept is atOnce with a storage.
func kept() *Config {
	config := atOnce()
	config.StorageID = &storageID
	return config
}

// watchful is atOnce with a memory of what came.
func watchful() *Config {
	config := atOnce()
	config.Repeats = RepeatsConfig{Window: 10 * time.Minute, IDs: 1000}
	return config
}

// sink keeps what is exposed, as the Prometheus exporter does: the last point of each series, unless
// it is older than what is there.
type sink struct {
	consumertest.MetricsSink
	mutex sync.Mutex
	last  map[string]string
	at    map[string]pcommon.Timestamp
	// refuse, where it is set, says of the metrics of a request whether it fails.
	refuse func(pmetric.Metrics) error
}

func (s *sink) ConsumeMetrics(ctx context.Context, metrics pmetric.Metrics) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.refuse != nil {
		if err := s.refuse(metrics); err != nil {
			return err
		}
	}
	if s.last == nil {
		s.last, s.at = map[string]string{}, map[string]pcommon.Timestamp{}
	}
	values, times := points(metrics)
	for key, at := range times {
		if at >= s.at[key] {
			s.last[key], s.at[key] = values[key], at
		}
	}
	return s.MetricsSink.ConsumeMetrics(ctx, metrics)
}

// page is all that is exposed now.
func (s *sink) page() map[string]string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return maps.Clone(s.last)
}

func (s *sink) refusing(refuse func(pmetric.Metrics) error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.refuse = refuse
}

var _ consumer.Metrics = (*sink)(nil)

// rig is a connector with a clock that stands still and everything it reports.
type rig struct {
	*eventMetrics
	sink      *sink
	telemetry *componenttest.Telemetry
	lines     *observer.ObservedLogs

	clockMutex sync.Mutex
	now        time.Time
}

func (r *rig) time() time.Time {
	r.clockMutex.Lock()
	defer r.clockMutex.Unlock()
	return r.now
}

func (r *rig) advance(d time.Duration) {
	r.clockMutex.Lock()
	defer r.clockMutex.Unlock()
	r.now = r.now.Add(d)
}

var begin = time.Unix(1_000_000, 0)

func start(t testing.TB, config *Config, store *memory) *rig {
	t.Helper()
	r := ready(t, config)
	r.begin(t, store)
	return r
}

// ready returns a connector that has not begun.
func ready(t testing.TB, config *Config) *rig {
	t.Helper()
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	core, lines := observer.New(zap.DebugLevel)
	r := &rig{sink: &sink{}, telemetry: componenttest.NewTelemetry(), lines: lines, now: begin}
	set := connector.Settings{
		ID: component.NewID(componentType), TelemetrySettings: r.telemetry.NewTelemetrySettings(),
	}
	set.Logger = zap.New(core)
	made, err := newConnector(set, config, r.sink)
	if err != nil {
		t.Fatal(err)
	}
	made.clock = r.time
	r.eventMetrics = made
	return r
}

// begin starts it and waits until the first flush is over, so that what a test does comes after.
func (r *rig) begin(t testing.TB, store *memory) {
	t.Helper()
	h := host{}
	before := 0
	if store != nil {
		h = hostOf(store)
		before = store.failures()
	}
	if err := r.Start(context.Background(), h); err != nil {
		t.Fatal(err)
	}
	until(t, "the first flush", func() bool {
		return len(r.sink.AllMetrics()) > 0 || store != nil && store.failures() > before
	})
	r.flusher.mutex.Lock() // it is over
	defer r.flusher.mutex.Unlock()
}

func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func (r *rig) shutdown(t testing.TB) {
	t.Helper()
	if err := r.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// crash ends it as a kill does: nothing is flushed any more.
func (r *rig) crash() {
	close(r.stop)
	<-r.stopped
	r.stop = nil
}

// after flushes later and returns what was handed on by that; nil when nothing was.
func (r *rig) after(t testing.TB, d time.Duration) map[string]string {
	t.Helper()
	r.advance(d)
	before := len(r.sink.AllMetrics())
	if err := r.flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	all := r.sink.AllMetrics()
	if len(all) == before {
		return nil
	}
	values, _ := points(all[len(all)-1])
	return values
}

// send sends one request of one service.
func (r *rig) send(t testing.TB, records ...func(plog.LogRecord)) {
	t.Helper()
	r.post(t, batch(records...))
}

func (r *rig) post(t testing.TB, logs plog.Logs) {
	t.Helper()
	if err := r.ConsumeLogs(context.Background(), logs); err != nil {
		t.Error(err)
	}
}

func batch(records ...func(plog.LogRecord)) plog.Logs {
	return batchOf("shop", records...)
}

func batchOf(service string, records ...func(plog.LogRecord)) plog.Logs {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", service)
	scope := resource.ScopeLogs().AppendEmpty()
	for _, fill := range records {
		fill(scope.LogRecords().AppendEmpty())
	}
	return logs
}

func event(name string, attributes map[string]any) func(plog.LogRecord) {
	return func(record plog.LogRecord) {
		record.SetEventName(name)
		for _, key := range slices.Sorted(maps.Keys(attributes)) {
			if err := record.Attributes().PutEmpty(key).FromRaw(attributes[key]); err != nil {
				panic(err)
			}
		}
	}
}

// paid is a payment in euro.
func paid(amount any) func(plog.LogRecord) {
	return event("payment.created", map[string]any{"payment.currency": "EUR", "payment.amount": amount})
}

// at gives a record a time, which makes it another event.
func at(n int, record func(plog.LogRecord)) func(plog.LogRecord) {
	return func(into plog.LogRecord) {
		record(into)
		into.SetTimestamp(pcommon.Timestamp(n))
	}
}

// points writes each data point as one line, name{labels} = value, and its time.
func points(metrics pmetric.Metrics) (map[string]string, map[string]pcommon.Timestamp) {
	values, times := map[string]string{}, map[string]pcommon.Timestamp{}
	list := metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	for i := range list.Len() {
		metric := list.At(i)
		if metric.Type() == pmetric.MetricTypeSum {
			for j := range metric.Sum().DataPoints().Len() {
				point := metric.Sum().DataPoints().At(j)
				key := metric.Name() + labels(point.Attributes())
				values[key], times[key] = fmt.Sprint(point.DoubleValue()), point.Timestamp()
			}
			continue
		}
		for j := range metric.Histogram().DataPoints().Len() {
			point := metric.Histogram().DataPoints().At(j)
			key := metric.Name() + labels(point.Attributes())
			values[key] = fmt.Sprint(point.Count(), point.Sum(), point.BucketCounts().AsRaw())
			times[key] = point.Timestamp()
		}
	}
	return values, times
}

func labels(attributes pcommon.Map) string {
	var parts []string
	for key, value := range attributes.All() {
		parts = append(parts, key+"="+value.Str())
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// expect compares all that was exposed.
func expect(t testing.TB, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("exposed\n%s\nwant\n%s", lines(got), lines(want))
	}
}

func lines(values map[string]string) string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(values)) {
		out = append(out, "  "+key+" "+values[key])
	}
	return strings.Join(out, "\n")
}

// page is what payments exposes when nothing has come, with what is given instead.
func page(instead map[string]string) map[string]string {
	all := map[string]string{
		"payments{state=created,currency=EUR}": "0", "payments{state=created,currency=USD}": "0",
		"payments{state=failed,currency=EUR}": "0", "payments{state=failed,currency=USD}": "0",
		"payment.delay{}": "0 0 [0 0 0]",
	}
	maps.Copy(all, instead)
	return all
}

// counts returns what one of our own counters exposes, by its labels; zeros are left out.
func (r *rig) counts(t testing.TB, name string) map[string]int64 {
	t.Helper()
	metric, err := r.telemetry.GetMetric("otelcol_connector_event_metrics_" + name)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int64{}
	for _, point := range metric.Data.(metricdata.Sum[int64]).DataPoints {
		if point.Value != 0 {
			found[point.Attributes.Encoded(attribute.DefaultEncoder())] = point.Value
		}
	}
	return found
}

func (r *rig) expectCounts(t testing.TB, name string, want map[string]int64) {
	t.Helper()
	if got := r.counts(t, name); !maps.Equal(got, want) {
		t.Errorf("%s is %v, want %v", name, got, want)
	}
}

// seconds returns what the gauge exposes.
func (r *rig) seconds(t testing.TB) float64 {
	t.Helper()
	metric, err := r.telemetry.GetMetric("otelcol_connector_event_metrics_behind")
	if err != nil {
		t.Fatal(err)
	}
	return metric.Data.(metricdata.Gauge[float64]).DataPoints[0].Value
}
