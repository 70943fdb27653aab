// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

// Wire types of protobuf.
const (
	wireVarint = 0
	wireFixed8 = 1
	wireBytes  = 2
	wireGroup  = 3
	wireEnd    = 4 // of a group
	wireFixed4 = 5
)

// protoFramesPerLevel: a value, its list of pairs, a pair.
const protoFramesPerLevel = 3

// protoFrame is a message that the scan is inside of.
type protoFrame struct {
	start, end int // of its field
	level      int // maps and lists around it
	pairs      int // seen in its list of attributes
	// cut is where the last run of attributes over the bound begins, cutEnd where it ends.
	cut, cutEnd int
	message     messageID
}

// protobuf walks through a request as the decoder will: same numbers, same wire types, same ends.
// Where the decoder would refuse the request for one field, that is hidden from it; where a message
// does not hold together, that message.
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
		if s.report.decoded > budget {
			s.report.outcome = tooLarge
			return
		}
		start := pos
		tag, ok := uint64(body[pos]), true
		if pos++; tag >= 0x80 {
			tag, pos, ok = varint(body, start, f.end)
		}
		number := int32(tag >> 3) // cut off like the decoder does
		ok = ok && number > 0
		var known *field
		if ok {
			known = messages[f.message].field(number)
		}
		wire := tag & 7
		size := 0
		switch wire {
		case wireVarint:
			_, pos, ok = varint(body, pos, f.end)
		case wireFixed8:
			pos += 8
		case wireFixed4:
			pos += 4
		case wireBytes:
			var length uint64
			if pos < f.end && body[pos] < 0x80 {
				length = uint64(body[pos])
				pos++
			} else {
				var whole bool
				length, pos, whole = varint(body, pos, f.end)
				ok = ok && whole
			}
			if ok = ok && length <= uint64(f.end-pos); ok {
				size = int(length)
				pos += size
			}
		case wireGroup:
			pos, ok = groupEnd(body, pos, f.end)
		default:
			ok = false
		}
		if !ok || number <= 0 || pos > f.end {
			// What follows cannot be distinguished. The message around it can.
			if len(stack) == 0 || !f.message.apart() {
				s.report.outcome = malformed
				return
			}
			if !write {
				s.report.outcome = unwritable
				return
			}
			blank(body[f.start:f.end])
			s.report.odd++
			pos = f.end
			continue
		}
		if known == nil {
			if wire == wireGroup && pos-start >= leastBlank { // the decoder loses its place in groups
				if !write {
					s.report.outcome = unwritable
					return
				}
				blank(body[start:pos])
			}
			continue
		}
		value := body[pos-size : pos]
		if !known.takes(wire) || known.sized && size > 0 && !known.fits(value) {
			if known.child != unknownMessage && f.message.holder() {
				s.report.outcome = malformed
				return
			}
			if !write {
				s.report.outcome = unwritable
				return
			}
			switch {
			case known.idBytes > 0 && wire == wireBytes:
				s.report.ids++ // one that is missing is made by the processor admission
			default:
				s.report.odd++
			}
			if !hide(body[start:pos], messages[f.message].spare) {
				blank(body[f.start:f.end])
				pos = f.end
			}
			continue
		}
		if known.child == unknownMessage {
			if wire == wireBytes {
				s.report.decoded += scalarsCost(known, value)
			} else {
				s.report.decoded += known.cost
			}
			continue
		}
		if known.attributes() {
			if f.pairs++; f.pairs > s.bounds.attributes {
				if !write {
					s.report.outcome = unwritable
					return
				}
				s.overflow(&f, known, body, start, pos)
				continue
			}
		}
		level := f.level
		if known.deeper() {
			if level++; level > s.bounds.depth && size > 0 {
				if !write {
					s.report.outcome = unwritable
					return
				}
				blank(body[start:pos])
				s.report.emptied++
				continue
			}
		}
		s.report.decoded += known.cost
		if known.child.record() {
			s.report.records++
		}
		if known.child == keyValue || known.child == anyValue { // most have one number or text in them
			if cost, plain := plainCost(known.child, value); plain {
				s.report.decoded += cost
				continue
			}
		}
		stack = append(stack, f)
		f = protoFrame{message: known.child, start: start, end: pos, level: level}
		pos -= size
	}
}

// groupEnd finds the end of a group, and of those in it.
func groupEnd(body []byte, pos, end int) (int, bool) {
	for depth := 1; depth > 0; {
		tag, next, ok := varint(body, pos, end)
		if !ok || int32(tag>>3) <= 0 {
			return pos, false
		}
		pos = next
		switch tag & 7 {
		case wireVarint:
			_, pos, ok = varint(body, pos, end)
		case wireFixed8:
			pos += 8
		case wireFixed4:
			pos += 4
		case wireBytes:
			var size uint64
			size, pos, ok = varint(body, pos, end)
			if ok = ok && size <= uint64(end-pos); ok {
				pos += int(size)
			}
		case wireGroup:
			depth++
		case wireEnd:
			depth--
		default:
			ok = false
		}
		if !ok || pos > end {
			return pos, false
		}
	}
	return pos, true
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
		s.report.decoded += known.cost
		return
	}
	blank(body[f.cut:end])
}

// plainCost is what an attribute or value needs that has no map or list in it, and is written the
// way all senders write it. Others are read field by field.
func plainCost(id messageID, b []byte) (cost int64, plain bool) {
	if id == anyValue {
		return plainValueCost(b)
	}
	for len(b) > 0 { // SDKs write the key first, Collectors the value
		from, end, ok := plainBytes(b)
		if !ok {
			return 0, false
		}
		switch b[0] {
		case 1<<3 | wireBytes:
		case 2<<3 | wireBytes:
			one, plain := plainValueCost(b[from:end])
			if !plain {
				return 0, false
			}
			cost += one
		default:
			return 0, false
		}
		b = b[end:]
	}
	return cost, true
}

func plainValueCost(b []byte) (cost int64, plain bool) {
	if len(b) == 0 {
		return 0, true
	}
	switch b[0] {
	case 1<<3 | wireBytes:
		_, end, ok := plainBytes(b)
		return stringBoxCost, ok && end == len(b)
	case 2<<3 | wireVarint, 3<<3 | wireVarint:
		_, end, ok := varint(b, 1, len(b))
		return numberBoxCost, ok && end == len(b)
	case 4<<3 | wireFixed8:
		return numberBoxCost, len(b) == 9
	}
	return 0, false
}

// plainBytes returns where the first field of b has its bytes, less than 16 KiB of them.
func plainBytes(b []byte) (from, end int, ok bool) {
	if len(b) < 2 {
		return 0, 0, false
	}
	from, end = 2, 2+int(b[1])
	if b[1] >= 0x80 {
		if len(b) < 3 || b[2] >= 0x80 || b[2] == 0 {
			return 0, 0, false
		}
		from, end = 3, 3+(int(b[1]&0x7f)|int(b[2])<<7)
	}
	return from, end, end <= len(b)
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

// fits reports whether the decoder takes so many bytes for an id, or for numbers.
func (f *field) fits(value []byte) bool {
	switch {
	case f.idBytes > 0:
		return len(value) == f.idBytes
	case f.wire() == wireFixed8:
		return len(value)%8 == 0
	}
	run := 0 // bytes of the number at hand
	for _, b := range value {
		if run++; b < 0x80 {
			run = 0
		} else if run >= longestVarint {
			return false
		}
	}
	return run == 0
}

// hide takes one field from the decoder, and reports whether there was a way to: for one of two bytes
// the message must have a number that OTLP does not use.
func hide(field []byte, spare int32) bool {
	if len(field) >= leastBlank {
		blank(field)
		return true
	}
	if spare == 0 {
		return false
	}
	field[0] = byte(spare<<3) | field[0]&7
	if field[0]&7 == wireGroup {
		field[1] = byte(spare<<3) | wireEnd
	}
	return true
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

// longestVarint is the most bytes of a number.
const longestVarint = 10

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
