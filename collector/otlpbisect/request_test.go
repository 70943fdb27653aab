// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	pdatarequest "go.opentelemetry.io/collector/pdata/xpdata/request"
	"google.golang.org/protobuf/encoding/protowire"
)

func requestOf[T any](t *testing.T, trial trial[T], names []string) *request[T] {
	t.Helper()
	made, err := converter(&trial.signal)(t.Context(), trial.make(names))
	fatal(t, err)
	return made.(*request[T])
}

// TestItemsAreCountedAsTheCollectorCounts: without decoding anything.
func TestItemsAreCountedAsTheCollectorCounts(t *testing.T) {
	counts := func(name string, path path, encoded []byte, want int) {
		t.Helper()
		if got, err := path.count(encoded); err != nil || got != want {
			t.Errorf("%s: %d, %v, not %d", name, got, err, want)
		}
	}
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 18))
		names := numbered(random.IntN(40))
		a, b := logTrial(), traceTrial()
		encoded, err := a.signal.encode(a.make(names))
		fatal(t, err)
		counts("logs", a.signal.items, encoded, a.make(names).LogRecordCount())
		encoded, err = b.signal.encode(b.make(names))
		fatal(t, err)
		counts("traces", b.signal.items, encoded, b.make(names).SpanCount())
	}
	data := pmetric.NewMetrics()
	all := data.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	all.AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(1)
	all.AppendEmpty().SetEmptySum().DataPoints().AppendEmpty()
	all.AppendEmpty().SetEmptyHistogram().DataPoints().AppendEmpty().BucketCounts().FromRaw([]uint64{1, 2})
	all.AppendEmpty().SetEmptyExponentialHistogram().DataPoints().AppendEmpty().Positive().BucketCounts().FromRaw([]uint64{3})
	all.AppendEmpty().SetEmptySummary().DataPoints().AppendEmpty().QuantileValues().AppendEmpty().SetValue(4)
	all.AppendEmpty().SetName("without points")
	encoded, err := metrics().encode(data)
	fatal(t, err)
	counts("metrics", metrics().items, encoded, data.DataPointCount())
	if data.DataPointCount() != 5 {
		t.Fatal("not of every kind")
	}
}

// TestWhatIsStoredIsWhatTheStockExporterStores: either reads what the other has written.
func TestWhatIsStoredIsWhatTheStockExporterStores(t *testing.T) {
	ctx := client.NewContext(t.Context(), client.Info{
		Addr:     &net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 4317},
		Metadata: client.NewMetadata(map[string][]string{"tenant": {"a"}}),
	})
	trial := logTrial()
	names := numbered(9)
	stock, err := pdatarequest.MarshalLogs(ctx, trial.make(names))
	fatal(t, err)
	ours, err := encoding[plog.Logs]{&trial.signal}.Marshal(ctx, requestOf(t, trial, names))
	fatal(t, err)
	if len(ours) != len(stock) { // the fields of the outermost message stand in another order
		t.Errorf("%d bytes are stored, not the %d of the stock exporter", len(ours), len(stock))
	}
	if _, data, err := pdatarequest.UnmarshalLogs(ours); err != nil || !slices.Equal(trial.names(data), names) {
		t.Errorf("the stock exporter reads %v, %v", data, err)
	}
	for _, stored := range [][]byte{ours, stock} {
		back, read, err := encoding[plog.Logs]{&trial.signal}.Unmarshal(stored)
		fatal(t, err)
		info := client.FromContext(back)
		if info.Addr.String() != "10.0.0.7:4317" || info.Metadata.Get("tenant")[0] != "a" {
			t.Errorf("the context is %v", info)
		}
		if read.ItemsCount() != len(names) {
			t.Errorf("%d items", read.ItemsCount())
		}
		data, err := trial.signal.decode(read.(*request[plog.Logs]).bytes)
		if err != nil || !slices.Equal(trial.names(data), names) {
			t.Errorf("%v, %v", trial.names(data), err)
		}
	}
	t.Run("traces and metrics", func(t *testing.T) {
		stored, err := pdatarequest.MarshalTraces(ctx, traceTrial().make(names))
		fatal(t, err)
		signal := traces()
		_, read, err := encoding[ptrace.Traces]{&signal}.Unmarshal(stored)
		if err != nil || read.ItemsCount() != len(names) {
			t.Errorf("%v, %v", read, err)
		}
		stored, err = pdatarequest.MarshalMetrics(ctx, metricTrial().make(names))
		fatal(t, err)
		other := metrics()
		_, read, err = encoding[pmetric.Metrics]{&other}.Unmarshal(stored)
		if err != nil || read.ItemsCount() != len(names) {
			t.Errorf("%v, %v", read, err)
		}
	})
	t.Run("a message alone, as before 0.130", func(t *testing.T) {
		stored, err := (&plog.ProtoMarshaler{}).MarshalLogs(trial.make(names))
		fatal(t, err)
		_, read, err := encoding[plog.Logs]{&trial.signal}.Unmarshal(stored)
		if err != nil || read.ItemsCount() != len(names) {
			t.Errorf("%v, %v", read, err)
		}
	})
	t.Run("damaged", func(t *testing.T) {
		for cut := range len(stock) {
			_, read, err := encoding[plog.Logs]{&trial.signal}.Unmarshal(stock[:cut])
			if err != nil {
				continue
			}
			// Cut off between two fields: all of the message is there, or nothing.
			data, err := trial.signal.decode(read.(*request[plog.Logs]).bytes)
			if got := trial.names(data); err != nil || len(got) > 0 && !slices.Equal(got, names) {
				t.Errorf("%d of %d bytes are read as %v, %v", cut, len(stock), got, err)
			}
		}
	})
}

// TestBatchesHoldAllInOrder joins and splits requests of many sizes.
func TestBatchesHoldAllInOrder(t *testing.T) {
	const most = 6
	batches(t, logTrial(), most)
	batches(t, traceTrial(), most)
	batches(t, metricTrial(), most)
}

func batches[T any](t *testing.T, trial trial[T], most int) {
	t.Helper()
	for first := range 2*most + 2 {
		for second := range 2*most + 2 {
			names := numbered(first + second)
			one, other := requestOf(t, trial, names[:first]), requestOf(t, trial, names[first:])
			parts, err := one.MergeSplit(t.Context(), most, exporterhelper.RequestSizerTypeItems, other)
			fatal(t, err)
			var got []string
			for i, part := range parts {
				data, err := trial.signal.decode(part.(*request[T]).bytes)
				fatal(t, err)
				found := trial.names(data)
				if len(found) != part.ItemsCount() || len(found) > most || i < len(parts)-1 && len(found) < most {
					t.Errorf("%s: part %d of %d + %d has %d items, counted as %d",
						trial.signal.name, i, first, second, len(found), part.ItemsCount())
				}
				got = append(got, found...)
			}
			if !slices.Equal(got, names) {
				t.Fatalf("%s: %d + %d became %v", trial.signal.name, first, second, got)
			}
		}
	}
}

// TestBatchesByBytesDropNothing, as the helper's own do behind a record that is too large.
func TestBatchesByBytesDropNothing(t *testing.T) {
	trial := logTrial()
	names := numbered(5)
	names[2] = strings.Repeat("x", 30_000)
	one, other := requestOf(t, trial, names), requestOf(t, trial, numbered(3))
	parts, err := one.MergeSplit(t.Context(), 20_000, exporterhelper.RequestSizerTypeBytes, other)
	fatal(t, err)
	var got []string
	for _, part := range parts {
		data, err := trial.signal.decode(part.(*request[plog.Logs]).bytes)
		fatal(t, err)
		got = append(got, trial.names(data)...)
	}
	if want := append(slices.Clone(names), numbered(3)...); !slices.Equal(got, want) {
		t.Errorf("%d are left of %d", len(got), len(want))
	}
}

// damaged is a request of four log records of which one cannot be decoded.
func damaged(t *testing.T, trial trial[plog.Logs]) *request[plog.Logs] {
	broken := requestOf(t, trial, numbered(4))
	at := strings.Index(string(broken.bytes), secret)
	broken.bytes = slices.Clone(broken.bytes)
	broken.bytes[at-1] = 0xff // a length that goes beyond the record
	if _, err := trial.signal.decode(broken.bytes); err == nil {
		t.Fatal("it can be decoded")
	}
	return broken
}

// TestARecordThatCannotBeDecodedCostsItself: the queue's file was damaged. What the backend refuses as well
// is kept, but for this record.
func TestARecordThatCannotBeDecodedCostsItself(t *testing.T) {
	trial := logTrial()
	r := assemble(t, trial, nil, nil)
	broken := damaged(t, trial)
	r.sender.address = refusing(t)
	fatal(t, r.pusher.push(t.Context(), broken))
	r.expectRefused(t, map[string]int64{fmt.Sprint(http.StatusBadRequest): 4})
	if r.letters.puts != 3 {
		t.Errorf("%d of three that can be read are kept", r.letters.puts)
	}
	r.expectQuiet(t)
}

// TestARequestThatCannotBeDecodedIsSentAndThenLost where it cannot be parted as it is encoded, either.
func TestARequestThatCannotBeDecodedIsSentAndThenLost(t *testing.T) {
	trial := logTrial()
	r := assemble(t, trial, nil, nil)
	broken := damaged(t, trial)
	broken.bytes = protowire.AppendVarint(protowire.AppendTag(broken.bytes, 2, protowire.VarintType), 1)
	r.sender.address = refusing(t)
	fatal(t, r.pusher.push(t.Context(), broken))
	r.expectRefused(t, map[string]int64{fmt.Sprint(http.StatusBadRequest): 4})
	if r.letters.puts != 0 {
		t.Error("it is kept as if it could be read")
	}
	r.expectQuiet(t)
}

func TestWhatIsLeftOfARequestIsTriedAgain(t *testing.T) {
	trial := logTrial()
	whole, rest := requestOf(t, trial, numbered(8)), requestOf(t, trial, numbered(3))
	if again := whole.OnError(errors.New("away")); again != whole {
		t.Error("an error that carries nothing takes something away")
	}
	again := whole.OnError(fmt.Errorf("wrapped: %w", &unsettled{context.Canceled, rest.bytes}))
	if again.ItemsCount() != 3 {
		t.Errorf("%d items are tried again", again.ItemsCount())
	}
}
