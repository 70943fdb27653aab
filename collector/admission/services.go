// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// otherService is the name of all services past the bound.
	otherService = "other"
	// idleAfter is when a service that sends nothing gives up its place. Of names that somebody invents, as many
	// as have places appear in that time, so a query over a day meets four times as many at most.
	idleAfter = 6 * time.Hour
	// sweepEvery bounds how often a full table looks for such.
	sweepEvery = time.Minute
	labelBytes = 64
	// placesOfReserved is how many services of one reserved name find a place in a full table: they
	// differ in namespace or environment.
	placesOfReserved = 8
)

// shared is what the three signals of one processor have in common.
type shared struct {
	once  sync.Once
	table *table
}

func (s *shared) services(config *Config) *table {
	s.once.Do(func() {
		s.table = newTable(config.Services)
		s.table.bounds = config.Metrics.Series
	})
	return s.table
}

// table has the services that are distinguished.
type table struct {
	config ServicesConfig
	bounds SeriesConfig
	series atomic.Int64 // of all services
	seed   maphash.Seed
	// sweptSeries is when the series of all services were last looked through.
	sweptSeries time.Time

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
	// inventory is nil until there are metrics of it.
	inventory atomic.Pointer[inventory]
	reserved  bool

	mutex   sync.Mutex
	seen    time.Time
	records float64
	bytes   float64
}

func newTable(config ServicesConfig) *table {
	t := &table{
		config: config, known: map[identity]*service{}, labelled: map[string]bool{}, seed: maphash.MakeSeed(),
	}
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
	reserved := slices.Contains(t.config.Reserved, id.name)
	if len(t.known) >= t.config.Most && !t.sweep(now) && !(reserved && t.namesakes(id.name) < placesOfReserved) {
		return t.overflow
	}
	s := t.fresh(t.label(id.name), now)
	s.reserved = reserved
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
			if gone := s.inventory.Load(); gone != nil {
				t.series.Add(-int64(gone.size()))
			}
		}
	}
	return len(t.known) < t.config.Most
}

// namesakes counts the services of one name.
func (t *table) namesakes(name string) (n int) {
	for id := range t.known {
		if id.name == name {
			n++
		}
	}
	return n
}

// seriesOf returns the series of a service.
func (t *table) seriesOf(s *service) *inventory {
	if found := s.inventory.Load(); found != nil {
		return found
	}
	s.inventory.CompareAndSwap(nil, newInventory(t, s.reserved))
	return s.inventory.Load()
}

// eachSeries calls f with each label of a service and its number of series.
func (t *table) eachSeries(f func(label string, series int)) {
	all := map[string]int{}
	t.mutex.Lock()
	for _, s := range append(slices.Collect(maps.Values(t.known)), t.overflow) {
		if has := s.inventory.Load(); has != nil {
			all[s.label] += has.size()
		}
	}
	t.mutex.Unlock()
	for label, series := range all {
		f(label, series)
	}
}

// label is bounded for good: a series of ours that exists does not end.
func (t *table) label(name string) string {
	name = prefix(validText(name), labelBytes)
	if !t.labelled[name] {
		if len(t.labelled) >= t.config.Labelled && !slices.Contains(t.config.Reserved, name) {
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
