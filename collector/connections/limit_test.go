// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package connections

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// server takes connections in, echoes what comes, and keeps the order of them.
type server struct {
	t        *testing.T
	listener net.Listener
	accepted chan net.Conn
	done     sync.WaitGroup
}

func start(t *testing.T, most int) *server {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, listener: Limit(inner, most), accepted: make(chan net.Conn, 100)}
	s.done.Go(func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.accepted <- conn
			s.done.Go(func() { _, _ = io.Copy(conn, conn); _ = conn.Close() })
		}
	})
	t.Cleanup(func() { _ = s.listener.Close(); s.done.Wait() })
	return s
}

// client is one connection, taken in by the server.
type client struct {
	t *testing.T
	net.Conn
}

func (s *server) dial() *client {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	<-s.accepted
	return &client{s.t, conn}
}

// talk sends something and waits for its echo.
func (c *client) talk() {
	c.t.Helper()
	if _, err := c.Write([]byte("x")); err != nil {
		c.t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		c.t.Fatal(err)
	}
}

// over reports whether the server has ended the connection.
func (c *client) over(within time.Duration) bool {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(within))
	_, err := c.Read(make([]byte, 1))
	if err == nil {
		c.t.Fatal("something was sent that nobody asked for")
	}
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

func (c *client) wantOver() {
	c.t.Helper()
	if !c.over(20 * time.Second) {
		c.t.Error("it is open still")
	}
}

func (c *client) wantOpen() {
	c.t.Helper()
	c.talk()
}

func TestWhoHasSentNothingGoesFirst(t *testing.T) {
	s := start(t, 3)
	talked := s.dial()
	talked.talk()
	first, second := s.dial(), s.dial()
	third := s.dial()
	first.wantOver()
	third.talk()
	s.dial()
	second.wantOver()
	talked.wantOpen()
	third.wantOpen()
}

func TestWhoWasSilentLongestGoesThen(t *testing.T) {
	s := start(t, 2)
	one, other := s.dial(), s.dial()
	one.talk()
	other.talk()
	one.talk()
	newest := s.dial()
	other.wantOver()
	newest.talk()
	one.wantOpen()
}

func TestWhoWasAnsweredOutlivesWhoWasNot(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// Nothing is echoed here: what is read and written is up to the test.
	limited := Limit(inner, 2)
	t.Cleanup(func() { _ = limited.Close() })
	take := func() (net.Conn, *client) {
		t.Helper()
		conn, err := net.Dial("tcp", limited.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		taken, err := limited.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = conn.Close(), taken.Close() })
		return taken, &client{t, conn}
	}
	say := func(c *client, to net.Conn) {
		t.Helper()
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := to.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	server, answered := take()
	say(answered, server)
	if _, err := server.Write([]byte("y")); err != nil {
		t.Fatal(err)
	}
	if _, err := answered.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	half, unanswered := take()
	say(unanswered, half) // later than the other, and without an answer
	take()
	unanswered.wantOver()
	if answered.over(50 * time.Millisecond) {
		t.Error("the connection that was answered is gone")
	}
}

func TestAPlaceIsGivenBack(t *testing.T) {
	s := start(t, 1)
	for range 5 {
		one := s.dial()
		one.talk()
		_ = one.Close()
		eventually(t, func() error {
			if got := stateOf(t, s).Open; got != 0 {
				return fmt.Errorf("%d are open", got)
			}
			return nil
		})
	}
	if got := stateOf(t, s); got.Closed != 0 || got.Most != 1 {
		t.Errorf("the state is %+v, want none closed of 1", got)
	}
}

func TestStatesCount(t *testing.T) {
	s := start(t, 2)
	for range 5 {
		s.dial()
	}
	got := stateOf(t, s)
	want := State{Address: s.listener.Addr().String(), Open: 2, Most: 2, Closed: 3}
	if got != want {
		t.Errorf("the state is %+v, want %+v", got, want)
	}
	_, port, _ := net.SplitHostPort(want.Address)
	if got.Port() != port {
		t.Errorf("the port is %s, want %s", got.Port(), port)
	}
	_ = s.listener.Close()
	for _, one := range States() {
		if one.Address == want.Address {
			t.Error("a listener that is closed is counted still")
		}
	}
}

func TestWithoutABoundNothingIsWrapped(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	if got := Limit(inner, 0); got != inner {
		t.Errorf("it is a %T", got)
	}
}

func TestManyAtOnce(t *testing.T) {
	s := start(t, 10)
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			conn, err := net.Dial("tcp", s.listener.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			<-s.accepted
			_, _ = conn.Write([]byte("x"))
			_, _ = conn.Read(make([]byte, 1))
			_ = conn.Close()
		})
	}
	all.Wait()
	eventually(t, func() error {
		if got := stateOf(t, s); got.Open != 0 || got.Closed > 190 {
			return fmt.Errorf("the state is %+v", got)
		}
		return nil
	})
	s.dial().talk()
}

func stateOf(t *testing.T, s *server) State {
	t.Helper()
	for _, one := range States() {
		if one.Address == s.listener.Addr().String() {
			return one
		}
	}
	t.Fatal("the listener is not among the states")
	return State{}
}

func eventually(t *testing.T, what func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if err = what(); err == nil {
			return
		}
	}
	t.Fatal(err)
}
