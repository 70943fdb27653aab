// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"math"
	"slices"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

const (
	// replayedKey is on a record that comes from the dead letters: it was counted when it first
	// came.
	replayedKey = "dead_letter.reason"
	// Larger requests are rare; what they took is given back.
	keptEvents = 4096
	keptBuffer = 2 * foldAt
)

// outcome is what became of one measurement.
type outcome uint8

const (
	counted outcome = iota
	invalidValue
	outOfRange
	repeated
)

// request is what one request brings to be counted. It is read without a lock; then everything
// that has to be looked up is at hand.
type request struct {
	events       []occurrence
	measurements []measurement
	// texts are the values of the measurements' labels.
	texts []string
	// overflows are labels that count this value as other.
	overflows []full
	// repeated is how many events were counted before, forgotten how many ids had to go early.
	repeated, forgotten int64
	// unbelieved is how many events came from a service that is not believed.
	unbelieved int64

	writer writer
	// ordinals count the records of this request that are the same in everything.
	ordinals map[identity]uint32
}

// occurrence is one event: a record that some family counts.
type occurrence struct {
	id    identity
	trace pcommon.TraceID
	span  pcommon.SpanID
	at    pcommon.Timestamp
	// end is behind its last measurement.
	end int
}

// measurement is what one family gets of an event.
type measurement struct {
	family *family
	// value is that of the event label.
	value  string
	number float64
	// texts is where the values of its labels begin.
	texts   int
	outcome outcome
}

// full is a label that had no place for a value.
type full struct {
	family *family
	label  int
}

func (r *request) reset() {
	clear(r.texts) // they belong to the request
	r.events, r.measurements = r.events[:0], r.measurements[:0]
	r.texts, r.overflows = r.texts[:0], r.overflows[:0]
	r.repeated, r.forgotten, r.unbelieved = 0, 0, 0
	clear(r.ordinals)
}

// isLarge reports that it is not worth keeping for the next request.
func (r *request) isLarge() bool {
	return cap(r.events) > keptEvents || cap(r.writer.buffer) > keptBuffer
}

// read finds the events of a request. Other records cost only reading their name.
func (c *eventMetrics) read(logs plog.Logs, r *request) {
	for i := range logs.ResourceLogs().Len() {
		resource := logs.ResourceLogs().At(i)
		from := source{resource: resource}
		believed := c.believes(resource.Resource().Attributes())
		for j := range resource.ScopeLogs().Len() {
			from.scope, from.knowsScope = resource.ScopeLogs().At(j), false
			records := from.scope.LogRecords()
			for k := range records.Len() {
				record := records.At(k)
				name := c.eventName(record)
				interested := c.interests[name]
				switch {
				case len(interested) == 0:
				case !believed:
					r.unbelieved++
				default:
					c.readEvent(r, &from, name, record, interested)
				}
			}
		}
	}
}

// believes reports whether events of this sender count.
func (c *eventMetrics) believes(resource pcommon.Map) bool {
	if len(c.config.Services) == 0 {
		return true
	}
	name, namespace := nameOf(resource, "service.name"), nameOf(resource, "service.namespace")
	return slices.ContainsFunc(c.config.Services, func(one ServiceConfig) bool {
		return one.Name == name && (one.Namespace == "" || one.Namespace == namespace)
	})
}

// nameOf returns a text, and nothing where there is something else.
func nameOf(resource pcommon.Map, key string) string {
	found, present := resource.Get(key)
	if !present || found.Type() != pcommon.ValueTypeStr {
		return ""
	}
	return found.Str()
}

func (c *eventMetrics) eventName(record plog.LogRecord) string {
	if name := record.EventName(); name != "" {
		return name
	}
	attribute, present := record.Attributes().Get(c.config.EventAttribute)
	if !present || attribute.Type() != pcommon.ValueTypeStr {
		return ""
	}
	return attribute.Str()
}

func (c *eventMetrics) readEvent(
	r *request, from *source, name string, record plog.LogRecord, interested []interest,
) {
	if _, replayed := record.Attributes().Get(replayedKey); replayed {
		r.repeated++
		return
	}
	e := occurrence{trace: record.TraceID(), span: record.SpanID(), at: record.Timestamp()}
	if c.config.Repeats.Window > 0 {
		e.id = r.identify(from, name, record)
	}
	for _, one := range interested {
		r.measure(one, record)
	}
	e.end = len(r.measurements)
	r.events = append(r.events, e)
}

// source is where the record at hand stands. Its identity is made once, when the first event of
// it comes.
type source struct {
	resource      plog.ResourceLogs
	scope         plog.ScopeLogs
	knowsResource bool
	knowsScope    bool
	resourceID    identity
	scopeID       identity
}

// identify distinguishes a record from all others. Two that are the same in everything both count when
// they come in one request. When that request is repeated, whole, in parts or with others, they
// are the same two again.
func (r *request) identify(from *source, name string, record plog.LogRecord) identity {
	w := &r.writer
	if !from.knowsResource {
		from.resourceID, from.knowsResource = w.resource(from.resource.Resource()), true
	}
	if uid, present := record.Attributes().Get(uidKey); present && uid.Str() != "" {
		return w.uid(from.resourceID, name, uid.Str())
	}
	if !from.knowsScope {
		from.scopeID, from.knowsScope = w.scope(from.resourceID, from.scope.Scope()), true
	}
	id := w.record(from.scopeID, name, record)
	n := r.ordinals[id]
	r.ordinals[id] = n + 1
	return id.nth(n)
}

// measure reads what one family gets of an event: none when it measures what the event lacks. A
// failed payment has no delay.
func (r *request) measure(to interest, record plog.LogRecord) {
	attributes := record.Attributes()
	config := to.family.config
	m := measurement{family: to.family, value: to.value, number: 1, texts: len(r.texts)}
	if config.Value != "" {
		attribute, present := attributes.Get(config.Value)
		if !present {
			return
		}
		var ok bool
		m.number, ok = number(attribute)
		switch {
		case !ok:
			m.outcome = invalidValue
		case config.Max > 0 && m.number > config.Max:
			m.outcome = outOfRange
		}
	}
	if m.outcome == counted {
		for _, l := range to.family.labels {
			r.texts = append(r.texts, text(attributes, l.config.Attribute))
		}
	}
	r.measurements = append(r.measurements, m)
}

// text is the value of a label as the event has it; none for what is never a name, so that it
// need not be written out.
func text(attributes pcommon.Map, key string) string {
	attribute, present := attributes.Get(key)
	if !present {
		return ""
	}
	switch attribute.Type() {
	case pcommon.ValueTypeMap, pcommon.ValueTypeSlice, pcommon.ValueTypeBytes:
		return ""
	default:
		return attribute.AsString()
	}
}

// number reads a finite number that is not negative: a counter cannot fall. Whatever else is there,
// NaN and infinity among it, is invalid.
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
