// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// jsonText writes values as JSON, of which it counts all bytes and keeps no more than the first of
// them: a record of 20 MB is not made into 20 MB of text to be cut to 100 KB. What pdata's AsString
// makes of a value is never longer. Keys keep their order, and two that are the same stay two.
type jsonText struct {
	kept  []byte
	most  int // to keep
	bytes int // of the whole
}

// jsonLen is the length of a value as JSON.
func jsonLen(v pcommon.Value) int {
	var text jsonText
	text.value(v)
	return text.bytes
}

// cut returns the text, shortened to most bytes where it is longer.
func (j *jsonText) cut() string {
	if j.bytes <= j.most {
		return string(j.kept)
	}
	return cutOf(string(j.kept), j.bytes, j.most)
}

func (j *jsonText) add(s string) {
	j.bytes += len(s)
	if left := j.most - len(j.kept); left > 0 {
		j.kept = append(j.kept, s[:min(left, len(s))]...)
	}
}

func (j *jsonText) addBytes(s []byte) {
	j.bytes += len(s)
	if left := j.most - len(j.kept); left > 0 {
		j.kept = append(j.kept, s[:min(left, len(s))]...)
	}
}

func (j *jsonText) value(v pcommon.Value) {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		j.text(v.Str())
	case pcommon.ValueTypeDouble:
		j.double(v.Double())
	case pcommon.ValueTypeInt:
		var digits [20]byte
		j.addBytes(strconv.AppendInt(digits[:0], v.Int(), 10))
	case pcommon.ValueTypeBool:
		j.add(strconv.FormatBool(v.Bool()))
	case pcommon.ValueTypeBytes:
		j.binary(v.Bytes())
	case pcommon.ValueTypeSlice:
		mark := "["
		for _, item := range v.Slice().All() {
			j.add(mark)
			j.value(item)
			mark = ","
		}
		j.close(mark, "[", "]")
	case pcommon.ValueTypeMap:
		mark := "{"
		for key, item := range v.Map().All() {
			j.entry(mark, key, item)
			mark = ","
		}
		j.close(mark, "{", "}")
	default:
		j.add("null")
	}
}

// entry writes one entry of a map behind a mark.
func (j *jsonText) entry(mark, key string, v pcommon.Value) {
	j.add(mark)
	j.text(key)
	j.add(":")
	j.value(v)
}

// close ends a list or map. mark is open when it had no item.
func (j *jsonText) close(mark, open, end string) {
	if mark == open {
		j.add(open)
	}
	j.add(end)
}

func (j *jsonText) double(d float64) {
	switch size := math.Abs(d); {
	case math.IsNaN(d) || math.IsInf(d, 0): // JSON has no form for it
		j.text(pcommon.NewValueDouble(d).AsString())
	case size != 0 && (size < 1e-6 || size >= 1e21): // as encoding/json does
		var digits [32]byte
		j.addBytes(strconv.AppendFloat(digits[:0], d, 'e', -1, 64))
	default:
		var digits [32]byte
		j.addBytes(strconv.AppendFloat(digits[:0], d, 'f', -1, 64))
	}
}

func (j *jsonText) binary(b pcommon.ByteSlice) {
	if b.Len() == 0 {
		j.add("null") // as pdata does
		return
	}
	j.add(`"`)
	var in [3]byte
	var out [4]byte
	i := 0
	for ; i < b.Len() && len(j.kept) < j.most; i += len(in) {
		n := 0
		for ; n < len(in) && i+n < b.Len(); n++ {
			in[n] = b.At(i + n)
		}
		base64.StdEncoding.Encode(out[:], in[:n])
		j.addBytes(out[:])
	}
	j.bytes += base64.StdEncoding.EncodedLen(max(0, b.Len()-i))
	j.add(`"`)
}

const hexDigits = "0123456789abcdef"

func (j *jsonText) text(s string) {
	j.add(`"`)
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		escaped := ""
		switch {
		case r == '"':
			escaped = `\"`
		case r == '\\':
			escaped = `\\`
		case r == '\n':
			escaped = `\n`
		case r == '\r':
			escaped = `\r`
		case r == '\t':
			escaped = `\t`
		case r < ' ':
			escaped = `\u00` + string(hexDigits[r>>4]) + string(hexDigits[r&15])
		case r == utf8.RuneError && size == 1:
			escaped = `\ufffd`
		case r == '\u2028' || r == '\u2029': // ends a line in JavaScript
			escaped = `\u202` + string(hexDigits[r&15])
		default:
			i += size
			continue
		}
		j.add(s[from:i])
		j.add(escaped)
		i += size
		from = i
	}
	j.add(s[from:])
	j.add(`"`)
}
