// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"math"
	"slices"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/xpdata"
)

const (
	// overflowKey is the attribute into which those are gathered that are too many.
	overflowKey = "admission.attributes"
	// numberBytes is what a number or boolean takes as text, at most.
	numberBytes = 25
)

// limits of the text in one signal's records.
type limits struct {
	valueBytes int
	// shortBytes is the longest text that each record of a scope, or each record itself, has beside
	// its attributes: the name of a scope, the text of a severity.
	shortBytes int
	// bodyBytes is the longest line, of logs alone.
	bodyBytes int
	// nameBytes is the longest name; 0 is no bound.
	nameBytes int
	// fileable demands of a name an ASCII letter or digit.
	fileable   bool
	leastScale int32 // of exponential histograms
	// identifies: values distinguish series, so what is cut keeps a hash of the whole.
	identifies bool
	// asJSON: the backend stores lists as JSON, in which only finite numbers have a form.
	asJSON bool
}

// walk checks the records of one batch. It is used by one goroutine at a time.
type walk struct {
	limits  limits
	actions [reasonCount]action

	// Of the item at hand.
	repaired reasons
	verdict  action
	why      reason

	// cutAway is how many bytes were shortened away, of the resource.
	cutAway int
}

// begin starts with the next item.
func (w *walk) begin() {
	w.repaired, w.verdict, w.why = 0, keep, 0
}

// hit notes what is wrong with the item at hand, and reports whether it is to be repaired. Of several
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

// text repairs a string that stands alone. It returns its length.
func (w *walk) text(s string, set func(string)) int {
	return w.within(s, w.limits.valueBytes, set)
}

// short is text for what has to be shorter.
func (w *walk) short(s string, set func(string)) int {
	return w.within(s, w.limits.shortBytes, set)
}

func (w *walk) within(s string, most int, set func(string)) int {
	if s == "" {
		return 0
	}
	if !utf8.ValidString(s) && w.hit(encoding) {
		s = validText(s)
		set(s)
	}
	if len(s) > most && w.hit(value) {
		s = w.shorten(s, most)
		set(s)
	}
	return len(s)
}

func (w *walk) shorten(s string, most int) string {
	short := ""
	if w.limits.identifies {
		short = cutUnique(s, most)
	} else {
		short = cut(s, most)
	}
	w.cutAway += len(s) - len(short)
	return short
}

// size of attributes: how many there are once nested maps are taken apart, and the bytes of their
// names and values.
type size struct{ count, bytes int }

func (s size) within(most size) bool { return s.count <= most.count && s.bytes <= most.bytes }

func (s *size) add(other size) {
	s.count += other.count
	s.bytes += other.bytes
}

// attributes repairs names and values of a map and returns its size. path is the length of the name under
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
	if !utf8.ValidString(key) {
		return false
	}
	return nested || key != "" && (!w.limits.fileable || isFileable(key)) &&
		(w.limits.nameBytes == 0 || len(key) <= w.limits.nameBytes)
}

// newName returns the name that a backend can file; unnamed reports that nothing is left of the old
// one, so that it has to stand beside it.
func (w *walk) newName(key string, nested bool) (_ string, unnamed bool) {
	if !utf8.ValidString(key) && w.hit(encoding) {
		// Two names that differ in such bytes alone stay two.
		key = validText(key) + "_" + digest(key)[:8]
	}
	if !nested && (key == "" || w.limits.fileable && !isFileable(key)) && w.hit(name) {
		return "attribute_" + digest(key)[:8], true
	}
	if most := w.limits.nameBytes; !nested && most > 0 && len(key) > most && w.hit(name) {
		return prefix(key, most-markBytes) + "_" + digest(key)[:8], true
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

// value repairs what is under a key, to any depth. Redaction, which comes before, bounds the depth.
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
		if !w.limits.identifies {
			return w.attributes(v.Map(), path+1, true)
		}
		return w.whole(v, path) // one label of JSON
	case pcommon.ValueTypeSlice, pcommon.ValueTypeBytes:
		return w.whole(v, path)
	default:
		return size{1, path + numberBytes}
	}
}

// whole repairs a value that a backend stores as one text, and bounds that.
func (w *walk) whole(v pcommon.Value, path int) size {
	w.repairValue(v)
	is := jsonLen(v)
	if is > w.limits.valueBytes && w.hit(value) {
		text := w.textOf(v, is, w.limits.valueBytes)
		v.SetStr(text)
		is = len(text)
	}
	return size{1, path + is}
}

// textOf returns the beginning of a value of that many bytes of JSON.
func (w *walk) textOf(v pcommon.Value, bytes, most int) string {
	if w.limits.identifies {
		// With its keys in one order, as the backend writes it: the same labels are one series.
		if text := v.AsString(); len(text) > most {
			return w.shorten(text, most)
		} else if text != "" {
			return text
		}
	}
	text := jsonText{most: most}
	text.value(v)
	short := text.cut()
	w.cutAway += bytes - len(short)
	return short
}

// repairValue makes what is stored as one text writable as such, to any depth.
func (w *walk) repairValue(v pcommon.Value) {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		if s := v.Str(); !utf8.ValidString(s) && w.hit(encoding) {
			v.SetStr(validText(s))
		}
	case pcommon.ValueTypeDouble:
		if d := v.Double(); w.limits.asJSON && (math.IsNaN(d) || math.IsInf(d, 0)) && w.hit(encoding) {
			v.SetStr(v.AsString()) // with such a number in it the whole would be stored as nothing
		}
	case pcommon.ValueTypeMap:
		rename := false
		for key, item := range v.Map().All() {
			rename = rename || !utf8.ValidString(key)
			w.repairValue(item)
		}
		if rename {
			w.rename(v.Map(), true)
		}
	case pcommon.ValueTypeSlice:
		for _, item := range v.Slice().All() {
			w.repairValue(item)
		}
	default:
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
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return size{1, path + len(v.Str())}
	case pcommon.ValueTypeMap:
		if !w.limits.identifies {
			return w.measure(v.Map(), path+1)
		}
		return size{1, path + jsonLen(v)}
	case pcommon.ValueTypeSlice, pcommon.ValueTypeBytes:
		return size{1, path + jsonLen(v)}
	default:
		return size{1, path + numberBytes}
	}
}

// gather leaves in a map what fits into most, and puts the rest as JSON into one attribute. What
// came first and what came last stays: libraries write first, who calls them last. The attributes
// named in always stay, too.
func (w *walk) gather(m pcommon.Map, most size, always []string) {
	overflow := max(0, min(w.limits.valueBytes, most.bytes/4))
	most.count--
	most.bytes -= overflow + len(overflowKey)
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
		return size{used.count + one.count, used.bytes + one.bytes}.within(most)
	}
	for front < back && fits(sizes[front], size{most.count * 2 / 3, most.bytes * 2 / 3}) {
		used.add(sizes[front])
		front++
	}
	for back > front && fits(sizes[back-1], most) {
		back--
		used.add(sizes[back])
	}
	var kept xpdata.MapBuilder
	kept.EnsureCapacity(m.Len() - (back - front) + 1 + len(always))
	rest, mark := jsonText{most: overflow}, "{"
	place := 0
	for key, v := range m.All() {
		if front <= place && place < back && !slices.Contains(always, key) {
			rest.entry(mark, key, v)
			mark = ","
		} else {
			v.MoveTo(kept.AppendEmpty(key))
		}
		place++
	}
	rest.close(mark, "{", "}")
	text := rest.cut()
	w.cutAway += rest.bytes - len(text)
	kept.AppendEmpty(overflowKey).SetStr(text)
	kept.UnsafeIntoMap(m)
}
