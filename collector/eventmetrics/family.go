// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"maps"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
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
	labels []*label
	series map[string]*series
}

// label decides which values get a series of their own.
type label struct {
	config *LabelConfig
	known  map[string]bool
	learnt map[string]bool
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
	values    []string
	start     time.Time
	count     uint64
	sum       sum
	buckets   []uint64
	exemplars []exemplar // one a bucket, the newest; one alone for a counter
	// shown is when the series was first handed on, at 0. announced: long enough ago.
	shown     time.Time
	announced bool
}

// sum adds floats without losing cents (Neumaier's compensated summation, 1974).
type sum struct {
	Total, Lost float64
}

func (s *sum) add(x float64) {
	total := s.Total + x
	if math.Abs(s.Total) >= math.Abs(x) {
		s.Lost += (s.Total - total) + x
	} else {
		s.Lost += (x - total) + s.Total
	}
	s.Total = total
}

func (s *sum) value() float64 { return s.Total + s.Lost }

func newFamily(config *FamilyConfig, now time.Time) *family {
	f := &family{config: config, series: map[string]*series{}}
	for i := range config.Labels {
		l := &label{config: &config.Labels[i], known: map[string]bool{}, learnt: map[string]bool{}}
		for _, value := range l.config.Known {
			l.known[value] = true
		}
		f.labels = append(f.labels, l)
	}
	f.showKnown(nil, 0, now)
	return f
}

// showKnown makes a series of each combination of known values.
func (f *family) showKnown(values []string, depth int, now time.Time) {
	if depth == 0 && f.config.EventLabel != "" {
		for _, value := range uniqueValues(f.config.Events) {
			f.showKnown([]string{value}, 1, now)
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
		f.showKnown(append(slices.Clone(values), value), depth+1, now)
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
		s = &series{values: values, start: now}
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

// record counts one event. readable is false when the number to measure is missing or none;
// others are the labels that were full.
func (f *family) record(
	eventValue string, log plog.LogRecord, now time.Time,
) (readable bool, others []string) {
	value := 1.0
	if f.config.Value != "" {
		attribute, present := log.Attributes().Get(f.config.Value)
		// An event need not have it: a failed payment has no delay.
		if !present {
			return true, nil
		}
		var ok bool
		if value, ok = number(attribute); !ok {
			return false, nil
		}
	}
	values := make([]string, 0, len(f.labels)+1)
	if f.config.EventLabel != "" {
		values = append(values, eventValue)
	}
	for _, l := range f.labels {
		text := ""
		if attribute, present := log.Attributes().Get(l.config.Attribute); present {
			text = attribute.AsString()
		}
		kept := l.keep(text)
		if kept == otherValue && text != otherValue {
			others = append(others, l.config.Name)
		}
		values = append(values, kept)
	}
	f.at(values, now).add(value, f.config.Buckets, log)
	return true, others
}

func (s *series) add(value float64, bounds []float64, log plog.LogRecord) {
	s.count++
	s.sum.add(value)
	index := 0
	if len(s.buckets) > 0 {
		// A bucket includes its bound.
		index = sort.SearchFloat64s(bounds, value)
		s.buckets[index]++
	}
	if !log.TraceID().IsEmpty() {
		s.exemplars[index] = exemplar{
			value: value, at: log.Timestamp(), trace: log.TraceID(), span: log.SpanID(),
		}
	}
}

// keep returns the value itself, or "other" where there is no place for it.
func (l *label) keep(value string) string {
	if l.known[value] || l.learnt[value] {
		return value
	}
	if len(l.learnt) >= l.config.More || !isName(value) {
		return otherValue
	}
	l.learnt[value] = true
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

// number reads a finite number that is not negative: a counter cannot fall.
func number(value pcommon.Value) (float64, bool) {
	var n float64
	switch value.Type() {
	case pcommon.ValueTypeDouble:
		n = value.Double()
	case pcommon.ValueTypeInt:
		n = float64(value.Int())
	case pcommon.ValueTypeStr:
		var err error
		if n, err = strconv.ParseFloat(value.Str(), 64); err != nil {
			return 0, false
		}
	default:
		return 0, false
	}
	return n, n >= 0 && !math.IsInf(n, 0)
}
