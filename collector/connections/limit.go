// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package connections

import (
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Limit returns a listener that holds at most so many connections of another; of 0, that other one.
func Limit(inner net.Listener, most int) net.Listener {
	if most <= 0 {
		return inner
	}
	l := &listener{Listener: inner, most: most, open: map[*conn]struct{}{}}
	all.add(l)
	return l
}

// State is what one listener with a bound has now. Closed is how many connections were closed for
// others since it began.
type State struct {
	Address    string
	Open, Most int
	Closed     int64
}

// Port is the last part of the address.
func (s State) Port() string {
	_, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		return s.Address // of a Unix socket
	}
	return port
}

// States returns what each open listener has, by address.
func States() []State { return all.states() }

type registry struct {
	mu        sync.Mutex
	listeners map[*listener]struct{}
}

var all = registry{listeners: map[*listener]struct{}{}}

func (r *registry) add(l *listener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listeners[l] = struct{}{}
}

func (r *registry) remove(l *listener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.listeners, l)
}

func (r *registry) states() []State {
	r.mu.Lock()
	listeners := slices.Collect(maps.Keys(r.listeners))
	r.mu.Unlock()
	states := make([]State, len(listeners))
	for i, l := range listeners {
		states[i] = l.state()
	}
	slices.SortFunc(states, func(a, b State) int { return strings.Compare(a.Address, b.Address) })
	return states
}

type listener struct {
	net.Listener
	most int

	mu     sync.Mutex
	open   map[*conn]struct{}
	closed int64
}

func (l *listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: accepted, listener: l}
	c.received.Store(time.Now().UnixNano())
	if out := l.enter(c); out != nil {
		_ = out.Close() // it is gone either way
	}
	return c, nil
}

// enter takes a connection in and returns the one that has to go for it, if any.
func (l *listener) enter(c *conn) *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out *conn
	if len(l.open) >= l.most {
		for one := range l.open {
			if out == nil || one.before(out) {
				out = one
			}
		}
		delete(l.open, out)
		l.closed++
	}
	l.open[c] = struct{}{}
	return out
}

func (l *listener) leave(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

func (l *listener) state() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return State{Address: l.Addr().String(), Open: len(l.open), Most: l.most, Closed: l.closed}
}

// Close ends the listener. Its connections go on.
func (l *listener) Close() error {
	all.remove(l)
	return l.Listener.Close()
}

// conn notes what its peer does.
type conn struct {
	net.Conn
	listener *listener

	received       atomic.Int64 // the last time that something came, or it was accepted
	sent, answered atomic.Bool
}

// before reports whether a connection has to go before another one.
func (c *conn) before(other *conn) bool {
	if mine, its := c.worth(), other.worth(); mine != its {
		return mine < its
	}
	return c.received.Load() < other.received.Load()
}

func (c *conn) worth() int {
	switch {
	case !c.sent.Load():
		return 0
	case !c.answered.Load():
		return 1
	}
	return 2
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.sent.Store(true)
		c.received.Store(time.Now().UnixNano())
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if n > 0 {
		c.answered.Store(true)
	}
	return n, err
}

func (c *conn) Close() error {
	c.listener.leave(c)
	return c.Conn.Close()
}
