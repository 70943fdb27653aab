// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/mem"
)

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for something with a deadline, and reports the last state.
func eventually(t testing.TB, what func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if err = what(); err == nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal(err)
}

// server is a real otlp receiver with the extension, on ports of its own.
type server struct {
	grpc, http string
	limits     *limits
	telemetry  *componenttest.Telemetry

	logs    *consumertest.LogsSink
	traces  *consumertest.TracesSink
	metrics *consumertest.MetricsSink

	mu   sync.Mutex
	hook func(context.Context) error // stands for the pipeline
}

func (s *server) onReceipt(hook func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

func (s *server) received(ctx context.Context) error {
	s.mu.Lock()
	hook := s.hook
	s.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(ctx)
}

type settings map[string]any

// start runs a receiver with the extension. Its own settings come on top of the defaults, and so do
// those of the receiver's two parts.
func start(t testing.TB, own settings, grpcPart, httpPart settings) *server {
	t.Helper()
	return startWith(t, nil, own, grpcPart, httpPart)
}

// startWith does the same beside other extensions.
func startWith(t testing.TB, others host, own settings, grpcPart, httpPart settings) *server {
	t.Helper()
	s := &server{
		telemetry: componenttest.NewTelemetry(),
		logs:      new(consumertest.LogsSink),
		traces:    new(consumertest.TracesSink),
		metrics:   new(consumertest.MetricsSink),
	}
	ctx := context.Background()
	cfg := createDefaultConfig().(*Config)
	fatal(t, confmap.NewFromStringMap(own).Unmarshal(cfg))
	fatal(t, cfg.Validate())
	ext, err := createExtension(ctx, extension.Settings{
		ID: component.NewID(componentType), TelemetrySettings: s.telemetry.NewTelemetrySettings(),
	}, cfg)
	fatal(t, err)
	s.limits = ext.(*limits)
	fatal(t, ext.Start(ctx, others))
	t.Cleanup(func() { fatal(t, ext.Shutdown(context.Background())) })

	for attempt := 1; ; attempt++ {
		all := host{component.NewID(componentType): ext}
		maps.Copy(all, others)
		running, err := s.receive(t, all, grpcPart, httpPart)
		if err == nil {
			t.Cleanup(func() {
				s.onReceipt(nil)
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				_ = running.Shutdown(ctx)
				_ = s.telemetry.Shutdown(context.Background())
			})
			return s
		}
		if attempt == 5 || !errors.Is(err, syscall.EADDRINUSE) { // somebody else was faster
			t.Fatal(err)
		}
	}
}

// receive starts the receiver on ports that are free.
func (s *server) receive(t testing.TB, host host, grpcPart, httpPart settings) (component.Component, error) {
	t.Helper()
	ctx := context.Background()
	s.grpc, s.http = freeAddress(t), freeAddress(t)
	factory := otlpreceiver.NewFactory()
	middlewares := []any{map[string]any{"id": componentType.String()}}
	grpcConfig := settings{"endpoint": s.grpc, "max_recv_msg_size_mib": 20, "middlewares": middlewares}
	httpConfig := settings{"endpoint": s.http, "middlewares": middlewares, "compression_algorithms": []any{}}
	maps.Copy(grpcConfig, grpcPart)
	maps.Copy(httpConfig, httpPart)
	receiverConfig := factory.CreateDefaultConfig()
	fatal(t, confmap.NewFromStringMap(map[string]any{"protocols": map[string]any{
		"grpc": map[string]any(grpcConfig), "http": map[string]any(httpConfig),
	}}).Unmarshal(receiverConfig))
	set := receiver.Settings{
		ID: component.NewID(factory.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings(),
	}
	logs, err := consumer.NewLogs(func(ctx context.Context, ld plog.Logs) error {
		return errors.Join(s.received(ctx), s.logs.ConsumeLogs(ctx, ld))
	})
	fatal(t, err)
	traces, err := consumer.NewTraces(func(ctx context.Context, td ptrace.Traces) error {
		return errors.Join(s.received(ctx), s.traces.ConsumeTraces(ctx, td))
	})
	fatal(t, err)
	metrics, err := consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
		return errors.Join(s.received(ctx), s.metrics.ConsumeMetrics(ctx, md))
	})
	fatal(t, err)
	running, err := factory.CreateLogs(ctx, set, receiverConfig, logs)
	fatal(t, err)
	_, err = factory.CreateTraces(ctx, set, receiverConfig, traces)
	fatal(t, err)
	_, err = factory.CreateMetrics(ctx, set, receiverConfig, metrics)
	fatal(t, err)
	return running, running.Start(ctx, host)
}

type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

func freeAddress(t testing.TB) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	fatal(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// answer is what a sender got.
type answer struct {
	status     int    // of HTTP
	code       string // of gRPC
	retryAfter string
	text       string
}

// post sends a body over HTTP.
func (s *server) post(t testing.TB, path, contentType, encoding string, body []byte) answer {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, "http://"+s.http+path, bytes.NewReader(body))
	fatal(t, err)
	request.Header.Set("Content-Type", contentType)
	if encoding != "" {
		request.Header.Set("Content-Encoding", encoding)
	}
	response, err := (&http.Client{Timeout: time.Minute}).Do(request)
	fatal(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	fatal(t, err)
	return answer{
		status: response.StatusCode, retryAfter: response.Header.Get("Retry-After"), text: string(text),
	}
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}
func (rawCodec) Name() string { return "proto" }

var _ encoding.CodecV2 = rawCodec{}

func (s *server) dial(t testing.TB) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(s.grpc,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{})))
	fatal(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// methodOf are gRPC's names of the three signals.
var methodOf = func() map[messageID]string {
	names := map[messageID]string{}
	for name, root := range methods {
		names[root] = name
	}
	return names
}()

var urlPaths = map[messageID]string{
	logsRequest: "/v1/logs", traceRequest: "/v1/traces", metricsRequest: "/v1/metrics",
}

func export(ctx context.Context, conn *grpc.ClientConn, root messageID, body []byte, opts ...grpc.CallOption) error {
	var reply []byte
	return conn.Invoke(ctx, methodOf[root], body, &reply, opts...)
}

func zip(t testing.TB, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(plain)
	fatal(t, err)
	fatal(t, w.Close())
	return out.Bytes()
}

// counted reads one of the extension's counters.
func (s *server) counted(t testing.TB, name, protocol, reason string) int64 {
	t.Helper()
	got, err := s.telemetry.GetMetric("otelcol_extension_otlp_limits_" + name)
	fatal(t, err)
	want := attribute.NewSet(attribute.String("protocol", protocol), attribute.String("reason", reason))
	for _, point := range got.Data.(metricdata.Sum[int64]).DataPoints {
		if point.Attributes.Equals(&want) {
			return point.Value
		}
	}
	t.Fatalf("%s has no series %s, %s", name, protocol, reason)
	return 0
}

func (s *server) wantCounted(t testing.TB, name, protocol, reason string, want int64) {
	t.Helper()
	eventually(t, func() error {
		if got := s.counted(t, name, protocol, reason); got != want {
			return fmt.Errorf("%s{%s,%s} is %d, want %d", name, protocol, reason, got, want)
		}
		return nil
	})
}

// wantIdle waits until nothing is reserved any more.
func (s *server) wantIdle(t testing.TB) {
	t.Helper()
	s.wantNothingHeld(t)
	eventually(t, func() error {
		runtime.GC()
		s.limits.pool.sweep()
		if used := s.limits.memory.used(); used != 0 {
			return fmt.Errorf("%d bytes are reserved still", used)
		}
		return nil
	})
}

// wantNothingHeld waits until no signal has a place or memory. gRPC may keep a buffer of a connection
// that is open still.
func (s *server) wantNothingHeld(t testing.TB) {
	t.Helper()
	eventually(t, func() error {
		runtime.GC()
		s.limits.pool.sweep()
		memory, calls := s.limits.memory, s.limits.calls
		memory.mu.Lock()
		defer memory.mu.Unlock()
		held := memory.shares.held
		held[unknownMessage] = 0
		if held != (shares{}).held || memory.requests != 0 {
			return fmt.Errorf("%d requests have %v bytes still", memory.requests, held)
		}
		return calls.idle()
	})
}

func (s *calls) idle() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.places.held != (shares{}).held || s.places.used != 0 || len(s.open) != 0 {
		return fmt.Errorf("%d calls have the places %v still", len(s.open), s.places.held)
	}
	return nil
}

// decode is what the receiver's decoder makes of a request. It returns the request written anew.
func decode(root messageID, body []byte, json bool) ([]byte, error) {
	request := newRequest(root)
	unmarshal := request.UnmarshalProto
	if json {
		unmarshal = request.UnmarshalJSON
	}
	if err := unmarshal(body); err != nil {
		return nil, err
	}
	return request.MarshalProto()
}

type exportRequest interface {
	UnmarshalProto([]byte) error
	UnmarshalJSON([]byte) error
	MarshalProto() ([]byte, error)
	MarshalJSON() ([]byte, error)
}

func newRequest(root messageID) exportRequest {
	switch root {
	case logsRequest:
		return plogotlp.NewExportRequest()
	case traceRequest:
		return ptraceotlp.NewExportRequest()
	}
	return pmetricotlp.NewExportRequest()
}

// heapPeak runs something and returns the most memory the heap had meanwhile, beyond what it had
// before.
func heapPeak(do func()) int64 {
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	stop, done := make(chan struct{}), make(chan int64)
	go func() {
		var peak uint64
		for {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapInuse+now.StackInuse)
			select {
			case <-stop:
				done <- int64(peak) - int64(before.HeapInuse+before.StackInuse)
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	do()
	close(stop)
	return <-done
}

// Protobuf by hand.

func tagged(number int, payload []byte) []byte {
	out := appendVarint(nil, uint64(number)<<3|wireBytes)
	out = appendVarint(out, uint64(len(payload)))
	return append(out, payload...)
}

func appendVarint(out []byte, v uint64) []byte {
	for ; v >= 0x80; v >>= 7 {
		out = append(out, byte(v)|0x80)
	}
	return append(out, byte(v))
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// text is a value, pair an attribute.
func text(s string) []byte { return tagged(1, []byte(s)) }

func pair(key string, value []byte) []byte { return join(tagged(1, []byte(key)), tagged(2, value)) }

// listOf nests a value in levels of lists, mapOf in levels of maps. They are built from the outside
// in, in linear time.
func listOf(levels int, inner []byte) []byte { return nested(levels, inner, 5, 1, nil) }

func mapOf(levels int, inner []byte) []byte {
	return nested(levels, inner, 6, 1, func(size int) []byte {
		return append(tagged(1, []byte("k")), appendVarint([]byte{2<<3 | wireBytes}, uint64(size))...)
	})
}

func nested(levels int, inner []byte, container, item int, head func(int) []byte) []byte {
	var heads [][]byte // from the inside out
	size := len(inner)
	add := func(b []byte) {
		heads = append(heads, b)
		size += len(b)
	}
	for range levels {
		if head != nil {
			add(head(size))
		}
		add(appendVarint([]byte{byte(item<<3 | wireBytes)}, uint64(size)))
		add(appendVarint([]byte{byte(container<<3 | wireBytes)}, uint64(size)))
	}
	out := make([]byte, 0, size)
	for i := len(heads) - 1; i >= 0; i-- {
		out = append(out, heads[i]...)
	}
	return append(out, inner...)
}

// logsOf is a request with log records.
func logsOf(records ...[]byte) []byte {
	var all []byte
	for _, record := range records {
		all = append(all, tagged(2, record)...)
	}
	return tagged(1, tagged(2, all))
}

// record is a log record with a body and attributes.
func record(body string, attributes ...[]byte) []byte {
	out := tagged(5, text(body))
	for _, a := range attributes {
		out = append(out, tagged(6, a)...)
	}
	return out
}

func repeat(n int, s string) string { return strings.Repeat(s, n) }
