// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"math"
	"slices"
	"strconv"
)

// longestNumber is more characters than any number has, also written out to its last digit. What the
// decoder cannot read as a number it repeats in its answer.
const longestNumber = 4096

// number is what its form says of a number in JSON.
type number struct {
	text     []byte
	negative bool
	whole    []byte // digits before the point
	fraction bool   // it has a point or an exponent
}

// number reads a number in the form JSON prescribes.
func (j *jsonScan) number() (n number, ok bool) {
	b, i := j.body, j.pos
	if i < len(b) && b[i] == '-' {
		n.negative = true
		i++
	}
	first := i
	i = digits(b, i)
	if i == first || b[first] == '0' && i-first > 1 {
		return n, false
	}
	n.whole = b[first:i]
	if i < len(b) && b[i] == '.' {
		n.fraction = true
		from := i + 1
		if i = digits(b, from); i == from {
			return n, false
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		n.fraction = true
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		from := i
		if i = digits(b, from); i == from {
			return n, false
		}
	}
	n.text = b[j.pos:i]
	j.pos = i
	return n, true
}

func digits(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}

// fits reports whether the decoder takes a number for a kind of field.
func (n number) fits(k kind) bool {
	if len(n.text) > longestNumber {
		return false
	}
	if k == floatKind {
		return isFloat(n.text)
	}
	bits, signed := wholeKind(k)
	if bits == 0 || n.fraction || n.negative && !signed {
		return false
	}
	value, ok := readWhole(n.whole, bits)
	return ok && (!signed || inRange(value, n.negative, bits))
}

// wholeKind returns the size of whole numbers of a kind, 0 for other kinds.
func wholeKind(k kind) (bits int, signed bool) {
	switch k {
	case uint32Kind, fixed32Kind:
		return 32, false
	case int32Kind, enumKind:
		return 32, true
	case uint64Kind, fixed64Kind:
		return 64, false
	case int64Kind, sfixed64Kind:
		return 64, true
	}
	return 0, false
}

// readWhole reads digits as the decoder does. It gives up where a product becomes smaller than its
// factor, which is later than where the number is too large, and leaves the rest of the digits.
func readWhole(digits []byte, bits int) (value uint64, ok bool) {
	most := ^uint64(0) >> (64 - bits)
	for _, c := range digits {
		next := (value*10 + uint64(c-'0')) & most
		if value > most/10-1 && next < value {
			return 0, false
		}
		value = next
	}
	return value, true
}

func inRange(value uint64, negative bool, bits int) bool {
	most := uint64(1) << (bits - 1)
	return value < most || negative && value == most
}

func isFloat(text []byte) bool {
	if len(text) < 20 && digits(text, 0) == len(text) {
		return true
	}
	_, err := strconv.ParseFloat(string(text), 64)
	return err == nil
}

// textFor reports whether the decoder takes a text for a field that is no message. start is where the
// text begins.
func (j *jsonScan) textFor(f *field, start int, escaped bool) verdict {
	text := j.body[start+1 : j.pos-1]
	switch f.kind {
	case stringKind:
		return good
	case boolKind:
		return odd
	case bytesKind:
		if f.idBytes > 0 {
			j.id(j.body[start:j.pos], f.idBytes)
			return good
		}
		return goodOr(isBase64(text))
	}
	var plain [longestName]byte
	if escaped {
		text = unescape(plain[:0], text)
	}
	switch {
	case len(text) > longestNumber:
		return odd
	case f.kind == enumKind:
		return goodOr(slices.Contains(f.names, string(text)))
	case f.kind == floatKind:
		return goodOr(isFloat(text))
	}
	return goodOr(isWhole(text, f.kind))
}

func goodOr(ok bool) verdict {
	if ok {
		return good
	}
	return odd
}

// isWhole reports whether a text is a whole number of a kind.
func isWhole(text []byte, k kind) bool {
	bits, signed := wholeKind(k)
	negative := false
	if signed && len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		negative = text[0] == '-'
		text = text[1:]
	}
	if len(text) == 0 || digits(text, 0) != len(text) {
		return false
	}
	value := uint64(0)
	for _, c := range text {
		d := uint64(c - '0')
		if value > (math.MaxUint64-d)/10 {
			return false
		}
		value = value*10 + d
	}
	if signed {
		return inRange(value, negative, bits)
	}
	return bits == 64 || value <= math.MaxUint32
}

// isBase64 reports whether the decoder takes a text as bytes: the usual alphabet, padded, line ends
// anywhere.
func isBase64(text []byte) bool {
	n, padding := 0, 0
	for _, c := range text {
		switch {
		case c == '\n' || c == '\r':
			continue
		case c == '=':
			padding++
		case padding > 0:
			return false
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '+', c == '/':
		default:
			return false
		}
		n++
	}
	return n%4 == 0 && padding <= 2
}

// id empties an id that the decoder would refuse, and the whole request with it. quoted is the id
// with its quotation marks.
func (j *jsonScan) id(quoted []byte, size int) {
	digits := quoted[1 : len(quoted)-1]
	if len(digits) == 0 || len(digits) == 2*size && !slices.ContainsFunc(digits, notHex) {
		return
	}
	quoted[1] = '"'
	fill(quoted[2:])
	j.report.ids++
}

func notHex(c byte) bool { return !hexDigit(c) }
