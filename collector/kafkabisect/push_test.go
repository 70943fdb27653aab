// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package kafkabisect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/kafkaexporter"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"glasshouse.example/collector/deadletter"
)

const (
	patience = 2 * time.Minute
	large    = 4000
)

// letters keeps what it is given.
type letters struct {
	component.StartFunc
	component.ShutdownFunc
	mutex sync.Mutex
	got   []string
}

func (l *letters) all() []string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return slices.Clone(l.got)
}

var _ deadletter.Store = (*letters)(nil)

func (l *letters) PutLogs(_ context.Context, reason, source string, data plog.Logs) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, name := range bodies(data) {
		l.got = append(l.got, fmt.Sprintf("%s %s %.5s", reason, source, name))
	}
	return nil
}
func (l *letters) PutTraces(context.Context, string, string, ptrace.Traces) error    { return nil }
func (l *letters) PutMetrics(context.Context, string, string, pmetric.Metrics) error { return nil }

type host struct {
	extensions map[component.ID]component.Component
}

func (h host) GetExtensions() map[component.ID]component.Component { return h.extensions }

// rig is an exporter before brokers of this process.
type rig struct {
	brokers  *kfake.Cluster
	exporter exporter.Logs
	letters  *letters
	lines    *observer.ObservedLogs
	readings *componenttest.Telemetry
}

func newRig(t *testing.T, change func(*kafkaexporter.Config)) *rig {
	t.Helper()
	brokers, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "otlp_logs"))
	fatal(t, err)
	t.Cleanup(brokers.Close)
	r := &rig{brokers: brokers, letters: &letters{}, readings: componenttest.NewTelemetry()}
	core, lines := observer.New(zapcore.WarnLevel)
	r.lines = lines
	config := createDefaultConfig().(*Config)
	config.Kafka.ClientConfig.Brokers = brokers.ListenAddrs()
	config.Kafka.BackOffConfig.InitialInterval, config.Kafka.BackOffConfig.MaxElapsedTime = 10*time.Millisecond, 0
	config.Kafka.BackOffConfig.MaxInterval = 50 * time.Millisecond
	config.Kafka.PartitionLogsByTraceID = true
	id := component.MustNewID("dead_letter")
	config.DeadLetter = &id
	change(&config.Kafka)
	set := exporter.Settings{ID: component.NewID(componentType), TelemetrySettings: r.readings.NewTelemetrySettings()}
	set.Logger = zap.New(core)
	r.exporter, err = NewFactory().CreateLogs(context.Background(), set, config)
	fatal(t, err)
	fatal(t, r.exporter.Start(context.Background(), host{map[component.ID]component.Component{id: r.letters}}))
	t.Cleanup(func() { fatal(t, r.exporter.Shutdown(context.Background())) })
	return r
}

// until polls what is in the topic until it is what is wanted, in any order, repeated or not.
func (r *rig) until(t *testing.T, wanted ...string) {
	t.Helper()
	reader, err := kgo.NewClient(kgo.SeedBrokers(r.brokers.ListenAddrs()...), kgo.ConsumeTopics("otlp_logs"))
	fatal(t, err)
	defer reader.Close()
	found := map[string]bool{}
	ctx, end := context.WithTimeout(context.Background(), patience)
	defer end()
	for len(found) < len(wanted) {
		fetched := reader.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%v, not %v: %v", found, wanted, r.lines.All())
		}
		fetched.EachRecord(func(record *kgo.Record) {
			data, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(record.Value)
			fatal(t, err)
			for _, name := range bodies(data) {
				found[name] = true
			}
		})
	}
	for _, name := range wanted {
		if !found[name] {
			t.Fatalf("%v, not %v", found, wanted)
		}
	}
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func records(names ...string) plog.Logs {
	data := plog.NewLogs()
	for _, name := range names {
		data.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr(name)
	}
	return data
}

func bodies(data plog.Logs) []string {
	var names []string
	for _, resource := range data.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				names = append(names, record.Body().Str())
			}
		}
	}
	return names
}

// refuse answers so many produce requests with an error.
func (r *rig) refuse(times int, answer *kerr.Error) {
	r.brokers.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
		r.brokers.KeepControl()
		if times--; times < 0 {
			return nil, nil, false
		}
		asked := request.(*kmsg.ProduceRequest)
		response := asked.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range asked.Topics {
			one := kmsg.NewProduceResponseTopic()
			one.Topic, one.TopicID = topic.Topic, topic.TopicID
			for _, partition := range topic.Partitions {
				failed := kmsg.NewProduceResponseTopicPartition()
				failed.Partition, failed.ErrorCode = partition.Partition, answer.Code
				one.Partitions = append(one.Partitions, failed)
			}
			response.Topics = append(response.Topics, one)
		}
		return response, nil, true
	})
}

func TestWhatMayNotBeWrittenWaitsUntilItMay(t *testing.T) {
	for _, answer := range []*kerr.Error{kerr.TopicAuthorizationFailed, kerr.ClusterAuthorizationFailed, kerr.PolicyViolation} {
		t.Run(answer.Message, func(t *testing.T) {
			r := newRig(t, func(*kafkaexporter.Config) {})
			r.refuse(3, answer)
			fatal(t, r.exporter.ConsumeLogs(context.Background(), records("one", "two")))
			r.until(t, "one", "two")
			if aside := r.letters.all(); len(aside) != 0 {
				t.Errorf("set aside: %v", aside)
			}
			waiting := r.lines.FilterMessageSnippet("They are kept and sent again").All()
			if len(waiting) != 1 || !strings.Contains(waiting[0].Message, remedy(answer)) {
				t.Errorf("%d lines of it: %v", len(waiting), waiting)
			}
		})
	}
}

func TestTheStockExporterDropsWhatMayNotBeWritten(t *testing.T) {
	r := newRig(t, func(*kafkaexporter.Config) {})
	config := stock.CreateDefaultConfig().(*kafkaexporter.Config)
	config.ClientConfig.Brokers = r.brokers.ListenAddrs()
	core, lines := observer.New(zapcore.ErrorLevel)
	set := exporter.Settings{ID: component.NewID(stock.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
	set.Logger = zap.New(core)
	inner, err := stock.CreateLogs(context.Background(), set, config)
	fatal(t, err)
	fatal(t, inner.Start(context.Background(), host{}))
	defer func() { fatal(t, inner.Shutdown(context.Background())) }()
	r.refuse(1, kerr.TopicAuthorizationFailed)
	fatal(t, inner.ConsumeLogs(context.Background(), records("dropped")))
	for end := time.Now().Add(patience); lines.FilterMessageSnippet("Dropping data").Len() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the stock exporter drops nothing any more: this one is not needed then: %v", lines.All())
		}
	}
}

func TestARecordThatIsTooLargeIsSetAsideAlone(t *testing.T) {
	r := newRig(t, func(config *kafkaexporter.Config) { config.Producer.MaxMessageBytes = large / 2 })
	fatal(t, r.exporter.ConsumeLogs(context.Background(),
		records("one", "two", "large"+strings.Repeat("x", large), "three", "four")))
	r.until(t, "one", "two", "three", "four")
	wanted := []string{"message_too_large kafka_bisect large"}
	for end := time.Now().Add(patience); !slices.Equal(r.letters.all(), wanted); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("set aside: %v", r.letters.all())
		}
	}
	reading, err := r.readings.GetMetric("otelcol_exporter_kafka_bisect_refused")
	fatal(t, err)
	for _, point := range reading.Data.(metricdata.Sum[int64]).DataPoints {
		reason, _ := point.Attributes.Value("reason")
		if count := map[string]int64{"message_too_large": 1}[reason.AsString()]; point.Value != count {
			t.Errorf("%s: %d, not %d", reason.AsString(), point.Value, count)
		}
	}
}

func TestWhatIsSentAgainIsWhatWasNotDelivered(t *testing.T) {
	failing := signalOf(func(data plog.Logs) error {
		switch {
		case slices.Contains(bodies(data), "large"):
			return consumererror.NewPermanent(errors.Join(kerr.MessageTooLarge, errors.New("and another")))
		case slices.Contains(bodies(data), "later"):
			return consumererror.NewPermanent(kerr.TopicAuthorizationFailed)
		}
		return nil
	})
	p := &pusher[plog.Logs]{config: &Config{}, signal: failing, logger: zap.NewNop(), store: &letters{}}
	var err error
	p.telemetry, err = newTelemetry(componenttest.NewNopTelemetrySettings().MeterProvider, "kafka_bisect", "logs")
	fatal(t, err)
	err = p.push(context.Background(), records("one", "large", "two", "later"))
	var left consumererror.Logs
	if consumererror.IsPermanent(err) || !errors.As(err, &left) {
		t.Fatalf("%v", err)
	}
	// The large one had an error beside its own: it is tried again before it is given up.
	if names := bodies(left.Data()); !slices.Equal(names, []string{"large", "two", "later"}) {
		t.Errorf("sent again: %v", names)
	}
}

func signalOf(send func(plog.Logs) error) signal[plog.Logs] {
	one := logs(consumertest.NewNop())
	one.send = func(_ context.Context, data plog.Logs) error { return send(data) }
	return one
}

func TestPartsAreTheWholeForEachSignal(t *testing.T) {
	for n := 2; n < 9; n++ {
		spans, points := ptrace.NewTraces(), pmetric.NewMetrics()
		names := make([]string, n)
		for i := range n {
			names[i] = fmt.Sprint(i)
			spans.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
			points.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		}
		one, other := logs(consumertest.NewNop()).halve(records(names...))
		if all := append(bodies(one), bodies(other)...); !slices.Equal(all, names) || one.LogRecordCount() != n/2 {
			t.Errorf("%v", all)
		}
		first, second := traces(consumertest.NewNop()).halve(spans)
		if first.SpanCount() != n/2 || first.SpanCount()+second.SpanCount() != n || first.ResourceSpans().Len() != n/2 {
			t.Errorf("%d and %d spans of %d", first.SpanCount(), second.SpanCount(), n)
		}
		left, right := metrics(consumertest.NewNop()).halve(points)
		if left.MetricCount() != n/2 || left.MetricCount()+right.MetricCount() != n || left.ResourceMetrics().Len() != n/2 {
			t.Errorf("%d and %d metrics of %d", left.MetricCount(), right.MetricCount(), n)
		}
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	for says, change := range map[string]func(*Config){
		"retry_on_failure.enabled": func(c *Config) { c.Kafka.BackOffConfig.Enabled = false },
		"timeout":                  func(c *Config) { c.Kafka.TimeoutSettings.Timeout = 0 },
	} {
		config := createDefaultConfig().(*Config)
		fatal(t, config.Validate())
		change(config)
		if err := config.Validate(); err == nil || !strings.HasPrefix(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}
