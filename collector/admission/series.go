// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"hash/maphash"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

const (
	// serviceInstance is the one attribute of a resource, beside what names the service, that
	// Prometheus makes a label of each series.
	serviceInstance = "service.instance.id"
	// targetInfo is the series that Prometheus makes of each resource.
	targetInfo = "target_info"
	// A histogram is a series for each bucket, one for the last, one for the count, one for the sum.
	besideBuckets = 3
	// A summary is a series for each quantile, one for the count, one for the sum.
	besideQuantiles = 2
)

// inventory has the series of one service. What a sender makes up costs the backend memory for each
// of them, for hours.
type inventory struct {
	table  *table
	exempt bool // from the bound on all services

	mutex   sync.Mutex
	known   map[uint64]seen
	metrics map[uint64]int // attribute sets of each
	weight  int
	swept   time.Time
}

// seen is one series, or those of one histogram.
type seen struct {
	metric uint64
	at     int64 // seconds
	weight int
}

func newInventory(of *table, exempt bool) *inventory {
	return &inventory{table: of, exempt: exempt, known: map[uint64]seen{}, metrics: map[uint64]int{}}
}

// has reports whether a series is known, or finds a place now.
func (s *inventory) has(key, metric uint64, weight int, now time.Time) bool {
	if s.take(key, metric, weight, now) {
		return true
	}
	return s.table.sweepSeries(s, now) && s.take(key, metric, weight, now)
}

func (s *inventory) take(key, metric uint64, weight int, now time.Time) bool {
	at := now.Unix()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if one, known := s.known[key]; known {
		if one.at < at {
			one.at = at
			s.known[key] = one
		}
		return true
	}
	bounds := &s.table.bounds
	within := func(is, most int) bool { return most == 0 || is <= most }
	if !within(s.metrics[metric]+1, bounds.PerMetric) || !within(s.weight+weight, bounds.PerService) ||
		!s.exempt && !within(int(s.table.series.Load())+weight, bounds.Total) {
		return false
	}
	s.known[key] = seen{metric, at, weight}
	s.metrics[metric]++
	s.weight += weight
	s.table.series.Add(int64(weight))
	return true
}

// sweepSeries forgets series that are long idle: of the service that has no place for another, and
// of all, because what fills up their bound may send no more. It reports whether it looked.
func (t *table) sweepSeries(of *inventory, now time.Time) bool {
	looked := of.sweep(now)
	t.mutex.Lock()
	var all []*inventory
	if now.Sub(t.sweptSeries) >= sweepEvery {
		t.sweptSeries = now
		for _, s := range append(slices.Collect(maps.Values(t.known)), t.overflow) {
			if has := s.inventory.Load(); has != nil {
				all = append(all, has)
			}
		}
	}
	t.mutex.Unlock()
	for _, one := range all {
		looked = one.sweep(now) || looked
	}
	return looked
}

// sweep forgets those of one service. It reports whether it looked: once in a while.
func (s *inventory) sweep(now time.Time) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if now.Sub(s.swept) < sweepEvery {
		return false
	}
	s.swept = now
	oldest := now.Add(-s.table.bounds.Idle).Unix()
	for key, one := range s.known {
		if one.at >= oldest {
			continue
		}
		delete(s.known, key)
		if s.metrics[one.metric]--; s.metrics[one.metric] == 0 {
			delete(s.metrics, one.metric)
		}
		s.weight -= one.weight
		s.table.series.Add(-int64(one.weight))
	}
	return true
}

// size is how many series there are.
func (s *inventory) size() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.weight
}

// shape finds out which series points belong to. Hashes have a seed that no sender knows.
type shape struct {
	seed      maphash.Seed
	inventory *inventory // nil: there is no bound
	now       time.Time

	instance, scope, metric uint64
}

// on begins with a resource. It reports whether the series that describes it has a place.
func (s *shape) on(m pcommon.Map, of *inventory, now time.Time) bool {
	s.inventory, s.now = of, now
	if of == nil {
		return true
	}
	s.instance = 0
	if v, present := m.Get(serviceInstance); present {
		s.instance = s.value(v)
	}
	metric := s.text(targetInfo)
	return of.has(mix(metric, s.attributes(m)), metric, 1, now)
}

// within goes on with a scope: Prometheus makes labels of all of it.
func (s *shape) within(scope pcommon.InstrumentationScope, schema string) {
	if s.inventory != nil {
		s.scope = mix(s.text(scope.Name()), s.text(scope.Version()), s.text(schema), s.attributes(scope.Attributes()))
	}
}

// of goes on with a metric.
func (s *shape) of(m pmetric.Metric) {
	if s.inventory != nil {
		s.metric = mix(s.text(m.Name()), s.text(m.Unit()), uint64(m.Type()))
	}
}

// admits reports whether the series of a point have a place: those of its attributes and, where it
// has any, of its buckets or quantiles.
func (s *shape) admits(attributes pcommon.Map, parts uint64, weight int) bool {
	if s.inventory == nil {
		return true
	}
	key := mix(s.instance, s.scope, s.metric, s.attributes(attributes), parts)
	return s.inventory.has(key, s.metric, weight, s.now)
}

func (s *shape) text(text string) uint64 { return maphash.String(s.seed, text) }

// attributes are the same in any order.
func (s *shape) attributes(m pcommon.Map) (sum uint64) {
	for key, v := range m.All() {
		sum += mix(s.text(key), s.value(v))
	}
	return sum
}

func (s *shape) value(v pcommon.Value) uint64 {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return s.text(v.Str())
	case pcommon.ValueTypeInt:
		return mix(1, uint64(v.Int()))
	case pcommon.ValueTypeBool:
		if v.Bool() {
			return 2
		}
		return 3
	case pcommon.ValueTypeDouble:
		return mix(4, math.Float64bits(v.Double()))
	default:
		return s.text(v.AsString()) // as the backend writes it
	}
}

// bounds are the buckets of a histogram.
func (s *shape) bounds(all pcommon.Float64Slice) (of uint64) {
	if s.inventory == nil {
		return 0
	}
	for _, bound := range all.All() {
		of = mix(of, math.Float64bits(bound))
	}
	return of
}

// quantiles are the parts of a summary.
func (s *shape) quantiles(all pmetric.SummaryDataPointValueAtQuantileSlice) (of uint64) {
	if s.inventory == nil {
		return 0
	}
	for _, one := range all.All() {
		of += mix(math.Float64bits(one.Quantile()))
	}
	return of
}

// mix joins hashes, in this order (splitmix64).
func mix(parts ...uint64) (all uint64) {
	for _, part := range parts {
		all += part + 0x9e3779b97f4a7c15
		all = (all ^ all>>30) * 0xbf58476d1ce4e5b9
		all = (all ^ all>>27) * 0x94d049bb133111eb
		all ^= all >> 31
	}
	return all
}
