// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"math"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

const (
	// uidKey identifies a record by OpenTelemetry's convention.
	uidKey = "log.record.uid"
	// What the processor admission adds depends on when a record came, so it may differ between
	// two tries. The second is the time that was sent, where admission has put another.
	repairedKey     = "admission.repaired"
	originalTimeKey = "admission.original_time"

	// A longer text goes into the identity by its hash, and foldAt bytes by theirs: so what is
	// held to identify a record stays small, however large the record is.
	longText = 1 << 10
	foldAt   = 64 << 10
	// deepest is the nesting that is read; redaction passes on half of it.
	deepest = 64
)

// identity distinguishes records: 128 bits of a keyed SHA-256. No sender knows the key, so none can
// make two records that are taken for one. It is stored with the counts, so that what came before a
// restart is known after it.
type identity [2]uint64

// nth is the identity of the nth further record that is the same, in one request.
func (id identity) nth(n uint32) identity {
	const odd = 0x9e3779b97f4a7c15 // 2^64 by the golden ratio: neighbours come to lie far apart
	return identity{id[0], id[1] + uint64(n)*odd}
}

// idKey is what identities are made with.
type idKey [sha256.Size]byte

func newIDKey() idKey {
	var key idKey
	_, _ = rand.Read(key[:]) // never fails
	return key
}

// kinds of what is written into an identity, so that two different records never write the same.
const (
	kindEnd byte = iota
	kindIdentity
	kindUID
	kindRecord
	kindText
	kindLongText
	kindKey
	kindBool
	kindInt
	kindDouble
	kindBytes
	kindMap
	kindSlice
	kindEmpty
	kindDeep
)

// writer gathers what identifies a record.
type writer struct {
	key    idKey
	buffer []byte
	digest hash.Hash
	sum    [sha256.Size]byte
}

func (w *writer) identity() identity { return w.hashed(func(h hash.Hash) { _, _ = h.Write(w.buffer) }) }

func (w *writer) hashed(write func(hash.Hash)) identity {
	if w.digest == nil {
		w.digest = sha256.New()
	}
	w.digest.Reset()
	_, _ = w.digest.Write(w.key[:])
	write(w.digest)
	sum := w.digest.Sum(w.sum[:0])
	return identity{binary.LittleEndian.Uint64(sum), binary.LittleEndian.Uint64(sum[8:])}
}

// resource identifies what sent a record.
func (w *writer) resource(resource pcommon.Resource) identity {
	w.buffer = w.buffer[:0]
	w.attributes(resource.Attributes(), 0)
	return w.identity()
}

// scope identifies a scope of that resource.
func (w *writer) scope(resource identity, scope pcommon.InstrumentationScope) identity {
	w.buffer = w.buffer[:0]
	w.known(resource)
	w.text(scope.Name())
	w.text(scope.Version())
	w.attributes(scope.Attributes(), 0)
	return w.identity()
}

// uid identifies a record by the id that it brings.
func (w *writer) uid(resource identity, event, uid string) identity {
	w.buffer = append(w.buffer[:0], kindUID)
	w.known(resource)
	w.text(event)
	w.text(uid)
	return w.identity()
}

// record identifies a record by everything in it: who tries again sends the same bytes. So two
// that differ in any field are two events.
func (w *writer) record(scope identity, event string, record plog.LogRecord) identity {
	w.buffer = append(w.buffer[:0], kindRecord)
	w.known(scope)
	w.text(event)
	w.number(sentAt(record))
	w.number(uint64(record.ObservedTimestamp()))
	w.number(uint64(record.SeverityNumber())<<32 | uint64(record.Flags()))
	w.number(uint64(record.DroppedAttributesCount()))
	w.text(record.SeverityText())
	trace, span := record.TraceID(), record.SpanID()
	w.buffer = append(append(w.buffer, trace[:]...), span[:]...)
	w.value(record.Body(), 0)
	w.attributes(record.Attributes(), 0)
	return w.identity()
}

// sentAt is the time that a record had when it was sent. Where admission has put another, or
// would have at another try, it is what admission recorded: the time, or else when it was observed.
func sentAt(record plog.LogRecord) uint64 {
	if original, present := record.Attributes().Get(originalTimeKey); present && len(original.Str()) < longText {
		text := original.Str()
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return n
		}
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return uint64(at.UnixNano())
		}
	}
	if at := record.Timestamp(); at != 0 {
		return uint64(at)
	}
	return uint64(record.ObservedTimestamp())
}

func (w *writer) known(id identity) {
	w.buffer = append(w.buffer, kindIdentity)
	w.number(id[0])
	w.number(id[1])
}

func (w *writer) number(n uint64) { w.buffer = binary.LittleEndian.AppendUint64(w.buffer, n) }

func (w *writer) text(s string) {
	if len(s) > longText {
		w.buffer = append(w.buffer, kindLongText)
		id := w.hashed(func(h hash.Hash) { _, _ = io.WriteString(h, s) })
		w.number(id[0])
		w.number(id[1])
		return
	}
	w.buffer = binary.AppendUvarint(append(w.buffer, kindText), uint64(len(s)))
	w.buffer = append(w.buffer, s...)
}

func (w *writer) attributes(attributes pcommon.Map, depth int) {
	w.buffer = append(w.buffer, kindMap)
	for key, value := range attributes.All() {
		if key == repairedKey || key == originalTimeKey {
			continue
		}
		w.buffer = append(w.buffer, kindKey)
		w.text(key)
		w.value(value, depth)
		w.fold()
	}
	w.buffer = append(w.buffer, kindEnd)
}

func (w *writer) value(value pcommon.Value, depth int) {
	if depth >= deepest {
		w.buffer = append(w.buffer, kindDeep)
		return
	}
	switch value.Type() {
	case pcommon.ValueTypeStr:
		w.text(value.Str())
	case pcommon.ValueTypeBool:
		w.buffer = append(w.buffer, kindBool)
		if value.Bool() {
			w.buffer = append(w.buffer, kindBool)
		}
		w.buffer = append(w.buffer, kindEnd)
	case pcommon.ValueTypeInt:
		w.buffer = append(w.buffer, kindInt)
		w.number(uint64(value.Int()))
	case pcommon.ValueTypeDouble:
		w.buffer = append(w.buffer, kindDouble)
		w.number(math.Float64bits(value.Double()))
	case pcommon.ValueTypeBytes:
		bytes := value.Bytes()
		w.buffer = binary.AppendUvarint(append(w.buffer, kindBytes), uint64(bytes.Len()))
		for i := range bytes.Len() {
			w.buffer = append(w.buffer, bytes.At(i))
			w.fold()
		}
	case pcommon.ValueTypeMap:
		w.attributes(value.Map(), depth+1)
	case pcommon.ValueTypeSlice:
		w.buffer = append(w.buffer, kindSlice)
		for _, item := range value.Slice().All() {
			w.value(item, depth+1)
			w.fold()
		}
		w.buffer = append(w.buffer, kindEnd)
	default:
		w.buffer = append(w.buffer, kindEmpty)
	}
}

// fold replaces what was written by its hash, once it is long.
func (w *writer) fold() {
	if len(w.buffer) < foldAt {
		return
	}
	id := w.identity()
	w.buffer = w.buffer[:0]
	w.known(id)
}
