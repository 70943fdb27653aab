// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// rawConn speaks HTTP/2 to a gRPC server frame by frame, to send what no library would.
type rawConn struct {
	net.Conn
	mu     sync.Mutex // of writing
	framer *http2.Framer
	ended  chan uint32 // streams that the server has ended
	stream uint32

	flow   sync.Mutex
	more   *sync.Cond
	window map[uint32]int // bytes that may be sent, by stream; 0 is the connection
	over   map[uint32]bool
}

const firstWindow = 65535

func (s *server) rawGRPC(t testing.TB) *rawConn {
	t.Helper()
	conn, err := net.Dial("tcp", s.grpc)
	fatal(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = io.WriteString(conn, http2.ClientPreface)
	fatal(t, err)
	c := &rawConn{Conn: conn, framer: http2.NewFramer(conn, conn), ended: make(chan uint32, 1000),
		window: map[uint32]int{0: firstWindow}, over: map[uint32]bool{}}
	c.more = sync.NewCond(&c.flow)
	fatal(t, c.framer.WriteSettings())
	go c.read()
	return c
}

func (c *rawConn) read() {
	end := func(id uint32) {
		c.flow.Lock()
		c.over[id] = true
		c.more.Broadcast()
		c.flow.Unlock()
		if id != 0 {
			c.ended <- id
		}
	}
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			end(0)
			return
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				c.write(c.framer.WriteSettingsAck)
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				c.write(func() error { return c.framer.WritePing(true, f.Data) })
			}
		case *http2.WindowUpdateFrame:
			c.flow.Lock()
			c.window[f.StreamID] += int(f.Increment)
			c.more.Broadcast()
			c.flow.Unlock()
		case *http2.HeadersFrame:
			if f.StreamEnded() {
				end(f.StreamID)
			}
		case *http2.RSTStreamFrame:
			end(f.StreamID)
		}
	}
}

func (c *rawConn) write(what func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = what() // a server that has hung up shows elsewhere
}

// open begins a call whose message will have a length, and sends nothing of it yet.
func (c *rawConn) open(t testing.TB, root messageID, length int) uint32 {
	t.Helper()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, h := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", methodOf[root]}, {":authority", "localhost"},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		fatal(t, encoder.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]}))
	}
	c.stream += 2
	id := c.stream - 1
	c.flow.Lock()
	c.window[id] = firstWindow
	c.flow.Unlock()
	c.write(func() error {
		return c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true})
	})
	c.data(id, []byte{0, byte(length >> 24), byte(length >> 16), byte(length >> 8), byte(length)})
	return id
}

// data sends a piece of a message, when the server is ready for it and has not ended the call.
func (c *rawConn) data(id uint32, b []byte) {
	c.flow.Lock()
	for (c.window[0] < len(b) || c.window[id] < len(b)) && !c.over[id] && !c.over[0] {
		c.more.Wait()
	}
	over := c.over[id] || c.over[0]
	if !over {
		c.window[0] -= len(b)
		c.window[id] -= len(b)
	}
	c.flow.Unlock()
	if over {
		return
	}
	c.write(func() error { return c.framer.WriteData(id, false, b) })
}

// A gRPC message that does not arrive in time ends its call, and nothing stays behind.
func TestSlowMessageEnds(t *testing.T) {
	s := start(t, settings{"read_timeout": "300ms"}, nil, nil)
	conn := s.rawGRPC(t)
	silent := conn.open(t, logsRequest, 1000)
	trickling := conn.open(t, traceRequest, 1000)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				conn.data(trickling, []byte{0})
			}
		}
	}()
	for ended := map[uint32]bool{}; !ended[silent] || !ended[trickling]; {
		select {
		case id := <-conn.ended:
			ended[id] = true
		case <-time.After(20 * time.Second):
			t.Fatalf("only %v ended", ended)
		}
	}
	s.wantCounted(t, "refused", overGRPC, forSlowness, 2)
	s.wantIdle(t)
}

// A message that has arrived in time is not ended by the time that working on it takes.
func TestReadTimeoutIsOnlyForReading(t *testing.T) {
	s := start(t, settings{"read_timeout": "200ms"}, nil, settings{"read_timeout": "200ms"})
	s.onReceipt(func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return errors.New("ended while it was worked on")
		case <-time.After(600 * time.Millisecond): // three times what reading may take
			return nil
		}
	})
	for _, way := range s.senders(t) {
		if way.json {
			continue
		}
		if err := way.send(logsRequest, logsOf(record("b"))); err != nil {
			t.Errorf("%s: %v", way.name, err)
		}
	}
}

// Many messages that arrive at once, and never end, hold no more than all memory and a quarter. Those
// that began first make place, and others are served meanwhile.
func TestUnfinishedMessagesAreBounded(t *testing.T) {
	s := start(t, settings{"max_in_flight_mib": 16, "max_decoded_mib": 16, "max_request_mib": 16}, nil, nil)
	var most atomic.Int64
	watch := make(chan struct{})
	go func() {
		for {
			most.Store(max(most.Load(), s.limits.memory.used()))
			select {
			case <-watch:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	s.flood(t, 16<<10)
	close(watch)
	if got := most.Load(); got > 24<<20 {
		t.Errorf("%d MiB were in use", got>>20)
	}
	if n := s.counted(t, "refused", overGRPC, forInFlight); n == 0 {
		t.Error("no call was ended")
	}
	s.wantIdle(t)
	fatal(t, export(context.Background(), s.dial(t), logsRequest, logsOf(record("b"))))
}

// flood sends 32 messages of 4 MiB at once, in frames of one size, and ends none of them.
func (s *server) flood(t testing.TB, frame int) {
	const streams, size = 32, 4 << 20
	conns := []*rawConn{s.rawGRPC(t), s.rawGRPC(t), s.rawGRPC(t), s.rawGRPC(t)}
	var wg sync.WaitGroup
	for _, conn := range conns {
		var ids []uint32
		for range streams / len(conns) {
			ids = append(ids, conn.open(t, logsRequest, size))
		}
		wg.Go(func() {
			piece := make([]byte, frame)
			for sent := 0; sent < size-len(piece); sent += len(piece) {
				for _, id := range ids {
					conn.data(id, piece)
				}
			}
		})
	}
	wg.Wait()
	for _, conn := range conns {
		conn.Close()
	}
}

// Small frames are in no buffer that is counted. The memory of the process shows them.
func TestUnfinishedMessagesInSmallFramesAreBounded(t *testing.T) {
	s := start(t, nil, nil, nil)
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(heapAlive() + 60<<20))
	peak := heapPeak(func() { s.flood(t, 1000) })
	t.Logf("heap and stack grew by %d MiB at most", peak/mib)
	if n := s.counted(t, "refused", overGRPC, forInFlight); n == 0 || peak > 100*mib {
		t.Errorf("%d calls were ended, heap and stack grew by %d MiB", n, peak/mib)
	}
	s.wantIdle(t)
}

// Where all places are taken, a call that has been arriving for long loses its own to one that has
// just come.
func TestSlowCallLosesItsPlace(t *testing.T) {
	s := start(t, settings{"max_concurrent": 2}, nil, nil)
	conn := s.rawGRPC(t)
	first, second := conn.open(t, logsRequest, 1000), conn.open(t, logsRequest, 1000)
	eventually(t, func() error {
		s.limits.calls.mu.Lock()
		defer s.limits.calls.mu.Unlock()
		if n := len(s.limits.calls.open); n != 2 {
			return fmt.Errorf("%d calls are open", n)
		}
		return nil
	})
	client := s.dial(t)
	send := func() error { return export(context.Background(), client, logsRequest, logsOf(record("b"))) }
	if send() == nil {
		t.Error("a third call was let in")
	}
	// As if the first had come busyTimeout ago.
	s.limits.calls.mu.Lock()
	for _, c := range s.limits.calls.oldest(1, anyCall) {
		c.began = c.began.Add(-busyTimeout)
	}
	s.limits.calls.mu.Unlock()
	fatal(t, send())
	if ended := <-conn.ended; ended != first {
		t.Errorf("stream %d was ended, not %d, nor %d", ended, first, second)
	}
	s.wantCounted(t, "refused", overGRPC, forConcurrency, 2) // the one turned away, and the one ended
}

// An HTTP body that trickles holds no more than twice what it has sent, and ends by read_timeout.
func TestTricklingBody(t *testing.T) {
	s := start(t, nil, nil, settings{"read_timeout": "1s"})
	conn, err := net.Dial("tcp", s.http)
	fatal(t, err)
	defer conn.Close()
	body := logsOf(record(repeat(1<<20, "x")))
	_, err = fmt.Fprintf(conn, "POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
		protobufType, len(body))
	fatal(t, err)
	for _, sent := range []int{1, 20_000, 200_000} {
		_, err = conn.Write(body[:sent])
		fatal(t, err)
		body = body[sent:]
		eventually(t, func() error {
			if s.limits.memory.inFlight() != 1 {
				return errors.New("no request is in flight")
			}
			return nil
		})
		if used := s.limits.memory.used(); used > int64(2*300_000+firstBuffer+requestCost) {
			t.Errorf("%d bytes are held", used)
		}
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	fatal(t, err)
	response.Body.Close()
	if response.StatusCode != http.StatusRequestTimeout {
		t.Error(response.Status)
	}
	s.wantCounted(t, "refused", overHTTP, forSlowness, 1)
	s.wantIdle(t)
}

// Work stops when the sender has gone, although its body had been read to the end before.
func TestGoneSenderEndsWork(t *testing.T) {
	s := start(t, nil, nil, nil)
	body := logsOf(record("b"))
	packed := func(encoding string) []byte {
		var out bytes.Buffer
		w := encoders(t, mostWindow)[encoding](&out)
		_, err := w.Write(body)
		fatal(t, err)
		fatal(t, w.Close())
		return out.Bytes()
	}
	for name, send := range map[string]func(context.Context) error{
		"http": func(ctx context.Context) error {
			return postUntil(ctx, s, "", bytes.NewReader(body))
		},
		"http gzip": func(ctx context.Context) error {
			return postUntil(ctx, s, "gzip", bytes.NewReader(zip(t, body)))
		},
		"http lz4 chunked": func(ctx context.Context) error {
			return postUntil(ctx, s, "lz4", io.MultiReader(bytes.NewReader(packed("lz4"))))
		},
		"http zlib chunked": func(ctx context.Context) error {
			return postUntil(ctx, s, "zlib", io.MultiReader(bytes.NewReader(packed("zlib"))))
		},
		"grpc": func(ctx context.Context) error {
			return export(ctx, s.dial(t), logsRequest, body)
		},
	} {
		entered, gone := make(chan struct{}), make(chan error, 1)
		s.onReceipt(func(ctx context.Context) error {
			close(entered)
			select {
			case <-ctx.Done():
				gone <- nil
			case <-time.After(10 * time.Second):
				gone <- errors.New("the pipeline works on for nobody")
			}
			return ctx.Err()
		})
		ctx, leave := context.WithCancel(context.Background())
		sent := make(chan error, 1)
		go func() { sent <- send(ctx) }()
		<-entered
		leave()
		if err := <-gone; err != nil {
			t.Errorf("%s: %v", name, err)
		}
		<-sent
		s.wantIdle(t)
	}
}

// A compressed body that is whole in a request that is not is not handed on: its sender would send it
// again.
func TestEndOfBodyIsRead(t *testing.T) {
	s := start(t, nil, nil, nil)
	for encoding, to := range encoders(t, mostWindow) {
		var out bytes.Buffer
		w := to(&out)
		_, err := w.Write(logsOf(record("b")))
		fatal(t, err)
		fatal(t, w.Close())
		for _, end := range []string{"", "0\r\n\r\n"} {
			conn, err := net.Dial("tcp", s.http)
			fatal(t, err)
			_, err = fmt.Fprintf(conn, "POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Encoding: %s\r\n"+
				"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%s", protobufType, encoding, out.Len(), out.Bytes(), end)
			fatal(t, err)
			fatal(t, conn.(*net.TCPConn).CloseWrite())
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			fatal(t, err)
			response.Body.Close()
			conn.Close()
			if want := len(end) / 5; s.logs.LogRecordCount() != want {
				t.Errorf("%s, end %q: %d records, %s", encoding, end, s.logs.LogRecordCount(), response.Status)
			}
			s.logs.Reset()
		}
	}
	s.wantIdle(t)
}

func postUntil(ctx context.Context, s *server, encoding string, body io.Reader) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.http+"/v1/logs", body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", protobufType)
	if encoding != "" {
		request.Header.Set("Content-Encoding", encoding)
	}
	response, err := http.DefaultClient.Do(request)
	if err == nil {
		response.Body.Close()
	}
	return err
}

// A sender that goes away in the middle of its body is no refusal, and leaves nothing behind.
func TestBrokenOffBody(t *testing.T) {
	s := start(t, nil, nil, nil)
	for range 20 {
		conn, err := net.Dial("tcp", s.http)
		fatal(t, err)
		_, err = io.WriteString(conn, "POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: "+protobufType+
			"\r\nContent-Length: "+strconv.Itoa(1<<20)+"\r\n\r\nabc")
		fatal(t, err)
		conn.Close()
		raw := s.rawGRPC(t)
		raw.data(raw.open(t, logsRequest, 1<<20), make([]byte, 16<<10))
		raw.Close()
	}
	s.wantIdle(t)
	for _, reason := range []string{forForm, forSlowness, forSize, forInFlight} {
		s.wantCounted(t, "refused", overHTTP, reason, 0)
		s.wantCounted(t, "refused", overGRPC, reason, 0)
	}
}
