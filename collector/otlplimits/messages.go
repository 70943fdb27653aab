// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

// messageID names a message of OTLP.
type messageID uint8

const (
	unknownMessage messageID = iota
	logsRequest
	traceRequest
	metricsRequest
	resourceLogs
	resourceSpans
	resourceMetrics
	scopeLogs
	scopeSpans
	scopeMetrics
	resource
	entityRef
	scope
	logRecord
	span
	spanEvent
	spanLink
	spanStatus
	metricMessage
	gauge
	sum
	histogram
	exponentialHistogram
	summary
	numberPoint
	histogramPoint
	exponentialPoint
	exponentialBuckets
	summaryPoint
	quantile
	exemplar
	keyValue
	keyValueList
	arrayValue
	anyValue
	messageCount
)

// record reports whether the message is one of those that senders count.
func (id messageID) record() bool {
	switch id {
	case logRecord, span, numberPoint, histogramPoint, exponentialPoint, summaryPoint:
		return true
	}
	return false
}

// apart reports whether the message can be taken out of a request alone. Without a resource or a scope
// those in it are nobody's.
func (id messageID) apart() bool { return id >= logRecord || id == entityRef }

// holder reports whether the message holds records of others: what is in a field of it that cannot be
// read would be lost with one repair.
func (id messageID) holder() bool { return id <= scopeMetrics }

// kind is how a field looks in JSON.
type kind uint8

const (
	messageKind kind = iota
	stringKind
	bytesKind // base64, or hex of an id: in quotes and without escapes
	boolKind
	int32Kind
	uint32Kind
	fixed32Kind // like uint32Kind, but four bytes on the wire
	int64Kind
	sfixed64Kind // like int64Kind, but eight bytes on the wire
	uint64Kind
	fixed64Kind // like uint64Kind, but eight bytes on the wire
	floatKind
	enumKind
)

// field is one field of a message.
type field struct {
	number int32
	name   string // in JSON
	alias  string // in JSON of senders that keep the names of the .proto files
	kind   kind
	list   bool
	child  messageID
	// idBytes is how long an id must be where it is not empty: with any other the decoder refuses the
	// whole request. 0: no id.
	idBytes int
	// names are what an enum may be called in JSON.
	names []string
	// wires has a bit for each form of protobuf that the decoder takes it in; sized is set if it does
	// not take each length.
	wires uint8
	sized bool
	// cost is what one of it needs once decoded, beyond its bytes on the wire: the struct, its
	// pointer, its share of a list that grows.
	cost int64
}

// attributes reports whether the field is a list of key-value pairs, which max_attributes bounds.
func (f *field) attributes() bool { return f.child == keyValue && f.list }

// wire is how a field of its kind is written in protobuf.
func (f *field) wire() uint64 {
	switch f.kind {
	case messageKind, stringKind, bytesKind:
		return wireBytes
	case fixed64Kind, sfixed64Kind, floatKind:
		return wireFixed8
	case fixed32Kind:
		return wireFixed4
	}
	return wireVarint
}

// packed reports whether the field may be written as bytes that are numbers, one after the other.
func (f *field) packed() bool { return f.list && f.wire() != wireBytes }

// takes reports whether the decoder reads the field in a form. In any other it refuses the request.
func (f *field) takes(wire uint64) bool { return f.wires>>wire&1 != 0 }

// deeper reports whether what is in the field lies one level below the value that has it.
func (f *field) deeper() bool { return f.child == arrayValue || f.child == keyValueList }

// lastIndexed is the highest number that is looked up by index; deprecatedNumber is where the
// decoder still reads lists of scopes by their old name.
const (
	lastIndexed      = 16
	deprecatedNumber = 1000
)

// message is what has to be known of a message to walk through its bytes.
type message struct {
	fields   []field
	byNumber [lastIndexed + 1]*field
	spare    int32 // the first number of one byte that OTLP does not use, 0 if there is none
}

// field returns the field of a number, nil if OTLP has none.
func (m *message) field(number int32) *field {
	if number >= 0 && number <= lastIndexed {
		return m.byNumber[number]
	}
	if number == deprecatedNumber && len(m.fields) > 0 {
		if last := &m.fields[len(m.fields)-1]; last.number == number {
			return last
		}
	}
	return nil
}

// named returns the field of a name in JSON, nil if OTLP has none.
func (m *message) named(name []byte) *field {
	for i := range m.fields {
		if f := &m.fields[i]; string(name) == f.name || string(name) == f.alias {
			return f
		}
	}
	return nil
}

func (m *message) set(fields ...field) {
	m.fields = fields
	for i := range fields {
		f := &fields[i]
		f.alias = snake(f.name)
		f.wires = 1 << f.wire()
		if f.packed() {
			f.wires |= 1 << wireBytes
		}
		f.sized = f.packed() || f.idBytes > 0
		if n := fields[i].number; n <= lastIndexed {
			m.byNumber[n] = &fields[i]
		}
	}
	for n := int32(1); n < 16 && m.spare == 0; n++ {
		if m.byNumber[n] == nil {
			m.spare = n
		}
	}
}

// snake writes logRecords as log_records.
func snake(camel string) string {
	var out []byte
	for i := range len(camel) {
		if c := camel[i]; c >= 'A' && c <= 'Z' {
			out = append(out, '_', c-'A'+'a')
		} else {
			out = append(out, c)
		}
	}
	return string(out)
}

// What decoded things need, in bytes. TestCosts holds them to the decoder's own types.
const (
	listItemCost  = 10 // a pointer or number in a list that grows
	stringCost    = 20 // a string's head in a list that grows
	keyValueCost  = 64
	anyValueCost  = 24
	numberBoxCost = 8  // a number that is a value
	stringBoxCost = 16 // a text that is a value
	bytesBoxCost  = 32
	listBoxCost   = 40 // a map or list that is a value
)

func scalar(number int32, name string, kind kind) field {
	return field{number: number, name: name, kind: kind}
}

func enum(number int32, name string, names []string) field {
	f := scalar(number, name, enumKind)
	f.names = names
	return f
}

func identifier(number int32, name string, size int) field {
	f := scalar(number, name, bytesKind)
	f.idBytes = size
	return f
}

func boxed(number int32, name string, kind kind, cost int64) field {
	return field{number: number, name: name, kind: kind, cost: cost}
}

func scalars(number int32, name string, kind kind, cost int64) field {
	return field{number: number, name: name, kind: kind, list: true, cost: cost}
}

func one(number int32, name string, child messageID, cost int64) field {
	return field{number: number, name: name, child: child, cost: cost}
}

func many(number int32, name string, child messageID, cost int64) field {
	return field{number: number, name: name, child: child, list: true, cost: cost}
}

func attributes(number int32, name string) field {
	return many(number, name, keyValue, keyValueCost)
}

// Names of enums. The decoder lacks SEVERITY_NUMBER_TRACE: it has it with a space behind it.
var (
	spanKindNames = []string{
		"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT",
		"SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER",
	}
	statusNames      = []string{"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"}
	temporalityNames = []string{
		"AGGREGATION_TEMPORALITY_UNSPECIFIED", "AGGREGATION_TEMPORALITY_DELTA",
		"AGGREGATION_TEMPORALITY_CUMULATIVE",
	}
	severityNames = func() []string {
		names := []string{"SEVERITY_NUMBER_UNSPECIFIED"}
		for _, level := range []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"} {
			for _, step := range []string{"", "2", "3", "4"} {
				if level+step != "TRACE" {
					names = append(names, "SEVERITY_NUMBER_"+level+step)
				}
			}
		}
		return names
	}()
)

// messages is OTLP as the decoder reads it. TestMessagesAreOTLP compares it with OTLP's own
// descriptors, TestDecoderReadsNoOtherMessage with the decoder.
var messages = func() (m [messageCount]message) {
	m[logsRequest].set(many(1, "resourceLogs", resourceLogs, 144+listItemCost))
	m[traceRequest].set(many(1, "resourceSpans", resourceSpans, 144+listItemCost))
	m[metricsRequest].set(many(1, "resourceMetrics", resourceMetrics, 144+listItemCost))

	m[resourceLogs].set(
		one(1, "resource", resource, 0),
		many(2, "scopeLogs", scopeLogs, 128+listItemCost),
		scalar(3, "schemaUrl", stringKind),
		many(deprecatedNumber, "deprecatedScopeLogs", scopeLogs, 128+listItemCost),
	)
	m[resourceSpans].set(
		one(1, "resource", resource, 0),
		many(2, "scopeSpans", scopeSpans, 128+listItemCost),
		scalar(3, "schemaUrl", stringKind),
		many(deprecatedNumber, "deprecatedScopeSpans", scopeSpans, 128+listItemCost),
	)
	m[resourceMetrics].set(
		one(1, "resource", resource, 0),
		many(2, "scopeMetrics", scopeMetrics, 128+listItemCost),
		scalar(3, "schemaUrl", stringKind),
		many(deprecatedNumber, "deprecatedScopeMetrics", scopeMetrics, 128+listItemCost),
	)
	m[scopeLogs].set(
		one(1, "scope", scope, 0),
		many(2, "logRecords", logRecord, 144+listItemCost),
		scalar(3, "schemaUrl", stringKind),
	)
	m[scopeSpans].set(
		one(1, "scope", scope, 0),
		many(2, "spans", span, 256+listItemCost),
		scalar(3, "schemaUrl", stringKind),
	)
	m[scopeMetrics].set(
		one(1, "scope", scope, 0),
		many(2, "metrics", metricMessage, 96+listItemCost),
		scalar(3, "schemaUrl", stringKind),
	)

	m[resource].set(
		attributes(1, "attributes"),
		scalar(2, "droppedAttributesCount", uint32Kind),
		many(3, "entityRefs", entityRef, 80+listItemCost),
	)
	m[entityRef].set(
		scalar(1, "schemaUrl", stringKind),
		scalar(2, "type", stringKind),
		scalars(3, "idKeys", stringKind, stringCost),
		scalars(4, "descriptionKeys", stringKind, stringCost),
	)
	m[scope].set(
		scalar(1, "name", stringKind),
		scalar(2, "version", stringKind),
		attributes(3, "attributes"),
		scalar(4, "droppedAttributesCount", uint32Kind),
	)

	m[logRecord].set(
		scalar(1, "timeUnixNano", fixed64Kind),
		enum(2, "severityNumber", severityNames),
		scalar(3, "severityText", stringKind),
		one(5, "body", anyValue, 0),
		attributes(6, "attributes"),
		scalar(7, "droppedAttributesCount", uint32Kind),
		scalar(8, "flags", fixed32Kind),
		identifier(9, "traceId", 16),
		identifier(10, "spanId", 8),
		scalar(11, "observedTimeUnixNano", fixed64Kind),
		scalar(12, "eventName", stringKind),
	)

	m[span].set(
		identifier(1, "traceId", 16),
		identifier(2, "spanId", 8),
		scalar(3, "traceState", stringKind),
		identifier(4, "parentSpanId", 8),
		scalar(5, "name", stringKind),
		enum(6, "kind", spanKindNames),
		scalar(7, "startTimeUnixNano", fixed64Kind),
		scalar(8, "endTimeUnixNano", fixed64Kind),
		attributes(9, "attributes"),
		scalar(10, "droppedAttributesCount", uint32Kind),
		many(11, "events", spanEvent, 64+listItemCost),
		scalar(12, "droppedEventsCount", uint32Kind),
		many(13, "links", spanLink, 80+listItemCost),
		scalar(14, "droppedLinksCount", uint32Kind),
		one(15, "status", spanStatus, 0),
		scalar(16, "flags", fixed32Kind),
	)
	m[spanEvent].set(
		scalar(1, "timeUnixNano", fixed64Kind),
		scalar(2, "name", stringKind),
		attributes(3, "attributes"),
		scalar(4, "droppedAttributesCount", uint32Kind),
	)
	m[spanLink].set(
		identifier(1, "traceId", 16),
		identifier(2, "spanId", 8),
		scalar(3, "traceState", stringKind),
		attributes(4, "attributes"),
		scalar(5, "droppedAttributesCount", uint32Kind),
		scalar(6, "flags", fixed32Kind),
	)
	m[spanStatus].set(
		scalar(2, "message", stringKind),
		enum(3, "code", statusNames),
	)

	m[metricMessage].set(
		scalar(1, "name", stringKind),
		scalar(2, "description", stringKind),
		scalar(3, "unit", stringKind),
		one(5, "gauge", gauge, 40),
		one(7, "sum", sum, 40),
		one(9, "histogram", histogram, 40),
		one(10, "exponentialHistogram", exponentialHistogram, 40),
		one(11, "summary", summary, 40),
		attributes(12, "metadata"),
	)
	m[gauge].set(many(1, "dataPoints", numberPoint, 112+listItemCost))
	m[sum].set(
		many(1, "dataPoints", numberPoint, 112+listItemCost),
		enum(2, "aggregationTemporality", temporalityNames),
		scalar(3, "isMonotonic", boolKind),
	)
	m[histogram].set(
		many(1, "dataPoints", histogramPoint, 176+listItemCost),
		enum(2, "aggregationTemporality", temporalityNames),
	)
	m[exponentialHistogram].set(
		many(1, "dataPoints", exponentialPoint, 240+listItemCost),
		enum(2, "aggregationTemporality", temporalityNames),
	)
	m[summary].set(many(1, "dataPoints", summaryPoint, 96+listItemCost))

	m[numberPoint].set(
		scalar(2, "startTimeUnixNano", fixed64Kind),
		scalar(3, "timeUnixNano", fixed64Kind),
		boxed(4, "asDouble", floatKind, numberBoxCost),
		many(5, "exemplars", exemplar, 96),
		boxed(6, "asInt", sfixed64Kind, numberBoxCost),
		attributes(7, "attributes"),
		scalar(8, "flags", uint32Kind),
	)
	m[histogramPoint].set(
		scalar(2, "startTimeUnixNano", fixed64Kind),
		scalar(3, "timeUnixNano", fixed64Kind),
		scalar(4, "count", fixed64Kind),
		scalar(5, "sum", floatKind),
		scalars(6, "bucketCounts", fixed64Kind, listItemCost),
		scalars(7, "explicitBounds", floatKind, listItemCost),
		many(8, "exemplars", exemplar, 96),
		attributes(9, "attributes"),
		scalar(10, "flags", uint32Kind),
		scalar(11, "min", floatKind),
		scalar(12, "max", floatKind),
	)
	m[exponentialPoint].set(
		attributes(1, "attributes"),
		scalar(2, "startTimeUnixNano", fixed64Kind),
		scalar(3, "timeUnixNano", fixed64Kind),
		scalar(4, "count", fixed64Kind),
		scalar(5, "sum", floatKind),
		scalar(6, "scale", int32Kind),
		scalar(7, "zeroCount", fixed64Kind),
		one(8, "positive", exponentialBuckets, 0),
		one(9, "negative", exponentialBuckets, 0),
		scalar(10, "flags", uint32Kind),
		many(11, "exemplars", exemplar, 96),
		scalar(12, "min", floatKind),
		scalar(13, "max", floatKind),
		scalar(14, "zeroThreshold", floatKind),
	)
	m[exponentialBuckets].set(
		scalar(1, "offset", int32Kind),
		scalars(2, "bucketCounts", uint64Kind, listItemCost),
	)
	m[summaryPoint].set(
		scalar(2, "startTimeUnixNano", fixed64Kind),
		scalar(3, "timeUnixNano", fixed64Kind),
		scalar(4, "count", fixed64Kind),
		scalar(5, "sum", floatKind),
		many(6, "quantileValues", quantile, 16+listItemCost),
		attributes(7, "attributes"),
		scalar(8, "flags", uint32Kind),
	)
	m[quantile].set(
		scalar(1, "quantile", floatKind),
		scalar(2, "value", floatKind),
	)
	m[exemplar].set(
		scalar(2, "timeUnixNano", fixed64Kind),
		boxed(3, "asDouble", floatKind, numberBoxCost),
		identifier(4, "spanId", 8),
		identifier(5, "traceId", 16),
		boxed(6, "asInt", sfixed64Kind, numberBoxCost),
		attributes(7, "filteredAttributes"),
	)

	m[keyValue].set(
		scalar(1, "key", stringKind),
		one(2, "value", anyValue, 0),
		scalar(3, "keyStrindex", int32Kind),
	)
	m[keyValueList].set(attributes(1, "values"))
	m[arrayValue].set(many(1, "values", anyValue, anyValueCost))
	m[anyValue].set(
		boxed(1, "stringValue", stringKind, stringBoxCost),
		boxed(2, "boolValue", boolKind, numberBoxCost),
		boxed(3, "intValue", int64Kind, numberBoxCost),
		boxed(4, "doubleValue", floatKind, numberBoxCost),
		one(5, "arrayValue", arrayValue, listBoxCost),
		one(6, "kvlistValue", keyValueList, listBoxCost),
		boxed(7, "bytesValue", bytesKind, bytesBoxCost),
		boxed(8, "stringValueStrindex", int32Kind, numberBoxCost),
	)
	return m
}()
