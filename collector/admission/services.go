// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"sync"
	"time"
)

const (
	// otherService is the name of all services past the bound.
	otherService = "other"
	// idleAfter is when a service that sends nothing gives up its place.
	idleAfter = time.Hour
	// sweepEvery bounds how often a full table looks for such.
	sweepEvery = time.Minute
	labelBytes = 64
)

// shared is what the three signals of one processor have in common.
type shared struct {
	once  sync.Once
	table *table
}

func (s *shared) services(config ServicesConfig) *table {
	s.once.Do(func() { s.table = newTable(config) })
	return s.table
}

// table has the services that are distinguished.
type table struct {
	config ServicesConfig

	mutex    sync.Mutex
	known    map[identity]*service
	labelled map[string]bool
	swept    time.Time
	overflow *service
}

// identity is what a backend distinguishes services by.
type identity struct{ name, namespace, environment string }

// others reports whether the bound has been applied already, by a Collector before this one.
func (id identity) others() bool { return id == identity{name: otherService} }

// service is one sender: its label in our own metrics, and what it may still send.
type service struct {
	label  string
	others bool // stands for all that found no place

	mutex   sync.Mutex
	seen    time.Time
	records float64
	bytes   float64
}

func newTable(config ServicesConfig) *table {
	t := &table{config: config, known: map[identity]*service{}, labelled: map[string]bool{}}
	t.overflow = t.fresh(otherService, time.Time{})
	t.overflow.others = true
	return t
}

func (t *table) fresh(label string, now time.Time) *service {
	burst := t.config.Burst.Seconds()
	return &service{
		label: label, seen: now,
		records: float64(t.config.RecordsPerSecond) * burst,
		bytes:   float64(t.config.BytesPerSecond) * burst,
	}
}

// of returns the service with this identity, or the one for all that have no place.
func (t *table) of(id identity, now time.Time) *service {
	if id.others() {
		return t.overflow
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if s := t.known[id]; s != nil {
		return s
	}
	if len(t.known) >= t.config.Most && !t.sweep(now) {
		return t.overflow
	}
	s := t.fresh(t.label(id.name), now)
	t.known[identity{clone(id.name), clone(id.namespace), clone(id.environment)}] = s
	return s
}

// sweep forgets services that are long idle; it reports whether another fits then.
func (t *table) sweep(now time.Time) bool {
	if now.Sub(t.swept) < sweepEvery {
		return false
	}
	t.swept = now
	for id, s := range t.known {
		s.mutex.Lock()
		idle := now.Sub(s.seen) > idleAfter
		s.mutex.Unlock()
		if idle {
			delete(t.known, id)
		}
	}
	return len(t.known) < t.config.Most
}

// label is bounded for good: a series of ours that exists does not end.
func (t *table) label(name string) string {
	name = prefix(validText(name), labelBytes)
	if !t.labelled[name] {
		if len(t.labelled) >= t.config.Labelled {
			return otherService
		}
		name = clone(name)
		t.labelled[name] = true
	}
	return name
}

func clone(s string) string { return string([]byte(s)) } // not a part of a large request

// refill adds what has been saved up since the service was last seen.
func (t *table) refill(s *service, now time.Time) {
	since := max(0, now.Sub(s.seen).Seconds())
	s.seen = now
	burst := t.config.Burst.Seconds()
	records, bytes := float64(t.config.RecordsPerSecond), float64(t.config.BytesPerSecond)
	s.records = min(s.records+since*records, records*burst)
	s.bytes = min(s.bytes+since*bytes, bytes*burst)
}

// wait returns how long a service has to wait until it may send again; 0 when it may. It may
// overdraw with one request, so that one of any size gets through.
func (t *table) wait(s *service, now time.Time) time.Duration {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	t.refill(s, now)
	var seconds float64
	if rate := t.config.RecordsPerSecond; rate > 0 && s.records < 0 {
		seconds = -s.records / float64(rate)
	}
	if rate := t.config.BytesPerSecond; rate > 0 && s.bytes < 0 {
		seconds = max(seconds, -s.bytes/float64(rate))
	}
	return time.Duration(seconds * float64(time.Second))
}

// charge takes what was sent from what the service may send.
func (t *table) charge(s *service, records, bytes int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.records -= float64(records)
	s.bytes -= float64(bytes)
}
