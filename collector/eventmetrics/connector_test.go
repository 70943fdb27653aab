// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

var storageID = component.MustNewID("memory")

// memory is a storage extension that outlives the connector.
type memory struct {
	component.StartFunc
	component.ShutdownFunc
	mutex sync.Mutex
	data  map[string][]byte
}

func (m *memory) GetClient(
	context.Context, component.Kind, component.ID, string,
) (storage.Client, error) {
	return m, nil
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.data[key], nil
}

func (m *memory) Set(_ context.Context, key string, value []byte) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.data == nil {
		m.data = map[string][]byte{}
	}
	m.data[key] = value
	return nil
}

func (*memory) Delete(context.Context, string) error               { return nil }
func (*memory) Batch(context.Context, ...*storage.Operation) error { return nil }
func (*memory) Close(context.Context) error                        { return nil }

type host struct {
	extensions map[component.ID]component.Component
}

func (h host) GetExtensions() map[component.ID]component.Component { return h.extensions }

func payments() *Config {
	return &Config{
		FlushInterval:  time.Hour, // tests flush by hand
		ZeroFor:        3 * time.Second,
		EventAttribute: "event",
		Families: []FamilyConfig{
			{
				Name:       "payments",
				Events:     map[string]string{"payment.created": "created", "payment.failed": "failed"},
				EventLabel: "state",
				Labels: []LabelConfig{
					{Name: "currency", Attribute: "payment.currency", Known: []string{"EUR", "USD"}, More: 2},
				},
			},
			{
				Name:   "payments.amount",
				Events: map[string]string{"payment.created": ""},
				Labels: []LabelConfig{{Name: "currency", Attribute: "payment.currency", More: 3}},
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

type rig struct {
	*eventMetrics
	sink *consumertest.MetricsSink
	now  time.Time
}

func start(t *testing.T, config *Config, extensions map[component.ID]component.Component) *rig {
	t.Helper()
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	r := &rig{sink: &consumertest.MetricsSink{}, now: time.Unix(1_000_000, 0)}
	made, err := newConnector(connectortest.NewNopSettings(componentType), config, r.sink)
	if err != nil {
		t.Fatal(err)
	}
	made.clock = func() time.Time { return r.now }
	r.eventMetrics = made
	if err := made.Start(context.Background(), host{extensions}); err != nil {
		t.Fatal(err)
	}
	// The first flush shows what is known at 0; it is over before a test moves the clock.
	for range 1000 {
		if len(r.sink.AllMetrics()) > 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return r
}

func (r *rig) after(t *testing.T, d time.Duration) map[string]string {
	t.Helper()
	r.now = r.now.Add(d)
	before := len(r.sink.AllMetrics())
	if err := r.flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	all := r.sink.AllMetrics()
	if len(all) == before {
		return nil
	}
	return shown(all[len(all)-1])
}

func (r *rig) send(t *testing.T, records ...func(plog.LogRecord)) {
	t.Helper()
	logs := plog.NewLogs()
	scope := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
	for _, fill := range records {
		fill(scope.LogRecords().AppendEmpty())
	}
	if err := r.ConsumeLogs(context.Background(), logs); err != nil {
		t.Fatal(err)
	}
}

func event(name string, attributes map[string]any) func(plog.LogRecord) {
	return func(record plog.LogRecord) {
		record.SetEventName(name)
		if err := record.Attributes().FromRaw(attributes); err != nil {
			panic(err)
		}
	}
}

// shown writes each data point as one line: name{labels} = value.
func shown(metrics pmetric.Metrics) map[string]string {
	out := map[string]string{}
	list := metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	for i := range list.Len() {
		metric := list.At(i)
		if metric.Type() == pmetric.MetricTypeSum {
			for j := range metric.Sum().DataPoints().Len() {
				point := metric.Sum().DataPoints().At(j)
				out[metric.Name()+labels(point.Attributes())] = fmt.Sprint(point.DoubleValue())
			}
			continue
		}
		for j := range metric.Histogram().DataPoints().Len() {
			point := metric.Histogram().DataPoints().At(j)
			out[metric.Name()+labels(point.Attributes())] = fmt.Sprint(
				point.Count(), point.Sum(), point.BucketCounts().AsRaw())
		}
	}
	return out
}

func labels(attributes pcommon.Map) string {
	var parts []string
	for key, value := range attributes.All() {
		parts = append(parts, key+"="+value.Str())
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func expect(t *testing.T, got map[string]string, want map[string]string) {
	t.Helper()
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s is %q, want %q; all: %v", key, got[key], value, got)
		}
	}
}

func TestKnownSeriesAreShownAtZeroFromTheStart(t *testing.T) {
	r := start(t, payments(), nil)
	defer r.Shutdown(context.Background())
	got := shown(r.sink.AllMetrics()[0])
	expect(t, got, map[string]string{
		"payments{state=created,currency=EUR}": "0", "payments{state=created,currency=USD}": "0",
		"payments{state=failed,currency=EUR}": "0", "payments{state=failed,currency=USD}": "0",
	})
	if len(got) != 5 { // and the histogram, which has no labels
		t.Errorf("%d series: %v", len(got), got)
	}
}

func TestTheFirstFailureIsAStepFromZero(t *testing.T) {
	r := start(t, payments(), nil)
	defer r.Shutdown(context.Background())
	failed := event("payment.failed", map[string]any{"payment.currency": "SEK"})
	const key = "payments{state=failed,currency=SEK}"
	r.send(t, failed)
	expect(t, r.after(t, time.Second), map[string]string{key: "0"})
	r.send(t, failed)
	expect(t, r.after(t, 2*time.Second), map[string]string{key: "0"})
	expect(t, r.after(t, time.Second), map[string]string{key: "2"})
	r.send(t, failed)
	expect(t, r.after(t, time.Millisecond), map[string]string{key: "3"})
	if again := r.after(t, time.Hour); again != nil {
		t.Errorf("nothing has changed, yet %v was handed on", again)
	}
}

func TestAmountsKeepTheirCents(t *testing.T) {
	config := payments()
	config.ZeroFor = 0
	r := start(t, config, nil)
	defer r.Shutdown(context.Background())
	paid := event("payment.created", map[string]any{"payment.currency": "EUR", "payment.amount": 0.1})
	large := event("payment.created", map[string]any{"payment.currency": "EUR", "payment.amount": "1e15"})
	r.send(t, large)
	for range 10_000 {
		r.send(t, paid)
	}
	r.after(t, time.Second)
	total := r.families[1].series["EUR"].sum.value()
	if want := 1e15 + 1000; math.Abs(total-want) > 0.13 { // a float64 of that size steps by 0.125
		t.Errorf("sum is %v, want %v", total, want)
	}
}

func TestAnUnreadableNumberCostsOneMeasurementAndNoCount(t *testing.T) {
	config := payments()
	config.ZeroFor = 0
	r := start(t, config, nil)
	defer r.Shutdown(context.Background())
	for _, bad := range []any{"a lot", "NaN", "-1", math.Inf(1), true} {
		r.send(t, event("payment.created", map[string]any{"payment.currency": "EUR", "payment.amount": bad}))
	}
	r.send(t, event("payment.created", map[string]any{"payment.currency": "EUR", "payment.amount": 5}))
	expect(t, r.after(t, time.Second), map[string]string{
		"payments{state=created,currency=EUR}": "6",
		"payments.amount{currency=EUR}":        "5",
	})
}

func TestHistogramsCountByBucketAndLeadToATrace(t *testing.T) {
	config := payments()
	config.ZeroFor = 0
	r := start(t, config, nil)
	defer r.Shutdown(context.Background())
	trace := pcommon.TraceID{1, 2, 3}
	for _, delay := range []float64{0.5, 1, 3, 9} {
		r.send(t, func(record plog.LogRecord) {
			event("payment.created", map[string]any{"payment.delay": delay})(record)
			record.SetTraceID(trace)
		})
	}
	expect(t, r.after(t, time.Second), map[string]string{"payment.delay{}": "4 13.5 [2 1 1]"})
	all := r.sink.AllMetrics()
	list := all[len(all)-1].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	exemplars := list.At(list.Len() - 1).Histogram().DataPoints().At(0).Exemplars()
	var values []float64
	for i := range exemplars.Len() {
		if exemplars.At(i).TraceID() != trace {
			t.Errorf("exemplar %d leads to %v", i, exemplars.At(i).TraceID())
		}
		values = append(values, exemplars.At(i).DoubleValue())
	}
	if fmt.Sprint(values) != "[1 3 9]" {
		t.Errorf("exemplars %v, want the newest of each bucket", values)
	}
}

func TestLabelsAreBounded(t *testing.T) {
	config := payments()
	config.ZeroFor = 0
	r := start(t, config, nil)
	defer r.Shutdown(context.Background())
	for i := range 10_000 {
		r.send(t, event("payment.created", map[string]any{"payment.currency": fmt.Sprintf("X%d", i)}))
	}
	r.send(t, event("payment.created", map[string]any{"payment.currency": "USD"}))
	r.send(t, event("payment.created", nil), event("payment.created", map[string]any{"payment.currency": "a b"}))
	got := r.after(t, time.Second)
	expect(t, got, map[string]string{
		"payments{state=created,currency=X0}":    "1",
		"payments{state=created,currency=X1}":    "1",
		"payments{state=created,currency=USD}":   "1",
		"payments{state=created,currency=other}": "10000",
	})
	if n := len(r.families[0].series); n != 7 {
		t.Errorf("%d series, want 4 known, 2 learnt and other", n)
	}
}

func TestManySendersAreCountedExactly(t *testing.T) {
	config := payments()
	config.ZeroFor = 0
	config.FlushInterval = time.Millisecond
	r := start(t, config, nil)
	var senders sync.WaitGroup
	for range 16 {
		senders.Go(func() {
			for range 1250 {
				r.send(t, event("payment.created", map[string]any{"payment.currency": "EUR"}))
			}
		})
	}
	senders.Wait()
	if err := r.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	all := r.sink.AllMetrics()
	expect(t, shown(all[len(all)-1]), map[string]string{"payments{state=created,currency=EUR}": "20000"})
}

func TestCountsGoOnAfterARestart(t *testing.T) {
	extensions := map[component.ID]component.Component{storageID: &memory{}}
	config := payments()
	config.StorageID = &storageID
	config.ZeroFor = 0
	paid := event("payment.created", map[string]any{
		"payment.currency": "SEK", "payment.amount": 1.5, "payment.delay": 2,
	})
	first := start(t, config, extensions)
	first.send(t, paid, paid)
	if err := first.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	second := start(t, config, extensions)
	defer second.Shutdown(context.Background())
	second.send(t, paid)
	expect(t, second.after(t, time.Second), map[string]string{
		"payments{state=created,currency=SEK}": "3",
		"payments.amount{currency=SEK}":        "4.5",
		"payment.delay{}":                      "3 6 [0 3 0]",
	})
}

func TestAChangedFamilyStartsAnewAndTheOthersGoOn(t *testing.T) {
	extensions := map[component.ID]component.Component{storageID: &memory{}}
	config := payments()
	config.StorageID = &storageID
	config.ZeroFor = 0
	paid := event("payment.created", map[string]any{"payment.currency": "EUR", "payment.delay": 2})
	first := start(t, config, extensions)
	first.send(t, paid)
	if err := first.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	config.Families[2].Buckets = []float64{1, 5, 10}
	second := start(t, config, extensions)
	defer second.Shutdown(context.Background())
	second.send(t, paid)
	expect(t, second.after(t, time.Second), map[string]string{
		"payments{state=created,currency=EUR}": "2",
		"payment.delay{}":                      "1 2 [0 1 0 0]",
	})
}

func TestUnreadableStoredCountsDoNotStopTheCollector(t *testing.T) {
	store := &memory{data: map[string][]byte{stateKey: []byte("{")}}
	config := payments()
	config.StorageID = &storageID
	config.ZeroFor = 0
	r := start(t, config, map[component.ID]component.Component{storageID: store})
	defer r.Shutdown(context.Background())
	r.send(t, event("payment.created", map[string]any{"payment.currency": "EUR"}))
	expect(t, r.after(t, time.Second), map[string]string{"payments{state=created,currency=EUR}": "1"})
}

func TestAMissingStorageIsNamed(t *testing.T) {
	config := payments()
	config.StorageID = &storageID
	made, err := newConnector(connectortest.NewNopSettings(componentType), config, consumertest.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	err = made.Start(context.Background(), componenttest.NewNopHost())
	if err == nil || err.Error() != "storage: there is no extension memory" {
		t.Errorf("got %v", err)
	}
}

func TestShutdownBeforeStartIsHarmless(t *testing.T) {
	made, err := newConnector(connectortest.NewNopSettings(componentType), payments(), consumertest.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestAnEventIsFoundByItsAttribute(t *testing.T) {
	config := payments()
	config.ZeroFor = 0
	r := start(t, config, nil)
	defer r.Shutdown(context.Background())
	r.send(t, event("", map[string]any{"event": "payment.created", "payment.currency": "EUR"}))
	r.send(t, event("other.event", map[string]any{"event": "payment.created", "payment.currency": "EUR"}))
	expect(t, r.after(t, time.Second), map[string]string{"payments{state=created,currency=EUR}": "1"})
}

func TestValidateNamesTheKeyToMend(t *testing.T) {
	cases := map[string]struct {
		spoil func(*Config)
		want  string
	}{
		"no families":    {func(c *Config) { c.Families = nil }, "families: name at least one metric"},
		"flush interval": {func(c *Config) { c.FlushInterval = 0 }, "flush_interval: must be over 0, such as 200ms"},
		"a name twice":   {func(c *Config) { c.Families[1].Name = "payments" }, "families[1]: name payments is used twice"},
		"no events":      {func(c *Config) { c.Families[0].Events = nil }, "families[0] (payments): events: name at least one event"},
		"a bad name":     {func(c *Config) { c.Families[0].Name = "pay ments" }, "families[0] (pay ments): name: letters, digits, dots and underscores, a letter first"},
		"no value":       {func(c *Config) { c.Families[2].Value = "" }, "families[2] (payment.delay): value: a histogram needs the attribute to measure"},
		"buckets":        {func(c *Config) { c.Families[2].Buckets = []float64{2, 1} }, "families[2] (payment.delay): buckets: must rise"},
		"too many":       {func(c *Config) { c.Families[0].Labels[0].More = 1001 }, "families[0] (payments): labels[0].more: must be 0 to 1000"},
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

func BenchmarkConsume(b *testing.B) {
	made, err := newConnector(connectortest.NewNopSettings(componentType), payments(), consumertest.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	if err := made.Start(context.Background(), componenttest.NewNopHost()); err != nil {
		b.Fatal(err)
	}
	defer made.Shutdown(context.Background())
	logs := plog.NewLogs()
	scope := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
	event("payment.created", map[string]any{
		"payment.currency": "EUR", "payment.amount": 19.99, "payment.delay": 2.5,
	})(scope.LogRecords().AppendEmpty())
	b.ReportAllocs()
	for b.Loop() {
		if err := made.ConsumeLogs(context.Background(), logs); err != nil {
			b.Fatal(err)
		}
	}
}
