// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// sender is one of the ways into the receiver.
type sender struct {
	name string
	send func(root messageID, body []byte) error
	json bool
}

// senders are all ways into one receiver. A refusal is an error with a gRPC status.
func (s *server) senders(t testing.TB) []sender {
	conn := s.dial(t)
	overHTTP := func(contentType string, compressed bool) func(messageID, []byte) error {
		return func(root messageID, body []byte) error {
			encoding := ""
			if compressed {
				encoding, body = "gzip", zip(t, body)
			}
			got := s.post(t, urlPaths[root], contentType, encoding, body)
			if got.status == http.StatusOK {
				return nil
			}
			var answer rpcstatus.Status
			unmarshal := proto.Unmarshal
			if contentType == jsonType {
				unmarshal = protojson.Unmarshal
			}
			fatal(t, unmarshal([]byte(got.text), &answer))
			return fmt.Errorf("HTTP %d, retry after %q: %w", got.status, got.retryAfter,
				status.ErrorProto(&answer))
		}
	}
	overGRPC := func(opts ...grpc.CallOption) func(messageID, []byte) error {
		return func(root messageID, body []byte) error {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			return export(ctx, conn, root, body, opts...)
		}
	}
	return []sender{
		{"http protobuf", overHTTP(protobufType, false), false},
		{"http protobuf gzip", overHTTP(protobufType, true), false},
		{"http json", overHTTP(jsonType, false), true},
		{"http json gzip", overHTTP(jsonType, true), true},
		{"grpc", overGRPC(), false},
		{"grpc gzip", overGRPC(grpc.UseCompressor("gzip")), false},
	}
}

// received takes what has arrived of one signal, written anew.
func (s *server) arrived(t testing.TB, root messageID) (out [][]byte) {
	t.Helper()
	add := func(request exportRequest) {
		body, err := request.MarshalProto()
		fatal(t, err)
		out = append(out, body)
	}
	switch root {
	case logsRequest:
		for _, ld := range s.logs.AllLogs() {
			add(plogotlp.NewExportRequestFromLogs(ld))
		}
		s.logs.Reset()
	case traceRequest:
		for _, td := range s.traces.AllTraces() {
			add(ptraceotlp.NewExportRequestFromTraces(td))
		}
		s.traces.Reset()
	default:
		for _, md := range s.metrics.AllMetrics() {
			add(pmetricotlp.NewExportRequestFromMetrics(md))
		}
		s.metrics.Reset()
	}
	return out
}

func TestOrdinaryRequestsArriveAsSent(t *testing.T) {
	t.Log("seed", seed)
	s := start(t, nil, nil, nil)
	for i := range uint64(40) {
		g := newGenerator(seed+i, 4, true)
		for root, descriptor := range descriptors {
			for _, way := range s.senders(t) {
				body := g.protobuf(descriptor, 0)
				if way.json {
					body = []byte(g.json(descriptor, 0))
				}
				want, err := decode(root, body, way.json)
				fatal(t, err)
				fatal(t, way.send(root, body))
				got := s.arrived(t, root)
				if len(got) == 0 { // the receiver hands on no request without items
					got = [][]byte{want}
				}
				if len(got) != 1 || !bytes.Equal(got[0], want) {
					t.Fatalf("%s: %q became %q", way.name, want, got)
				}
			}
		}
	}
	s.wantIdle(t)
}

// Nine good records and one that is too deep: ten arrive, and the deep value ends at the bound.
func TestOneDeepValueCostsNobodyElse(t *testing.T) {
	s := start(t, nil, nil, nil)
	var records [][]byte
	for i := range 10 {
		deep := listOf(3, text("x"))
		if i == 4 {
			deep = mapOf(100, text("lost"))
		}
		records = append(records, record(fmt.Sprint("body ", i), pair("nested", deep), pair("after", text("kept"))))
	}
	body := logsOf(records...)
	request := plogotlp.NewExportRequest()
	fatal(t, request.UnmarshalProto(body))
	asJSON, err := request.MarshalJSON()
	fatal(t, err)
	for _, way := range s.senders(t) {
		sent := body
		if way.json {
			sent = asJSON
		}
		fatal(t, way.send(logsRequest, sent))
		all := s.logs.AllLogs()
		s.logs.Reset()
		if len(all) != 1 || all[0].LogRecordCount() != 10 {
			t.Fatalf("%s: %d requests", way.name, len(all))
		}
		depth, _ := deepest(plogotlp.NewExportRequestFromLogs(all[0]))
		if depth != defaultMaxDepth {
			t.Errorf("%s: %d levels are left", way.name, depth)
		}
		for i, r := range all[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
			after, _ := r.Attributes().Get("after")
			if r.Body().Str() != fmt.Sprint("body ", i) || after.Str() != "kept" || r.Attributes().Len() != 2 {
				t.Errorf("%s: record %d is %v", way.name, i, r.Attributes().AsRaw())
			}
		}
	}
	s.wantCounted(t, "repaired", overHTTP, forDepth, 4)
	s.wantCounted(t, "repaired", overGRPC, forDepth, 2)
}

// answerOf returns the code of a refusal, and whether it says when to come back.
func answerOf(err error) (codes.Code, bool) {
	var with interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &with) {
		return codes.OK, false
	}
	for _, detail := range with.GRPCStatus().Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok && info.RetryDelay.AsDuration() == retryDelay {
			return with.GRPCStatus().Code(), true
		}
	}
	return with.GRPCStatus().Code(), false
}

// bombs are small on the wire, and would be large or deep once decoded.
func bombs() map[string]struct {
	body []byte
	want codes.Code
	json bool
} {
	type bomb = struct {
		body []byte
		want codes.Code
		json bool
	}
	return map[string]bomb{
		"1.9 million lists":          {logsOf(tagged(5, listOf(1_900_000, nil))), codes.OK, false},
		"1 million maps":             {logsOf(tagged(5, mapOf(1_000_000, nil))), codes.OK, false},
		"9 million attributes":       {logsOf(bytes.Repeat([]byte{0x32, 0}, 9_000_000)), codes.OK, false},
		"9 million values":           {logsOf(tagged(5, tagged(5, bytes.Repeat([]byte{0x0a, 0}, 9_000_000)))), codes.ResourceExhausted, false},
		"9 million records":          {tagged(1, tagged(2, bytes.Repeat([]byte{0x12, 0}, 9_000_000))), codes.ResourceExhausted, false},
		"9 million resources":        {bytes.Repeat([]byte{0x0a, 0}, 9_000_000), codes.ResourceExhausted, false},
		"700,000 lists of JSON":      {jsonLog(`{"body":` + repeat(700_000, `{"arrayValue":{"values":[`) + repeat(10, "1") + repeat(700_000, "]}}") + `}`), codes.OK, true},
		"8 million braces of JSON":   {jsonLog(`{"x":` + repeat(8_000_000, "[") + repeat(8_000_000, "]") + `}`), codes.OK, true},
		"6 million records, JSON":    {jsonLog(repeat(6_000_000, "{},") + "{}"), codes.ResourceExhausted, true},
		"6 million attributes, JSON": {jsonLog(`{"attributes":[` + repeat(6_000_000, "{},") + "{}]}"), codes.OK, true},
		"800,000 lists without brackets": {[]byte(`{"resourceLogs":,"scopeLogs":,,"logRecords":,,"body":` +
			repeat(800_000, `,"arrayValue":,"values":,`)), codes.InvalidArgument, true},
	}
}

func TestBombs(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	s := start(t, nil, nil, nil)
	ways := s.senders(t)
	for name, bomb := range bombs() {
		for _, way := range ways {
			if way.json != bomb.json || !strings.HasSuffix(way.name, "gzip") {
				continue
			}
			var err error
			peak := heapPeak(func() { err = way.send(logsRequest, bomb.body) })
			s.arrived(t, logsRequest)
			t.Logf("%s, %s, %.1f MB: heap and stack %d MiB at most, %v", name, way.name,
				float64(len(bomb.body))/1e6, peak/mib, err)
			if got, later := answerOf(err); got != bomb.want || later {
				t.Errorf("%s, %s: %v", name, way.name, err)
			}
			if peak > 200*mib {
				t.Errorf("%s, %s: the heap grew by %d MiB", name, way.name, peak/mib)
			}
			// Whoever comes next is served.
			fatal(t, ways[0].send(logsRequest, logsOf(record("next"))))
			if s.logs.LogRecordCount() != 1 {
				t.Fatalf("%s, %s: the next record is missing", name, way.name)
			}
			s.logs.Reset()
		}
	}
	s.wantIdle(t)
}

// gate stops what has been received until it is opened.
type gate struct{ entered, leave chan struct{} }

func newGate() gate { return gate{make(chan struct{}, 100), make(chan struct{}, 100)} }

func (g gate) pass(context.Context) error {
	g.entered <- struct{}{}
	select {
	case <-g.leave:
		return nil
	case <-time.After(time.Minute):
		return errors.New("the gate stayed shut")
	}
}

// large is a request of more than half of 16 MiB.
func large() []byte { return logsOf(record(repeat(9<<20, "x"))) }

func TestInFlight(t *testing.T) {
	s := start(t, settings{"max_in_flight_mib": 16, "max_decoded_mib": 16, "max_request_mib": 16}, nil, nil)
	ways := s.senders(t)
	refused := func() int64 {
		return s.counted(t, "refused", overHTTP, forInFlight) + s.counted(t, "refused", overGRPC, forInFlight)
	}
	for _, holder := range []sender{ways[0], ways[4]} { // HTTP, gRPC
		gate := newGate()
		s.onReceipt(gate.pass)
		done := make(chan error, 1)
		go func() { done <- holder.send(logsRequest, large()) }()
		<-gate.entered
		before := refused()
		for _, way := range ways {
			if way.json {
				continue
			}
			err := way.send(logsRequest, large())
			switch got, later := answerOf(err); {
			case got == codes.Unavailable && later: // found too little memory
			case got == codes.Canceled && strings.HasPrefix(way.name, "grpc"): // there was none while it arrived
			default:
				t.Errorf("%s beside %s: %v", way.name, holder.name, err)
			}
			if strings.HasPrefix(way.name, "http") && !strings.HasPrefix(fmt.Sprint(err), `HTTP 503, retry after "1"`) {
				t.Errorf("%s: %v", way.name, err)
			}
		}
		if n := refused() - before; n != 4 {
			t.Errorf("%d were counted", n)
		}
		gate.leave <- struct{}{}
		fatal(t, <-done)
		s.onReceipt(nil)
		s.wantIdle(t)
	}
	// Alone, a request gets what it needs, also more than all memory.
	s.onReceipt(func(ctx context.Context) error { return ctx.Err() })
	for _, way := range ways {
		if way.json {
			continue
		}
		if err := way.send(logsRequest, logsOf(record(repeat(14<<20, "x")))); err != nil {
			t.Errorf("%s, alone: %v", way.name, err)
		}
		s.wantIdle(t)
	}
}

func TestDecodedSize(t *testing.T) {
	s := start(t, settings{"max_decoded_mib": 1, "max_request_mib": 1}, nil, nil)
	body := logsOf(attributesOf(9000, record("b"))...)
	request := plogotlp.NewExportRequest()
	fatal(t, request.UnmarshalProto(body))
	asJSON, err := request.MarshalJSON()
	fatal(t, err)
	for _, way := range s.senders(t) {
		sent := body
		if way.json {
			sent = asJSON
		}
		err := way.send(logsRequest, sent)
		if got, later := answerOf(err); got != codes.ResourceExhausted || later {
			t.Errorf("%s: %v", way.name, err)
		}
		if way.name[:4] == "http" && !strings.HasPrefix(err.Error(), `HTTP 413, retry after ""`) {
			t.Errorf("%s: %v", way.name, err)
		}
	}
	s.wantCounted(t, "refused", overHTTP, forDecodedSize, 4)
	s.wantCounted(t, "refused", overGRPC, forDecodedSize, 2)
	s.wantIdle(t)
}

func TestMalformed(t *testing.T) {
	s := start(t, nil, nil, nil)
	for _, way := range s.senders(t) {
		for _, body := range []string{"\x0a\xff\xff", "{", "\x9c\x06"} {
			if got, later := answerOf(way.send(logsRequest, []byte(body))); got != codes.InvalidArgument || later {
				t.Errorf("%s, %q: %v", way.name, body, got)
			}
		}
	}
	s.wantCounted(t, "refused", overHTTP, forForm, 12)
	s.wantCounted(t, "refused", overGRPC, forForm, 6)
	s.wantIdle(t)
}

// Nine good records and one that the decoder would refuse the request for.
func TestOneOddRecordCostsNobodyElse(t *testing.T) {
	s := start(t, nil, nil, nil)
	good := attributesOf(9, record("good"))
	goodJSON := strings.Join(slices.Repeat([]string{`{"body":{"stringValue":"good"}}`}, 9), ",")
	for _, way := range s.senders(t) {
		bodies := [][]byte{
			logsOf(append(good, tagged(9, []byte("short")))...),                 // an id
			logsOf(append(good, tagged(1, []byte("12:00")))...),                 // a time
			logsOf(append(good, []byte{0x0a, 0x7f})...),                         // no protobuf
			logsOf(append(good, []byte{0x9b, 0x06, 0x08, 0x01, 0x9c, 0x06})...), // a group
		}
		if way.json {
			bodies = [][]byte{
				jsonLog(goodJSON + `,{"traceId":"abc"}`), jsonLog(goodJSON + `,{"timeUnixNano":"12:00"}`),
				jsonLog(goodJSON + `,{"body":"a text"}`), jsonLog(goodJSON + `,{"flags":null,"timeUnixNano":null}`),
			}
		}
		for _, body := range bodies {
			if _, err := decode(logsRequest, body, way.json); err == nil {
				t.Fatalf("%s: the decoder takes %q", way.name, body)
			}
			if err := way.send(logsRequest, body); err != nil {
				t.Errorf("%s, %q: %v", way.name, body, err)
			}
			arrived := 0
			for _, ld := range s.logs.AllLogs() {
				for _, r := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
					if r.Body().Str() == "good" {
						arrived++
					}
				}
			}
			s.logs.Reset()
			if arrived != 9 {
				t.Errorf("%s, %q: %d of 9 arrived", way.name, body, arrived)
			}
		}
	}
	s.wantCounted(t, "repaired", overHTTP, forIDs, 4)
	s.wantCounted(t, "repaired", overGRPC, forIDs, 2)
	s.wantCounted(t, "repaired", overHTTP, forForm, 8)
	s.wantCounted(t, "repaired", overGRPC, forForm, 4)
}

func TestTheReceiverAnswersWhatIsNotOTLP(t *testing.T) {
	s := start(t, nil, nil, nil)
	for _, c := range []struct {
		path, contentType string
		want              int
	}{
		{"/v1/logs", "text/plain", http.StatusUnsupportedMediaType},
		{"/v1/logs", "", http.StatusUnsupportedMediaType},
		{"/other", protobufType, http.StatusNotFound},
		{"/v1/logs", "application/json; charset=utf-8", http.StatusBadRequest},
	} {
		if got := s.post(t, c.path, c.contentType, "", logsOf(record("b"))); got.status != c.want {
			t.Errorf("%+v: %+v", c, got)
		}
	}
	got, err := http.Get("http://" + s.http + "/v1/logs")
	fatal(t, err)
	got.Body.Close()
	if got.StatusCode != http.StatusMethodNotAllowed {
		t.Error(got.Status)
	}
}

// A receiver with other paths than the extension knows takes nothing in unseen.
func TestOtherPaths(t *testing.T) {
	s := start(t, nil, nil, settings{"logs_url_path": "/mine"})
	if got := s.post(t, "/mine", protobufType, "", logsOf(record("b"))); got.status != http.StatusBadRequest ||
		!strings.Contains(got.text, "url_path") || s.logs.LogRecordCount() != 0 {
		t.Errorf("%+v", got)
	}
	s = start(t, settings{"logs_url_path": "/mine"}, nil, settings{"logs_url_path": "/mine"})
	if got := s.post(t, "/mine", protobufType, "", logsOf(record("b"))); got.status != http.StatusOK ||
		s.logs.LogRecordCount() != 1 {
		t.Errorf("%+v", got)
	}
}

func TestConcurrency(t *testing.T) {
	s := start(t, settings{"max_concurrent": 3}, nil, nil)
	gate := newGate()
	s.onReceipt(gate.pass)
	var wg sync.WaitGroup
	for range 3 { // over three connections
		conn := s.dial(t)
		wg.Go(func() { fatal(t, export(context.Background(), conn, logsRequest, logsOf(record("b")))) })
		<-gate.entered
	}
	err := export(context.Background(), s.dial(t), logsRequest, logsOf(record("b")))
	if got, later := answerOf(err); got != codes.Unavailable || !later {
		t.Errorf("%v", err)
	}
	s.wantCounted(t, "refused", overGRPC, forConcurrency, 1)
	close(gate.leave)
	wg.Wait()
	s.wantIdle(t)
	s.onReceipt(nil)
	fatal(t, export(context.Background(), s.dial(t), logsRequest, logsOf(record("b"))))
}

// A pipeline that panics takes down its request alone, and its memory is given back.
func TestPanicGivesMemoryBack(t *testing.T) {
	s := start(t, nil, nil, nil)
	s.onReceipt(func(context.Context) error { panic(http.ErrAbortHandler) })
	for range 3 {
		if got, err := http.Post("http://"+s.http+"/v1/logs", protobufType, bytes.NewReader(logsOf(record("b")))); err == nil {
			got.Body.Close()
			t.Error("answered")
		}
	}
	s.wantIdle(t)
}

// The decoder takes texts as they are, also such that are no UTF-8.
func TestTextThatIsNoUTF8Arrives(t *testing.T) {
	s := start(t, nil, nil, nil)
	const odd = "caf\xe9 \xff\xfe"
	for _, way := range s.senders(t) {
		body := logsOf(record(odd, pair(odd, text(odd))))
		if way.json {
			body = jsonLog(`{"body":{"stringValue":"` + odd + `"},"attributes":[{"key":"` + odd + `","value":{"stringValue":"` + odd + `"}}]}`)
		}
		fatal(t, way.send(logsRequest, body))
		r := s.logs.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
		if value, _ := r.Attributes().Get(odd); r.Body().Str() != odd || value.Str() != odd {
			t.Errorf("%s: %q, %q", way.name, r.Body().Str(), r.Attributes().AsRaw())
		}
		s.logs.Reset()
	}
}

// Nothing at all is a request too, in protobuf.
func TestEmptyRequest(t *testing.T) {
	s := start(t, nil, nil, nil)
	for _, way := range s.senders(t) {
		body := ""
		if way.json {
			body = "{}"
		}
		if err := way.send(logsRequest, []byte(body)); err != nil {
			t.Errorf("%s: %v", way.name, err)
		}
	}
	s.wantIdle(t)
}

// Headers come before all other bounds.
func TestHeadersOfGRPCAreBounded(t *testing.T) {
	s := start(t, nil, nil, nil)
	conn := s.dial(t)
	for size, fits := range map[int]bool{20_000: true, 100_000: false} {
		ctx := metadata.AppendToOutgoingContext(context.Background(), "x", repeat(size, "x"))
		if err := export(ctx, conn, logsRequest, logsOf(record("b"))); (err == nil) != fits {
			t.Errorf("headers of %d bytes: %v", size, err)
		}
	}
	s.wantIdle(t)
}
