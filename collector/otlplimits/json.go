// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"encoding/binary"
	"math/bits"
)

const (
	// jsonFramesPerLevel: a list of pairs, its array, a pair, a value.
	jsonFramesPerLevel = 4
	// unknownNesting is how deep fields may be nested that OTLP does not have. The decoder skips
	// them, by recursion.
	unknownNesting = 64
	// longestName is more than any field's name has.
	longestName = 64
)

func jsonFrames(depth int) int {
	return messagesAbove + jsonFramesPerLevel*(depth+1) + unknownNesting + 2
}

// jsonFrame is an object or array that the scan is inside of.
type jsonFrame struct {
	item    *field // of an array: the field it is of, nil if OTLP has none
	message messageID
	array   bool
	items   int
	level   int // maps and lists around it
	unknown int // objects and arrays around it that OTLP does not have
}

// jsonScan is the place in one text. The decoder is lenient: it takes a comma for a brace, goes on
// after errors, and ends an object at an empty name. A text that it could read in another way than
// this scan is therefore refused here, and only such as it would not accept in the end.
type jsonScan struct {
	*scanner
	body  []byte
	pos   int
	stack []jsonFrame
}

// jsonText walks through a request in JSON.
func (s *scanner) jsonText(body []byte, root messageID) {
	j := jsonScan{scanner: s, body: body, stack: s.json[:0]}
	request := field{child: root}
	if j.value(&request, &jsonFrame{}, false) != good {
		s.report.outcome = malformed
		return
	}
	budget := s.bounds.decoded - int64(len(body))
	for len(j.stack) > 0 { // what follows the request is no matter: the decoder leaves it
		if s.report.decoded > budget {
			s.report.outcome = tooLarge
			return
		}
		top := &j.stack[len(j.stack)-1]
		ok := false
		if top.array {
			ok = j.item(top)
		} else {
			ok = j.member(top)
		}
		if !ok {
			s.report.outcome = malformed
			return
		}
	}
}

// next skips white space and returns what follows it, zero at the end.
func (j *jsonScan) next() byte {
	for ; j.pos < len(j.body); j.pos++ {
		switch c := j.body[j.pos]; c {
		case ' ', '\n', '\t', '\r':
		default:
			return c
		}
	}
	return 0
}

func (j *jsonScan) pop() bool {
	j.pos++
	j.stack = j.stack[:len(j.stack)-1]
	return true
}

// item reads the next item of an array, or its end.
func (j *jsonScan) item(top *jsonFrame) bool {
	c := j.next()
	if c == ']' {
		return j.pop()
	}
	from := j.pos
	if top.items > 0 {
		if c != ',' {
			return false
		}
		j.pos++
		j.next()
	}
	top.items++
	if top.item != nil {
		if top.item.attributes() && top.items > j.bounds.attributes {
			return j.overflow(top, from)
		}
		j.report.decoded += top.item.cost
		if top.item.child.record() {
			j.report.records++
		}
	}
	return j.keep(top.item, top, true, from)
}

// overflow takes an attribute over the bound out of sight, with the comma before it.
func (j *jsonScan) overflow(top *jsonFrame, from int) bool {
	end, _, ok := j.skip()
	if !ok {
		return false
	}
	if top.items == j.bounds.attributes+1 {
		j.report.shortened++
	}
	fill(j.body[from:end])
	j.pos = end
	return true
}

// member reads the next name and value of an object, or its end.
func (j *jsonScan) member(top *jsonFrame) bool {
	c := j.next()
	if c == '}' {
		return j.pop()
	}
	from := j.pos
	if top.items > 0 {
		if c != ',' {
			return false
		}
		j.pos++
		c = j.next()
	}
	top.items++
	if c != '"' {
		return false
	}
	start := j.pos + 1
	escaped, ok := j.text()
	name := j.body[start : j.pos-1 : j.pos-1]
	if !ok || len(name) == 0 {
		return false
	}
	if j.next() != ':' {
		return false
	}
	j.pos++
	var known *field
	if top.message != unknownMessage {
		var plain [longestName]byte
		if escaped {
			name = unescape(plain[:0], name)
		}
		known = messages[top.message].named(name)
	}
	if known != nil && !known.list {
		j.report.decoded += known.cost
	}
	return j.keep(known, top, false, from)
}

// keep reads a value, of a name or in an array. One that the decoder would refuse, and the request
// with it, goes out of sight with its name and one comma; from is where that begins. It is false
// where there is no JSON.
func (j *jsonScan) keep(f *field, top *jsonFrame, item bool, from int) bool {
	start := j.pos
	if j.next() == 'n' && f != nil && !f.takesNull(item) { // null says that there is nothing
		return j.literal(null) && j.drop(top, from, j.pos)
	}
	switch j.value(f, top, item) {
	case good:
		return true
	case odd:
		if !item && f.child != unknownMessage && top.message.holder() {
			return false
		}
		j.pos = start
		end, ok := j.wellFormed()
		j.report.odd++
		return ok && j.drop(top, from, end)
	}
	return false
}

// takesNull reports whether the decoder reads null in the place of the field, or of one of its items.
func (f *field) takesNull(item bool) bool {
	return f.list && !item || f.kind == messageKind || f.kind == stringKind
}

// drop fills what stood in an object or array with spaces.
func (j *jsonScan) drop(top *jsonFrame, from, end int) bool {
	fill(j.body[from:end])
	j.pos = end
	if top.items == 1 {
		top.items = 0
		if j.next() == ',' {
			j.body[j.pos] = ' '
		}
	}
	return true
}

// wellFormed finds the end of a value that is to be dropped.
func (j *jsonScan) wellFormed() (end int, ok bool) {
	switch c := j.next(); c {
	case '{', '[':
		end, _, ok = j.skip()
		return end, ok
	case '"':
		_, ok = j.text()
	case 't':
		ok = j.literal("true")
	case 'f':
		ok = j.literal("false")
	default:
		_, ok = j.number()
	}
	return j.pos, ok
}

// verdict on a value.
type verdict uint8

const (
	good   verdict = iota
	odd            // the decoder would refuse it
	broken         // it is no JSON
)

func goodIf(ok bool) verdict {
	if ok {
		return good
	}
	return broken
}

// value reads one value. Of an object or array it reads the beginning.
func (j *jsonScan) value(f *field, around *jsonFrame, item bool) verdict {
	array := f != nil && f.list && !item
	message := f != nil && !array && f.kind == messageKind
	switch c := j.next(); c {
	case '{', '[':
		switch {
		case f == nil:
			return goodIf(j.unknown(around, c == '['))
		case c == '[' && array:
			j.pos++
			j.stack = append(j.stack, jsonFrame{item: f, array: true, level: around.level})
			return good
		case c == '{' && message:
			level := around.level
			if f.deeper() {
				level++
				if level > j.bounds.depth {
					if cut, ok := j.tooDeep(); cut || !ok {
						return goodIf(ok)
					}
				}
			}
			j.pos++
			j.stack = append(j.stack, jsonFrame{message: f.child, level: level})
			return good
		}
		return odd
	case '"':
		start := j.pos
		escaped, ok := j.text()
		if f == nil || !ok {
			return goodIf(ok)
		}
		if array || message {
			return odd
		}
		return j.textFor(f, start, escaped)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		number, ok := j.number()
		if f != nil && ok && (array || message || !number.fits(f.kind)) {
			return odd
		}
		return goodIf(ok && len(number.text) <= longestNumber)
	case 't', 'f':
		if f != nil && (array || f.kind != boolKind) {
			return odd
		}
		return goodIf(j.literal("true") || j.literal("false"))
	case 'n':
		return goodIf(j.literal(null))
	}
	return broken
}

// unknown begins an object or array that OTLP does not have. One nested too deep becomes null.
func (j *jsonScan) unknown(around *jsonFrame, array bool) bool {
	if around.unknown >= unknownNesting {
		end, _, ok := j.skip()
		if !ok {
			return false
		}
		if end-j.pos >= len(null) { // shorter ones nest nothing
			nullify(j.body[j.pos:end])
			j.report.emptied++
			j.pos = end
			return true
		}
	}
	j.pos++
	j.stack = append(j.stack, jsonFrame{array: array, unknown: around.unknown + 1})
	return true
}

// tooDeep puts null in the place of a map or list, unless there is nothing in it.
func (j *jsonScan) tooDeep() (cut, ok bool) {
	end, filled, ok := j.skip()
	if !ok || !filled {
		return false, ok
	}
	nullify(j.body[j.pos:end])
	j.report.emptied++
	j.pos = end
	return true, true
}

const null = "null"

func nullify(value []byte) {
	copy(value, null)
	fill(value[len(null):])
}

func fill(b []byte) {
	for i := range b {
		b[i] = ' '
	}
}

// skip finds the end of the value here, however deep it is nested. It does not check the form,
// since what is skipped is overwritten. filled reports whether an array in it has items.
func (j *jsonScan) skip() (end int, filled, ok bool) {
	depth := 0
	open := false // an array has just begun
	for i := j.pos; i < len(j.body); i++ {
		switch c := j.body[i]; c {
		case ' ', '\n', '\t', '\r':
			continue
		case '{', '[':
			filled = filled || open
			open = c == '['
			depth++
			continue
		case '}', ']':
			if depth == 0 {
				return i, filled, i > j.pos
			}
			depth--
		case '"':
			filled = filled || open
			at := j.pos
			j.pos = i
			_, ok = j.text()
			i, j.pos = j.pos-1, at
			if !ok {
				return 0, false, false
			}
		case ',':
			if depth == 0 {
				return i, filled, i > j.pos
			}
		default:
			filled = filled || open
			if depth == 0 {
				continue // a number or a word, which ends at a comma or bracket
			}
		}
		open = false
		if depth == 0 {
			return i + 1, filled, true
		}
	}
	return 0, false, false
}

func (j *jsonScan) literal(word string) bool {
	if len(j.body)-j.pos < len(word) || string(j.body[j.pos:j.pos+len(word)]) != word {
		return false
	}
	j.pos += len(word)
	return true
}

// Bits of eight bytes at once.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// text reads a text from its first quotation mark. Bytes below a space are taken only behind an
// escape: the decoder has it so.
func (j *jsonScan) text() (escaped, ok bool) {
	b := j.body
	i := j.pos + 1
	for i < len(b) {
		if len(b)-i >= 8 && !escaped {
			w := binary.LittleEndian.Uint64(b[i:])
			quote, slash := w^(ones*'"'), w^(ones*'\\')
			found := (quote - ones) & ^quote
			found |= (slash - ones) & ^slash
			found |= (w - ones*' ') & ^w
			if found &= highs; found == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(found) / 8 // the first is right; those above it need not be
		}
		switch c := b[i]; {
		case c == '"':
			j.pos = i + 1
			return escaped, true
		case c == '\\':
			escaped = true
			if i = escape(b, i); i == 0 {
				return true, false
			}
			continue
		case c < ' ' && !escaped:
			return false, false
		}
		i++
	}
	return escaped, false
}

// escape returns the place behind an escape, zero if it is none.
func escape(b []byte, i int) int {
	if i+1 >= len(b) {
		return 0
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if i+6 > len(b) {
			return 0
		}
		for _, c := range b[i+2 : i+6] {
			if !hexDigit(c) {
				return 0
			}
		}
		return i + 6
	}
	return 0
}

func hexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// unescape writes a name without escapes into out. One that no field has ends early.
func unescape(out, name []byte) []byte {
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '\\' {
			i++
			c = name[i]
			if c == 'u' {
				if name[i+1] != '0' || name[i+2] != '0' {
					return nil
				}
				c = hexValue(name[i+3])<<4 | hexValue(name[i+4])
				i += 4
			} else if c != '"' && c != '\\' && c != '/' {
				return nil
			}
		}
		if len(out) == cap(out) {
			return nil
		}
		out = append(out, c)
	}
	return out
}

func hexValue(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}
