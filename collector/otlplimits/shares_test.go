// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	"google.golang.org/grpc/codes"
)

var signals = []messageID{logsRequest, traceRequest, metricsRequest}

func TestShares(t *testing.T) {
	type held = [metricsRequest + 1]int64
	for _, c := range []struct {
		name   string
		held   held
		signal messageID
		want   int64 // how many more fit
	}{
		{"one that comes first leaves the others theirs", held{}, logsRequest, 60},
		{"what others use of their own is not kept for them twice", held{0, 0, 10, 5}, logsRequest, 60},
		{"what others use beyond it is gone", held{0, 0, 30, 0}, logsRequest, 40},
		{"one has its own though another has all it may have", held{0, 60, 0, 0}, traceRequest, 10},
		{"so it has though a lone request took more", held{0, 100, 4, 0}, traceRequest, 6},
		{"and though gRPC's buffers have it", held{90, 0, 0, 0}, metricsRequest, 10},
		{"it has no more than that then", held{0, 60, 10, 10}, traceRequest, 0},
		{"nobody's calls leave all three theirs", held{}, unknownMessage, 50},
		{"nobody's calls have nothing to themselves", held{0, 60, 0, 0}, unknownMessage, 0},
	} {
		s := shares{most: 80, held: c.held}
		for _, one := range c.held {
			s.used += one
		}
		if !s.fits(c.signal, c.want) || s.fits(c.signal, c.want+1) {
			t.Errorf("%s: %d more do not fit, or one more does", c.name, c.want)
		}
	}
}

// Whatever order requests come and go in, each signal has its own part, together they have no more
// than the whole, and in the end nothing is left behind.
func TestSharesHold(t *testing.T) {
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	const own = 1000 / partOfOne
	m := &memoryBudget{shares: shares{most: 1000}}
	m.enter() // never alone
	type part struct {
		signal messageID
		bytes  int64
	}
	var parts []part
	for range 100_000 {
		if n := len(parts); n > 0 && random.IntN(5) < 2 {
			i := random.IntN(n)
			m.give(parts[i].signal, parts[i].bytes)
			m.leave()
			parts[i] = parts[n-1]
			parts = parts[:n-1]
			continue
		}
		one := part{messageID(random.IntN(len(m.shares.held))), random.Int64N(200)}
		before := m.shares
		m.enter()
		if m.take(one.signal, one.bytes) {
			parts = append(parts, one)
		} else {
			m.leave()
			if one.signal != unknownMessage && before.held[one.signal]+one.bytes <= own {
				t.Fatalf("%+v was refused, beside %v", one, before.held)
			}
		}
		var sum int64
		for _, held := range m.shares.held {
			sum += held
		}
		if sum != m.used() || sum > 1000 {
			t.Fatalf("%v are taken, %d in all", m.shares.held, m.used())
		}
	}
	for _, one := range parts {
		m.give(one.signal, one.bytes)
		m.leave()
	}
	if m.shares.held != (shares{}).held || m.used() != 0 || m.inFlight() != 1 {
		t.Errorf("%+v is left", m.shares)
	}
}

// waiting fills the places or the memory of one signal: it sends until it is refused. What was let in
// waits in the pipeline until the gate is opened.
func (s *server) waiting(t *testing.T, way sender, root messageID, body []byte) (n int, open func()) {
	t.Helper()
	leave := make(chan struct{})
	entered := make(chan struct{}, 1000)
	s.onReceipt(func(context.Context) error {
		entered <- struct{}{}
		<-leave
		return nil
	})
	var wg sync.WaitGroup
	for {
		answered := make(chan error, 1)
		wg.Go(func() { answered <- way.send(root, body) })
		select {
		case <-entered:
			n++
		case err := <-answered:
			if got, later := answerOf(err); got != codes.Unavailable || !later {
				t.Errorf("%s: %v", way.name, err)
			}
			s.onReceipt(nil)
			return n, sync.OnceFunc(func() { close(leave); wg.Wait() })
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: neither let in nor refused", way.name)
		}
	}
}

// The requests of one signal wait for its backend. They have no place and no memory of the others'.
func TestWaitingRequestsLeaveOthersTheirPlace(t *testing.T) {
	const places = 32
	own := settings{"max_concurrent": places, "max_in_flight_mib": 16, "max_decoded_mib": 16, "max_request_mib": 16}
	small := map[messageID][]byte{
		logsRequest:    logsOf(record("b")),
		traceRequest:   tagged(1, tagged(2, tagged(2, tagged(5, []byte("a span"))))),
		metricsRequest: tagged(1, tagged(2, tagged(2, tagged(1, []byte("a metric"))))),
	}
	large := logsOf(record(repeat(1<<20, "x")))
	for _, c := range []struct {
		name, way string
		body      []byte
		want      func(n int) bool
		reason    string
	}{
		{"places", "grpc", small[logsRequest], func(n int) bool { return n == places*3/4 }, forConcurrency},
		{"memory over gRPC", "grpc", large, func(n int) bool { return 4 <= n && n <= 6 }, forInFlight},
		{"memory over HTTP", "http protobuf", large, func(n int) bool { return 3 <= n && n <= 4 }, forInFlight},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, own, nil, nil)
			ways := map[string]sender{}
			for _, way := range s.senders(t) {
				ways[way.name] = way
			}
			n, open := s.waiting(t, ways[c.way], logsRequest, c.body)
			defer open()
			if !c.want(n) {
				t.Errorf("%d requests wait", n)
			}
			protocol, _, _ := strings.Cut(c.way, " ")
			if got := s.counted(t, "refused", protocol, c.reason); got != 1 {
				t.Errorf("%d were refused for %s", got, c.reason)
			}
			// What waits has arrived, and is its signal's: only what arrives may be ended for others.
			eventually(t, func() error {
				s.limits.pool.mu.Lock()
				defer s.limits.pool.mu.Unlock()
				if left := s.limits.pool.arriving; left > 64<<10 {
					return fmt.Errorf("%d bytes seem to arrive still", left)
				}
				return nil
			})
			for _, root := range []messageID{traceRequest, metricsRequest} {
				for _, way := range []string{"grpc", "grpc gzip", "http protobuf", "http protobuf gzip"} {
					if err := ways[way].send(root, small[root]); err != nil {
						t.Errorf("%s, %s: %v", way, urlPaths[root], err)
					}
				}
			}
			open()
			s.wantIdle(t)
			fatal(t, ways[c.way].send(logsRequest, c.body))
		})
	}
}

// A call that arrives slowly makes place for one of its own signal, or of any other if it has more
// than its signal's own part. It does not where that would help nobody.
func TestSlowCallMakesPlaceWhereItHelps(t *testing.T) {
	for _, c := range []struct {
		name string
		slow messageID // one call of this signal arrives slowly, the rest is logs
		come messageID
		want bool
	}{
		{"of the same signal", logsRequest, logsRequest, true},
		{"of another within its own part", traceRequest, logsRequest, false},
		{"of another beyond its own part", logsRequest, traceRequest, true},
	} {
		s := &calls{
			memory: &memoryBudget{}, open: map[*call]struct{}{}, places: shares{most: 16},
			telemetry: &telemetry{}, readTimeout: time.Minute,
		}
		telemetry, err := newTelemetry(noop.NewMeterProvider(), s.memory)
		fatal(t, err)
		s.telemetry = telemetry
		ended := false
		enter := func(signal messageID) *call {
			one := &call{signal: signal, began: time.Now(), cancel: func() {}}
			s.enterLocked(one)
			return one
		}
		slow := enter(c.slow)
		slow.arriving, slow.began = true, time.Now().Add(-busyTimeout)
		slow.cancel = func() { ended = true }
		for _, signal := range []messageID{logsRequest, c.come} {
			for s.places.fits(signal, 1) {
				enter(signal)
			}
		}
		if got := s.admit(&call{signal: c.come}); got != c.want || ended != c.want {
			t.Errorf("a slow call %s: let in is %v, ended is %v", c.name, got, ended)
		}
	}
}

// Places and memory come back whatever becomes of requests: served, refused, broken off, too slow,
// ended for others, or given up while they wait.
func TestNothingIsLeftBehind(t *testing.T) {
	t.Log("seed", seed)
	s := start(t, settings{"max_concurrent": 8, "max_in_flight_mib": 2, "max_decoded_mib": 2, "max_request_mib": 2,
		"read_timeout": "200ms"}, nil, nil)
	s.onReceipt(func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(rand.IntN(20)) * time.Millisecond):
			return nil
		}
	})
	ways := s.senders(t)
	var wg sync.WaitGroup
	for worker := range uint64(12) {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(seed, worker))
			conn := s.dial(t)
			for range 60 {
				root := signals[random.IntN(len(signals))]
				body := logsOf(record(repeat(random.IntN(600_000), "x"))) // odd, but for logs
				switch random.IntN(5) {
				case 0:
					ctx, leave := context.WithTimeout(context.Background(), time.Duration(random.IntN(15))*time.Millisecond)
					_ = export(ctx, conn, root, body)
					leave()
				case 1:
					ctx, leave := context.WithTimeout(context.Background(), time.Duration(random.IntN(15))*time.Millisecond)
					_ = postUntil(ctx, s, "", strings.NewReader(string(body)))
					leave()
				case 2:
					raw := s.rawGRPC(t)
					defer raw.Close() // after those that it breaks off have been too slow
					raw.data(raw.open(t, root, len(body)), body[:min(len(body), 16<<10)])
				default:
					_ = ways[[]int{0, 1, 4, 5}[random.IntN(4)]].send(root, body)
				}
			}
		})
	}
	wg.Wait()
	s.wantNothingHeld(t)
}
