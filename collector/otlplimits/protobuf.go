// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

// Wire types of protobuf.
const (
	wireVarint = 0
	wireFixed8 = 1
	wireBytes  = 2
	wireFixed4 = 5
)

// protoFramesPerLevel: a value, its list of pairs, a pair.
const protoFramesPerLevel = 3

// protoFrame is a message that the scan is inside of.
type protoFrame struct {
	end   int // of its bytes
	level int // maps and lists around it
	pairs int // seen in its list of attributes
	// cut is where the last run of attributes over the bound begins, cutEnd where it ends.
	cut, cutEnd int
	message     messageID
}

// protobuf walks through a request as the decoder will: same numbers, same wire types, same ends.
// Where it finds no protobuf it stops, since the decoder stops there too.
func (s *scanner) protobuf(body []byte, root messageID, write bool) {
	stack := s.proto[:0]
	f := protoFrame{message: root, end: len(body)}
	pos := 0
	budget := s.bounds.decoded - int64(len(body))
	for {
		for pos >= f.end {
			if len(stack) == 0 {
				return
			}
			f = stack[len(stack)-1]
			stack = stack[:len(stack)-1]
		}
		start := pos
		tag, ok := uint64(body[pos]), true
		if pos++; tag >= 0x80 {
			tag, pos, ok = varint(body, start, f.end)
		}
		number := int32(tag >> 3) // cut off like the decoder does
		if !ok || number <= 0 {
			s.report.outcome = malformed
			return
		}
		known := messages[f.message].field(number)
		switch tag & 7 {
		case wireVarint:
			_, pos, ok = varint(body, pos, f.end)
		case wireFixed8:
			pos += 8
			ok = pos <= f.end
		case wireFixed4:
			pos += 4
			ok = pos <= f.end
		case wireBytes:
			var size uint64
			if pos < f.end && body[pos] < 0x80 {
				size = uint64(body[pos])
				pos++
			} else {
				size, pos, ok = varint(body, pos, f.end)
			}
			ok = ok && size <= uint64(f.end-pos)
			if !ok {
				break
			}
			end := pos + int(size)
			if known == nil {
				pos = end
				continue
			}
			if known.child == unknownMessage {
				s.report.decoded += scalarsCost(known, body[pos:end])
				pos = end
				break
			}
			s.report.decoded += known.cost
			child := protoFrame{message: known.child, end: end, level: f.level}
			if s.report.decoded > budget {
				s.report.outcome = tooLarge
				return
			}
			if known.deeper() {
				child.level++
				if child.level > s.bounds.depth && size > 0 {
					if !write {
						s.report.outcome = unwritable
						return
					}
					blank(body[start:end])
					s.report.emptied++
					s.report.decoded -= known.cost
					pos = end
					continue
				}
			}
			if known.attributes() {
				f.pairs++
				if f.pairs > s.bounds.attributes {
					if !write {
						s.report.outcome = unwritable
						return
					}
					s.overflow(&f, known, body, start, end)
					pos = end
					continue
				}
			}
			if known.child == keyValue || known.child == anyValue { // most have one number or text in them
				if cost, plain := plainCost(known.child, body[pos:end]); plain {
					s.report.decoded += cost
					pos = end
					continue
				}
			}
			stack = append(stack, f)
			f = child
			continue
		default:
			s.report.outcome = grouped
			return
		}
		if !ok {
			s.report.outcome = malformed
			return
		}
		if known != nil && tag&7 != wireBytes {
			s.report.decoded += known.cost
		}
	}
}

// overflow takes an attribute over the bound out of sight, together with those right before it.
// One of two bytes that stands alone is too short for that, and stays.
func (s *scanner) overflow(f *protoFrame, known *field, body []byte, start, end int) {
	if f.pairs == s.bounds.attributes+1 {
		s.report.shortened++
	}
	if f.cutEnd != start {
		f.cut = start
	}
	f.cutEnd = end
	if end-f.cut < leastBlank {
		return
	}
	blank(body[f.cut:end])
	s.report.decoded -= known.cost
	if start-f.cut > 0 && start-f.cut < leastBlank {
		s.report.decoded -= known.cost // of the one before, which had stayed
	}
}

// plainCost is what an attribute or value needs that has no map or list in it, and is written the
// way all senders write it. Others are looked at field by field.
func plainCost(id messageID, b []byte) (cost int64, plain bool) {
	switch id {
	case keyValue:
		const key, value = 1<<3 | wireBytes, 2<<3 | wireBytes
		at, ok := plainBytes(b, key)
		if !ok || at == len(b) {
			return 0, ok
		}
		b = b[at:]
		if at, ok = plainBytes(b, value); !ok || at != len(b) {
			return 0, false
		}
		if b[1] < 0x80 {
			b = b[2:]
		} else {
			b = b[3:]
		}
	case anyValue:
	default:
		return 0, false
	}
	if len(b) == 0 {
		return 0, true
	}
	switch b[0] {
	case 1<<3 | wireBytes:
		at, ok := plainBytes(b, b[0])
		return stringBoxCost, ok && at == len(b)
	case 2<<3 | wireVarint, 3<<3 | wireVarint:
		_, at, ok := varint(b, 1, len(b))
		return numberBoxCost, ok && at == len(b)
	case 4<<3 | wireFixed8:
		return numberBoxCost, len(b) == 9
	}
	return 0, false
}

// plainBytes returns the end of a field of less than 16 KiB at the beginning of b.
func plainBytes(b []byte, tag byte) (end int, ok bool) {
	if len(b) < 2 || b[0] != tag {
		return 0, false
	}
	end = 2 + int(b[1])
	if b[1] >= 0x80 {
		if len(b) < 3 || b[2] >= 0x80 || b[2] == 0 {
			return 0, false
		}
		end = 3 + (int(b[1]&0x7f) | int(b[2])<<7)
	}
	return end, end <= len(b)
}

// scalarsCost is what a text, or numbers one after the other, need once decoded.
func scalarsCost(f *field, packed []byte) int64 {
	if !f.list || f.kind == stringKind {
		return f.cost
	}
	if f.kind != uint64Kind { // all others have eight bytes each
		return f.cost * int64(len(packed)/8)
	}
	n := int64(0)
	for _, b := range packed {
		if b < 0x80 {
			n++
		}
	}
	return f.cost * n
}

// leastBlank is the fewest bytes that blank can hide.
const leastBlank = 3

// blank turns whole fields into one that OTLP does not have, and which the decoder skips: number
// 2047, its length written in as many bytes as it takes to keep the place of all that follows.
func blank(fields []byte) {
	fields[0], fields[1] = 0xfa, 0x7f
	rest := len(fields) - 2
	width := 1
	for rest-width >= 1<<(7*width) {
		width++
	}
	size := rest - width
	for i := range width {
		b := byte(size>>(7*i)) & 0x7f
		if i < width-1 {
			b |= 0x80
		}
		fields[2+i] = b
	}
}

// varint reads a number that ends before end. Like the decoder it takes up to ten bytes, also more
// than the number needs.
func varint(body []byte, pos, end int) (value uint64, next int, ok bool) {
	for shift := uint(0); shift < 64; shift += 7 {
		if pos >= end {
			return 0, pos, false
		}
		b := body[pos]
		pos++
		value |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return value, pos, true
		}
	}
	return 0, pos, false
}
