// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"maps"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

const (
	// otherValue is the label of all values past the bound.
	otherValue = "other"
	// Longer values, and those with characters outside of [A-Za-z0-9_.-], are no names.
	maxLabelLength = 64
	separator      = "\x00"
)

// family is one metric: its series by the values of their labels.
type family struct {
	config *FamilyConfig
	// place is where it stands among the families.
	place  int
	labels []*label
	series map[string]*series
	slots  slots
	// key is where the key of a series is put together.
	key []byte
}

// label decides which values get a series of their own.
type label struct {
	config  *LabelConfig
	known   map[string]bool
	dynamic map[string]bool
}

// exemplar leads from a count to a trace that made it.
type exemplar struct {
	value float64
	at    pcommon.Timestamp
	trace pcommon.TraceID
	span  pcommon.SpanID
}

// series is what has been counted under one set of label values.
type series struct {
	family    *family
	values    []string
	start     time.Time
	count     uint64
	sum       sum
	buckets   []uint64
	exemplars []exemplar // one a bucket, the newest; one alone for a counter
	// exposed is when the series was first handed on, at 0. initialized: long enough ago.
	exposed     time.Time
	initialized bool
	// listed: among the changed ones. unstored: what is on disk is older.
	listed, unstored bool
	// storedAs is its key in the storage, once it has one.
	storedAs string
}

// sum adds floats without losing cents (Neumaier's compensated summation, 1974).
type sum struct {
	Total, Lost float64
}

// plus returns the sum with x added; false when that leaves what a float can hold.
func (s sum) plus(x float64) (sum, bool) {
	total := s.Total + x
	if math.Abs(s.Total) >= math.Abs(x) {
		s.Lost += (s.Total - total) + x
	} else {
		s.Lost += (x - total) + s.Total
	}
	s.Total = total
	return s, s.isFinite()
}

func (s sum) value() float64 { return s.Total + s.Lost }

// isFinite is false, too, when only one of the parts is not: their sum is then infinite or NaN.
func (s sum) isFinite() bool {
	value := s.value()
	return !math.IsInf(value, 0) && !math.IsNaN(value)
}

func newFamily(config *FamilyConfig, place int, now time.Time) *family {
	f := &family{config: config, place: place, series: map[string]*series{}}
	for i := range config.Labels {
		l := &label{config: &config.Labels[i], known: map[string]bool{}, dynamic: map[string]bool{}}
		for _, value := range l.config.Known {
			l.known[value] = true
		}
		f.labels = append(f.labels, l)
	}
	f.createKnown(nil, 0, now)
	return f
}

// createKnown makes a series of each combination of known values.
func (f *family) createKnown(values []string, depth int, now time.Time) {
	if depth == 0 && f.config.EventLabel != "" {
		for _, value := range uniqueValues(f.config.Events) {
			f.createKnown([]string{value}, 1, now)
		}
		return
	}
	if f.config.EventLabel == "" && depth == 0 {
		depth = 1
	}
	if depth > len(f.labels) {
		f.at(values, now)
		return
	}
	for _, value := range f.labels[depth-1].config.Known {
		f.createKnown(append(slices.Clone(values), value), depth+1, now)
	}
}

func uniqueValues(events map[string]string) []string {
	values := slices.Sorted(maps.Values(events))
	return slices.Compact(values)
}

// at returns the series of these label values, made when new.
func (f *family) at(values []string, now time.Time) *series {
	key := strings.Join(values, separator)
	s := f.series[key]
	if s == nil {
		s = &series{family: f, values: values, start: now, unstored: true}
		exemplars := 1
		if f.isHistogram() {
			s.buckets = make([]uint64, len(f.config.Buckets)+1)
			exemplars = len(s.buckets)
		}
		s.exemplars = make([]exemplar, exemplars)
		f.series[key] = s
	}
	return s
}

func (f *family) isHistogram() bool { return len(f.config.Buckets) > 0 }

func (f *family) labelNames() []string {
	var names []string
	if f.config.EventLabel != "" {
		names = append(names, f.config.EventLabel)
	}
	for _, l := range f.labels {
		names = append(names, l.config.Name)
	}
	return names
}

// find returns the series of a measurement, made when new. A label that is full gets "other",
// which the request notes.
func (f *family) find(r *request, m *measurement, now time.Time) *series {
	kept := r.texts[m.texts : m.texts+len(f.labels)]
	f.key = f.key[:0]
	if f.config.EventLabel != "" {
		f.key = append(append(f.key, m.value...), separator...)
	}
	for i, l := range f.labels {
		value := l.keep(kept[i])
		if value == otherValue && kept[i] != otherValue {
			r.overflows = append(r.overflows, full{f, i})
		}
		kept[i] = value
		f.key = append(append(f.key, value...), separator...)
	}
	if n := len(f.key); n > 0 {
		f.key = f.key[:n-len(separator)]
	}
	if s := f.series[string(f.key)]; s != nil {
		return s
	}
	values := make([]string, 0, len(kept)+1)
	if f.config.EventLabel != "" {
		values = append(values, m.value)
	}
	for _, value := range kept {
		values = append(values, strings.Clone(value)) // the request's memory is not kept
	}
	return f.at(values, now)
}

// add counts one measurement. false: it would leave what can be held, and is left out.
func (s *series) add(value float64, e *occurrence, now time.Time) bool {
	added, finite := s.sum.plus(value)
	if !finite || s.count == math.MaxUint64 {
		return false
	}
	s.sum = added
	s.count++
	index := 0
	if len(s.buckets) > 0 {
		// A bucket includes its bound.
		index = sort.SearchFloat64s(s.family.config.Buckets, value)
		s.buckets[index]++
	}
	if !e.trace.IsEmpty() {
		s.exemplars[index] = exemplar{
			value: value, at: notAfter(e.at, now), trace: e.trace, span: e.span,
		}
	}
	return true
}

// notAfter is the time of an exemplar. Prometheus takes none that is older than the last: one from
// the future would keep out all that follow.
func notAfter(at pcommon.Timestamp, now time.Time) pcommon.Timestamp {
	newest := pcommon.NewTimestampFromTime(now)
	if at == 0 || at > newest {
		return newest
	}
	return at
}

// keep returns the value itself, or "other" where there is no place for it.
func (l *label) keep(value string) string {
	if l.known[value] || l.dynamic[value] {
		return value
	}
	if len(l.dynamic) >= l.config.MaxDynamicValues || !isName(value) {
		return otherValue
	}
	l.dynamic[strings.Clone(value)] = true
	return value
}

func isName(value string) bool {
	if value == "" || len(value) > maxLabelLength {
		return false
	}
	for i := range len(value) {
		c := value[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && !('0' <= c && c <= '9') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}
