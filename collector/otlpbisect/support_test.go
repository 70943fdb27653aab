// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"glasshouse.example/collector/deadletter"
)

const (
	bad = "bad" // what a backend of a test does not like has this in its name

	// secret is in every record and in every answer; no line may have it.
	secret = "what nobody may read"
)

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// trial is a signal in a form that one test can use for all three: items are names.
type trial[T any] struct {
	signal signal[T]
	make   func(names []string) T
	names  func(T) []string
	// stored reads names of a request; taken returns a backend's partial success.
	stored func(t testing.TB, request []byte) []string
	answer func(rejected int64, words string) interface {
		MarshalProto() ([]byte, error)
		MarshalJSON() ([]byte, error)
	}
}

func logTrial() trial[plog.Logs] {
	read := func(data plog.Logs) (found []string) {
		for _, resource := range data.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, record := range scope.LogRecords().All() {
					found = append(found, record.Body().Str())
				}
			}
		}
		return found
	}
	return trial[plog.Logs]{
		signal: logs(),
		make: func(names []string) plog.Logs {
			data := plog.NewLogs()
			for i, group := range groups(names) {
				resource := data.ResourceLogs().AppendEmpty()
				resource.Resource().Attributes().PutStr("service.name", fmt.Sprint("service-", i))
				for _, one := range groups(group) {
					records := resource.ScopeLogs().AppendEmpty().LogRecords()
					for _, name := range one {
						record := records.AppendEmpty()
						record.Body().SetStr(name)
						record.Attributes().PutStr("words", secret)
					}
				}
			}
			return data
		},
		names: read,
		stored: func(t testing.TB, request []byte) []string {
			decoded := plogotlp.NewExportRequest()
			fatal(t, decoded.UnmarshalProto(request))
			return read(decoded.Logs())
		},
		answer: func(rejected int64, words string) interface {
			MarshalProto() ([]byte, error)
			MarshalJSON() ([]byte, error)
		} {
			response := plogotlp.NewExportResponse()
			response.PartialSuccess().SetRejectedLogRecords(rejected)
			response.PartialSuccess().SetErrorMessage(words)
			return response
		},
	}
}

func traceTrial() trial[ptrace.Traces] {
	read := func(data ptrace.Traces) (found []string) {
		for _, resource := range data.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					found = append(found, span.Name())
				}
			}
		}
		return found
	}
	return trial[ptrace.Traces]{
		signal: traces(),
		make: func(names []string) ptrace.Traces {
			data := ptrace.NewTraces()
			for i, group := range groups(names) {
				resource := data.ResourceSpans().AppendEmpty()
				resource.Resource().Attributes().PutStr("service.name", fmt.Sprint("service-", i))
				for _, one := range groups(group) {
					spans := resource.ScopeSpans().AppendEmpty().Spans()
					for _, name := range one {
						span := spans.AppendEmpty()
						span.SetName(name)
						span.Attributes().PutStr("words", secret)
					}
				}
			}
			return data
		},
		names: read,
		stored: func(t testing.TB, request []byte) []string {
			decoded := ptraceotlp.NewExportRequest()
			fatal(t, decoded.UnmarshalProto(request))
			return read(decoded.Traces())
		},
		answer: func(rejected int64, words string) interface {
			MarshalProto() ([]byte, error)
			MarshalJSON() ([]byte, error)
		} {
			response := ptraceotlp.NewExportResponse()
			response.PartialSuccess().SetRejectedSpans(rejected)
			response.PartialSuccess().SetErrorMessage(words)
			return response
		},
	}
}

func metricTrial() trial[pmetric.Metrics] {
	read := func(data pmetric.Metrics) (found []string) {
		for _, resource := range data.ResourceMetrics().All() {
			for _, scope := range resource.ScopeMetrics().All() {
				for _, metric := range scope.Metrics().All() {
					if metric.Type() == pmetric.MetricTypeEmpty {
						found = append(found, metric.Name())
						continue
					}
					for _, point := range metric.Sum().DataPoints().All() {
						name, _ := point.Attributes().Get("name")
						found = append(found, name.Str())
					}
				}
			}
		}
		return found
	}
	return trial[pmetric.Metrics]{
		signal: metrics(),
		make: func(names []string) pmetric.Metrics {
			data := pmetric.NewMetrics()
			for i, group := range groups(names) {
				resource := data.ResourceMetrics().AppendEmpty()
				resource.Resource().Attributes().PutStr("service.name", fmt.Sprint("service-", i))
				for j, one := range groups(group) {
					metric := resource.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
					metric.SetName(fmt.Sprint("metric.", j))
					sum := metric.SetEmptySum()
					sum.SetIsMonotonic(true)
					sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
					for _, name := range one {
						point := sum.DataPoints().AppendEmpty()
						point.Attributes().PutStr("name", name)
						point.Attributes().PutStr("words", secret)
					}
				}
			}
			return data
		},
		names: read,
		stored: func(t testing.TB, request []byte) []string {
			decoded := pmetricotlp.NewExportRequest()
			fatal(t, decoded.UnmarshalProto(request))
			return read(decoded.Metrics())
		},
		answer: func(rejected int64, words string) interface {
			MarshalProto() ([]byte, error)
			MarshalJSON() ([]byte, error)
		} {
			response := pmetricotlp.NewExportResponse()
			response.PartialSuccess().SetRejectedDataPoints(rejected)
			response.PartialSuccess().SetErrorMessage(words)
			return response
		},
	}
}

// groups makes three of a list, of different length.
func groups(names []string) [][]string {
	a, b := len(names)/5, len(names)/2
	made := [][]string{names[:a], names[a:b], names[b:]}
	return slices.DeleteFunc(made, func(one []string) bool { return len(one) == 0 })
}

// numbered makes names, and some of them bad.
func numbered(n int, badOnes ...int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("item-%05d", i)
	}
	for _, i := range badOnes {
		names[i] = fmt.Sprintf("%s-%05d", bad, i)
	}
	return names
}

func isBad(name string) bool { return strings.HasPrefix(name, bad) }

func good(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), isBad)
}

func onlyBad(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !isBad(name) })
}

// reply is what a backend says to a request. Status 0 hangs up.
type reply struct {
	status   int
	header   map[string]string
	rejected int64
}

// backend is a server of the test that takes or refuses.
type backend struct {
	*httptest.Server

	mutex    sync.Mutex
	say      func(names []string, size int) reply
	stored   []string // names in the order in which they were taken
	requests int
	sizes    []int
	paths    map[string]int
	headers  http.Header
}

func serve[T any](t testing.TB, trial trial[T], say func(names []string, size int) reply) *backend {
	t.Helper()
	b := &backend{say: say, paths: map[string]int{}}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reader := r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			var err error
			if reader, err = gzip.NewReader(r.Body); err != nil {
				t.Error(err)
				return
			}
		}
		request, err := io.ReadAll(reader)
		if err != nil {
			t.Error(err)
			return
		}
		names := trial.stored(t, request)
		b.mutex.Lock()
		b.requests++
		b.sizes = append(b.sizes, len(request))
		b.paths[r.URL.Path]++
		b.headers = r.Header.Clone()
		said := b.say(names, len(request))
		if said.status/100 == 2 {
			b.stored = append(b.stored, names...)
		}
		b.mutex.Unlock()
		if said.status == 0 {
			hung, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				err = hung.Close()
			}
			if err != nil {
				t.Error(err)
			}
			return
		}
		for key, value := range said.header {
			w.Header().Set(key, value)
		}
		body := []byte("refused: " + secret)
		if said.status/100 == 2 {
			w.Header().Set("Content-Type", protobufType)
			if body, err = trial.answer(said.rejected, secret).MarshalProto(); err != nil {
				t.Error(err)
			}
		}
		w.WriteHeader(said.status)
		_, _ = w.Write(body)
	}))
	t.Cleanup(b.Close)
	return b
}

// refusing is the address of a backend that refuses whatever comes.
func refusing(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusBadRequest)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func (b *backend) seen() (stored []string, requests int) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return slices.Clone(b.stored), b.requests
}

// dislikes answers so when a bad one is in a request.
func dislikes(status int) func([]string, int) reply {
	return func(names []string, _ int) reply {
		if slices.ContainsFunc(names, isBad) {
			return reply{status: status}
		}
		return reply{status: http.StatusOK}
	}
}

// letters keeps dead letters in memory.
type letters struct {
	component.StartFunc
	component.ShutdownFunc
	mutex   sync.Mutex
	err     error
	names   map[string][]string // by reason
	sources map[string]bool
	puts    int
}

func (l *letters) put(reason, source string, names []string) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.puts++
	if l.err != nil {
		return l.err
	}
	if l.names == nil {
		l.names, l.sources = map[string][]string{}, map[string]bool{}
	}
	l.names[reason] = append(l.names[reason], names...)
	l.sources[source] = true
	return nil
}

func (l *letters) PutLogs(_ context.Context, reason, source string, data plog.Logs) error {
	return l.put(reason, source, logTrial().names(data))
}

func (l *letters) PutTraces(_ context.Context, reason, source string, data ptrace.Traces) error {
	return l.put(reason, source, traceTrial().names(data))
}

func (l *letters) PutMetrics(_ context.Context, reason, source string, data pmetric.Metrics) error {
	return l.put(reason, source, metricTrial().names(data))
}

var _ deadletter.Store = (*letters)(nil)

type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

var letterID = component.MustNewID("dead_letter")

// watch moves only when somebody waits.
type watch struct {
	mutex sync.Mutex
	at    time.Time
	waits []time.Duration
}

func (w *watch) now() time.Time {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.at
}

func (w *watch) after(d time.Duration) <-chan time.Time {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.at = w.at.Add(d)
	w.waits = append(w.waits, d)
	gone := make(chan time.Time)
	close(gone)
	return gone
}

func (w *watch) waited() time.Duration {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	total := time.Duration(0)
	for _, one := range w.waits {
		total += one
	}
	return total
}

// rig is a pusher with all that surrounds it.
type rig[T any] struct {
	*pusher[T]
	trial[T]
	backend   *backend
	letters   *letters
	watch     *watch
	telemetry *componenttest.Telemetry
	logged    *observer.ObservedLogs
}

func testConfig(endpoint string) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.ClientConfig.Endpoint = endpoint
	cfg.ClientConfig.Timeout = 10 * time.Second
	cfg.RetryConfig.InitialInterval = 500 * time.Millisecond
	cfg.RetryConfig.MaxInterval = 10 * time.Second
	cfg.RetryConfig.MaxElapsedTime = 0
	cfg.DeadLetter = &letterID
	return cfg
}

func testSettings(telemetry *componenttest.Telemetry) (exporter.Settings, *observer.ObservedLogs) {
	core, logged := observer.New(zap.InfoLevel)
	set := exporter.Settings{
		ID: component.NewIDWithName(componentType, "there"), TelemetrySettings: telemetry.NewTelemetrySettings(),
		BuildInfo: component.BuildInfo{Description: "test", Version: "1"},
	}
	set.Logger = zap.New(core)
	return set, logged
}

// assemble starts a pusher of a trial against a backend that answers so.
func assemble[T any](
	t *testing.T, trial trial[T], change func(*Config), say func(names []string, size int) reply,
) *rig[T] {
	t.Helper()
	r := &rig[T]{
		trial: trial, backend: serve(t, trial, say), letters: &letters{},
		watch: &watch{at: time.Unix(1_800_000_000, 0)}, telemetry: componenttest.NewTelemetry(),
	}
	cfg := testConfig(r.backend.URL)
	if change != nil {
		change(cfg)
	}
	fatal(t, cfg.Validate())
	set, logged := testSettings(r.telemetry)
	r.logged = logged
	made, _, err := newPusher(set, cfg, trial.signal, "")
	fatal(t, err)
	made.clock, made.after = r.watch.now, r.watch.after
	fatal(t, made.start(t.Context(), host{letterID: r.letters}))
	r.pusher = made
	return r
}

// push pushes data as the helper does: encoded.
func (r *rig[T]) push(ctx context.Context, data T) error {
	one, err := converter(&r.pusher.signal)(ctx, data)
	if err != nil {
		return err
	}
	return r.pusher.push(ctx, one)
}

// unsettled returns what an error carries.
func (r *rig[T]) unsettled(err error) (data T, ok bool) {
	rest, ok := errors.AsType[*unsettled](err)
	if !ok {
		return data, false
	}
	data, err = r.pusher.signal.decode(rest.left)
	return data, err == nil
}

// send pushes names and pushes again what is left, as the helper does, so many times.
func (r *rig[T]) send(t *testing.T, names []string, again int) (left []string) {
	t.Helper()
	data := r.make(names)
	for range again + 1 {
		err := r.push(t.Context(), data)
		if err == nil {
			return nil
		}
		if consumererror.IsPermanent(err) {
			t.Fatalf("the batch is given up: %v", err)
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q quotes the backend", err)
		}
		var ok bool
		if data, ok = r.unsettled(err); !ok {
			t.Fatalf("%v carries nothing", err)
		}
	}
	return r.names(data)
}

func (r *rig[T]) expectStored(t *testing.T, want []string) {
	t.Helper()
	stored, _ := r.backend.seen()
	expectSame(t, "stored", stored, want)
}

func expectSame(t *testing.T, what string, got, want []string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("%s are %d, not %d: %q", what, len(got), len(want), difference(got, want))
	}
}

func difference(got, want []string) (odd []string) {
	count := map[string]int{}
	for _, one := range got {
		count[one]++
	}
	for _, one := range want {
		count[one]--
	}
	for name, n := range count {
		if n != 0 && len(odd) < 5 {
			odd = append(odd, fmt.Sprintf("%s %+d", name, n))
		}
	}
	return odd
}

// expectRefused compares all that is counted as refused, by status; zeros are left out.
func (r *rig[T]) expectRefused(t *testing.T, want map[string]int64) {
	t.Helper()
	expectCounted(t, r.telemetry, r.trial.signal.name, want)
}

func expectCounted(t *testing.T, telemetry *componenttest.Telemetry, signal string, want map[string]int64) {
	t.Helper()
	got := map[string]int64{}
	for labels, n := range counted(t, telemetry, "otelcol_exporter_otlp_bisect_refused") {
		status, found := strings.CutPrefix(labels, "exporter=otlp_bisect/there,signal="+signal+",status=")
		if !found {
			t.Errorf("labels are %s", labels)
		}
		if n != 0 {
			got[status] = n
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("refused are %v, not %v", got, want)
	}
}

func counted(t testing.TB, telemetry *componenttest.Telemetry, name string) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	metric, err := telemetry.GetMetric(name)
	if err != nil {
		return found
	}
	for _, point := range metric.Data.(metricdata.Sum[int64]).DataPoints {
		found[point.Attributes.Encoded(attribute.DefaultEncoder())] = point.Value
	}
	return found
}

func (r *rig[T]) expectQuiet(t *testing.T) {
	t.Helper()
	for _, line := range r.logged.All() {
		if text := fmt.Sprint(line); strings.Contains(text, secret) || strings.Contains(text, bad+"-") {
			t.Errorf("%q quotes a record", text)
		}
	}
}

type (
	logData    = plog.Logs
	traceData  = ptrace.Traces
	metricData = pmetric.Metrics
)

func contextWithCancel(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}
