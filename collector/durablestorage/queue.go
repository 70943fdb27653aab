// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package durablestorage

import (
	"encoding/binary"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// metadataKey is where a queue of exporterhelper keeps its indexes; what is queued stands under its
// index, in decimal.
const metadataKey = "qmv0"

// formerKeys had the indexes before exporterhelper 0.130.
var formerKeys = []string{"ri", "wi", "di"}

// Numbers of the fields of exporterhelper's PersistentMetadata.
const (
	fieldItemsSize  = 1
	fieldBytesSize  = 2
	fieldReadIndex  = 3
	fieldWriteIndex = 4
	fieldDispatched = 5
)

// queueState is what a queue keeps about itself. Dispatched are the requests that were handed to a
// consumer, and are not settled.
type queueState struct {
	itemsSize, bytesSize  uint64
	readIndex, writeIndex uint64
	dispatched            []uint64
}

func itemKey(index uint64) string { return strconv.FormatUint(index, 10) }

// itemIndex returns the index of a key; false when it is not a request's.
func itemIndex(key string) (uint64, bool) {
	index, err := strconv.ParseUint(key, 10, 64)
	return index, err == nil && itemKey(index) == key
}

func (q *queueState) encode() []byte {
	var out []byte
	fixed := func(field protowire.Number, value uint64) {
		if value != 0 {
			out = protowire.AppendFixed64(protowire.AppendTag(out, field, protowire.Fixed64Type), value)
		}
	}
	fixed(fieldItemsSize, q.itemsSize)
	fixed(fieldBytesSize, q.bytesSize)
	fixed(fieldReadIndex, q.readIndex)
	fixed(fieldWriteIndex, q.writeIndex)
	if len(q.dispatched) > 0 {
		packed := make([]byte, 0, 8*len(q.dispatched))
		for _, one := range q.dispatched {
			packed = binary.LittleEndian.AppendUint64(packed, one)
		}
		out = protowire.AppendTag(out, fieldDispatched, protowire.BytesType)
		out = protowire.AppendBytes(out, packed)
	}
	return out
}

// decodeQueue reads a queue's state; false when it is of another form than this one knows.
func decodeQueue(data []byte) (*queueState, bool) {
	q := &queueState{}
	for len(data) > 0 {
		field, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return nil, false
		}
		data = data[n:]
		switch {
		case kind == protowire.Fixed64Type && fieldItemsSize <= field && field <= fieldDispatched:
			value, n := protowire.ConsumeFixed64(data)
			if n < 0 {
				return nil, false
			}
			data = data[n:]
			switch field {
			case fieldItemsSize:
				q.itemsSize = value
			case fieldBytesSize:
				q.bytesSize = value
			case fieldReadIndex:
				q.readIndex = value
			case fieldWriteIndex:
				q.writeIndex = value
			case fieldDispatched:
				q.dispatched = append(q.dispatched, value)
			}
		case kind == protowire.BytesType && field == fieldDispatched:
			packed, n := protowire.ConsumeBytes(data)
			if n < 0 || len(packed)%8 != 0 {
				return nil, false
			}
			data = data[n:]
			for ; len(packed) > 0; packed = packed[8:] {
				q.dispatched = append(q.dispatched, binary.LittleEndian.Uint64(packed))
			}
		default:
			return nil, false
		}
	}
	return q, q.readIndex <= q.writeIndex
}

// holds reports whether a request with this index is still to be delivered.
func (q *queueState) holds(index uint64) bool {
	return q.readIndex <= index && index < q.writeIndex || slices.Contains(q.dispatched, index)
}

// held is how many requests the queue says that it holds.
func (q *queueState) held() uint64 {
	return q.writeIndex - q.readIndex + uint64(len(q.dispatched))
}

// isBefore reports whether another state of the same queue is newer: its indexes only grow.
func (q *queueState) isBefore(other *queueState) bool {
	if q.writeIndex != other.writeIndex {
		return q.writeIndex < other.writeIndex
	}
	return q.readIndex < other.readIndex
}

// extend makes the next index one after all requests that are kept.
func (q *queueState) extend(kept map[string][]byte) {
	for key := range kept {
		if index, is := itemIndex(key); is {
			q.writeIndex = max(q.writeIndex, index+1)
		}
	}
}
