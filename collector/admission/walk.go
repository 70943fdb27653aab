// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"slices"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/xpdata"
)

const (
	// overflowKey is the attribute into which those are gathered that are too many.
	overflowKey = "admission.attributes"
	// numberBytes is taken for a number or boolean as text.
	numberBytes = 20
	// escapes is how many bytes JSON needs for one, at worst.
	escapes = 6
)

// limits of the text in one signal's records.
type limits struct {
	valueBytes int
	// bodyBytes is the longest line, of logs alone.
	bodyBytes int
	// nameBytes is the longest name; 0 is no bound.
	nameBytes int
	// fileable demands of a name an ASCII letter or digit.
	fileable   bool
	leastScale int32 // of exponential histograms
	// identifies: values tell series apart, so what is cut keeps a hash of the whole.
	identifies bool
}

// walk looks at the records of one batch. It is used by one goroutine at a time.
type walk struct {
	limits  limits
	actions [reasonCount]action

	// Of the item at hand.
	repaired reasons
	verdict  action
	why      reason
	original pcommon.Timestamp
}

// begin starts with the next item.
func (w *walk) begin() {
	w.repaired, w.verdict, w.why, w.original = 0, keep, 0, 0
}

// hit notes what is wrong with the item at hand, and tells whether it is to be mended. Of several
// verdicts the hardest counts.
func (w *walk) hit(one reason) bool {
	switch does := w.actions[one]; does {
	case repair:
		w.repaired.add(one)
		return true
	case setAside, refuse:
		if does > w.verdict {
			w.verdict, w.why = does, one
		}
	case keep:
	}
	return false
}

// rejected tells whether the item at hand is not passed on.
func (w *walk) rejected() bool { return w.verdict >= setAside }

// text mends a string that stands alone. It returns its length.
func (w *walk) text(s string, set func(string)) int {
	if s == "" {
		return 0
	}
	if !utf8.ValidString(s) && w.hit(encoding) {
		s = mended(s)
		set(s)
	}
	if len(s) > w.limits.valueBytes && w.hit(value) {
		s = w.shorten(s)
		set(s)
	}
	return len(s)
}

func (w *walk) shorten(s string) string {
	if w.limits.identifies {
		return cutUnique(s, w.limits.valueBytes)
	}
	return cut(s, w.limits.valueBytes)
}

// size of attributes: how many there are once nested maps are taken apart, and the bytes of their
// names and values.
type size struct{ count, bytes int }

func (s *size) add(other size) {
	s.count += other.count
	s.bytes += other.bytes
}

// map mends names and values of a map and returns its size. path is the length of the name under
// which a backend files what is nested.
func (w *walk) attributes(m pcommon.Map, path int, nested bool) (total size) {
	rename := false
	for key, v := range m.All() {
		if !w.nameIsFine(key, nested) {
			rename = true
		}
		total.add(w.value(v, path+len(key)))
	}
	if rename {
		w.rename(m, nested)
		return w.measure(m, path)
	}
	return total
}

func (w *walk) nameIsFine(key string, nested bool) bool {
	if !utf8.ValidString(key) || w.limits.nameBytes > 0 && len(key) > w.limits.nameBytes {
		return false
	}
	return nested || key != "" && (!w.limits.fileable || isFileable(key))
}

// newName returns the name that a backend can file; unnamed tells that nothing is left of the old
// one, so that it has to be told beside it.
func (w *walk) newName(key string, nested bool) (_ string, unnamed bool) {
	if !utf8.ValidString(key) && w.hit(encoding) {
		// Two names that differ in such bytes alone stay two.
		key = mended(key) + "_" + digest(key)[:8]
	}
	if !nested && (key == "" || w.limits.fileable && !isFileable(key)) && w.hit(name) {
		return "attribute_" + digest(key)[:8], true
	}
	if most := w.limits.nameBytes; most > 0 && len(key) > most && w.hit(name) {
		return prefix(key, most-markRoom) + "_" + digest(key)[:8], true
	}
	return key, false
}

// rename writes a map anew: its keys cannot be changed in place.
func (w *walk) rename(m pcommon.Map, nested bool) {
	var renamed xpdata.MapBuilder
	renamed.EnsureCapacity(m.Len() + 1)
	for key, v := range m.All() {
		out, unnamed := w.newName(key, nested)
		v.MoveTo(renamed.AppendEmpty(out))
		if unnamed {
			original := prefix(key, min(w.limits.valueBytes, 1024))
			renamed.AppendEmpty(out + "_name").SetStr(original)
		}
	}
	renamed.UnsafeIntoMap(m)
}

// value mends what is under a key, to any depth. Redaction, which comes before, bounds the depth.
func (w *walk) value(v pcommon.Value, path int) size {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		s := v.Str()
		if !utf8.ValidString(s) || len(s) > w.limits.valueBytes {
			w.text(s, v.SetStr)
			s = v.Str()
		}
		return size{1, path + len(s)}
	case pcommon.ValueTypeMap:
		inner := w.attributes(v.Map(), path+1, true)
		if w.limits.identifies { // one label of JSON
			return w.whole(v, path)
		}
		return inner
	case pcommon.ValueTypeSlice:
		for _, item := range v.Slice().All() {
			w.value(item, 0)
		}
		return w.whole(v, path)
	case pcommon.ValueTypeBytes:
		return w.whole(v, path)
	default:
		return size{1, path + numberBytes}
	}
}

// whole bounds a value that a backend stores as one text.
func (w *walk) whole(v pcommon.Value, path int) size {
	bytes := w.jsonBytes(v)
	if bytes*escapes > w.limits.valueBytes {
		if text := v.AsString(); len(text) > w.limits.valueBytes && w.hit(value) {
			text = w.shorten(text)
			v.SetStr(text)
			bytes = len(text)
		} else {
			bytes = len(text)
		}
	}
	return size{1, path + bytes}
}

// jsonBytes estimates the length of a value as text, without escapes.
func (w *walk) jsonBytes(v pcommon.Value) (bytes int) {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return len(v.Str()) + 2
	case pcommon.ValueTypeBytes:
		return v.Bytes().Len()*4/3 + 4
	case pcommon.ValueTypeMap:
		for key, item := range v.Map().All() {
			bytes += len(key) + 4 + w.jsonBytes(item)
		}
		return bytes + 2
	case pcommon.ValueTypeSlice:
		for _, item := range v.Slice().All() {
			bytes += 1 + w.jsonBytes(item)
		}
		return bytes + 2
	default:
		return numberBytes
	}
}

// measure returns a map's size without changing it.
func (w *walk) measure(m pcommon.Map, path int) (total size) {
	for key, v := range m.All() {
		total.add(w.sizeOf(v, path+len(key)))
	}
	return total
}

func (w *walk) sizeOf(v pcommon.Value, path int) size {
	if v.Type() == pcommon.ValueTypeMap && !w.limits.identifies {
		return w.measure(v.Map(), path+1)
	}
	if v.Type() == pcommon.ValueTypeStr {
		return size{1, path + len(v.Str())}
	}
	return size{1, path + w.jsonBytes(v)}
}

// gather leaves in a map what fits into most, and puts the rest as JSON into one attribute. What
// came first and what came last stays: libraries write first, who calls them last. The attributes
// named in always stay, too.
func (w *walk) gather(m pcommon.Map, most size, always []string) {
	room := max(0, min(w.limits.valueBytes, most.bytes/4))
	most.count--
	most.bytes -= room + len(overflowKey)
	sizes := make([]size, 0, m.Len())
	var used size
	for key, v := range m.All() {
		one := w.sizeOf(v, len(key))
		if slices.Contains(always, key) {
			used.add(one)
			one = size{}
		}
		sizes = append(sizes, one)
	}
	front, back := 0, len(sizes)
	fits := func(one, most size) bool {
		return used.count+one.count <= most.count && used.bytes+one.bytes <= most.bytes
	}
	for front < back && fits(sizes[front], size{most.count * 2 / 3, most.bytes * 2 / 3}) {
		used.add(sizes[front])
		front++
	}
	for back > front && fits(sizes[back-1], most) {
		back--
		used.add(sizes[back])
	}
	var kept, rest xpdata.MapBuilder
	kept.EnsureCapacity(m.Len() - (back - front) + 1)
	place := 0
	for key, v := range m.All() {
		into := &kept
		if front <= place && place < back && !slices.Contains(always, key) {
			into = &rest
		}
		v.MoveTo(into.AppendEmpty(key))
		place++
	}
	gathered := pcommon.NewValueMap()
	rest.UnsafeIntoMap(gathered.Map())
	text := gathered.AsString()
	if len(text) > room {
		text = cut(text, room)
	}
	kept.AppendEmpty(overflowKey).SetStr(text)
	kept.UnsafeIntoMap(m)
}
