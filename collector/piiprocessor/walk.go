// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package piiprocessor

import (
	"context"
	"errors"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/xpdata"

	"glasshouse.example/collector/piiprocessor/engine"
)

// checkEvery is how many items are checked between two looks at the request's context.
const checkEvery = 64

// unchecked stands where a value was that could not be checked.
const unchecked = "[unchecked]"

var (
	errTooDeep     = errors.New("maps and lists deeper than max_depth")
	errUnknownType = errors.New("a type this version does not know")
	errPanic       = errors.New("the check itself failed")
)

// walk goes through the strings of one batch. It is used by one goroutine at a time.
type walk struct {
	redactor redactor
	maxDepth int

	found   engine.Hits      // of the surface at hand
	hits    map[hit]int64    // of the batch
	lost    map[string]int64 // records by action
	scratch []byte
	err     error

	ctx  context.Context // of the batch
	gone error           // the sender no longer waits for the answer
	seen int

	// plain has, by place in a map, the last key in which nothing was found: records of one kind
	// have theirs in one order.
	plain [32]string
}

func (w *walk) reset(ctx context.Context) {
	w.ctx, w.gone, w.seen = ctx, nil, 0
	clear(w.hits)
	clear(w.lost)
	w.found.Reset()
}

// abandoned tells whether the sender has gone. Then nothing more is looked at, and the batch is
// refused as a whole.
func (w *walk) abandoned() bool {
	w.seen++
	if w.gone == nil && w.seen%checkEvery == 0 {
		w.gone = w.ctx.Err()
	}
	return w.gone != nil
}

func (w *walk) lose(action string, records int) {
	if w.lost == nil {
		w.lost = map[string]int64{}
	}
	w.lost[action] += int64(records)
}

// fail notes that the item at hand cannot be checked. The first reason is kept.
func (w *walk) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// run makes all visits of one item, numbered from first on. It tells why the item could not be
// checked; a panic is such a reason.
func run[T any](w *walk, list []visit[T], first int, item T) (err error) {
	w.err = nil
	w.found.Reset()
	defer func() {
		if recover() != nil { // its text is not told: it could hold a value
			err = errPanic
		}
	}()
	for i := range list {
		list[i].check(w, item)
		if w.found.Total() > 0 {
			w.note(first + i)
		}
	}
	return w.err
}

// note counts the hits of one surface.
func (w *walk) note(surface int) {
	if w.hits == nil {
		w.hits = map[hit]int64{}
	}
	w.found.Each(func(rule string, n int) { w.hits[hit{rule, surface}] += int64(n) })
	w.found.Reset()
}

// text checks a string that stands alone, with no key.
func text(w *walk, s string, set func(string)) {
	if s == "" {
		return
	}
	if out, changed := w.redactor.String("", s, &w.found); changed {
		set(out)
	}
}

// keyNames checks a list of attribute names.
func (w *walk) keyNames(names pcommon.StringSlice) {
	for i := range names.Len() {
		if out, changed := w.redactor.Key(names.At(i), &w.found); changed {
			names.SetAt(i, out)
		}
	}
}

// attributes checks keys and values of a map.
func (w *walk) attributes(m pcommon.Map, depth int) {
	if depth > w.maxDepth {
		w.fail(errTooDeep)
		return
	}
	rename, place := false, 0
	for key, value := range m.All() {
		w.value(key, value, depth)
		if !w.isPlain(key, place) {
			rename = true
		}
		place++
	}
	if rename {
		w.rename(m)
	}
}

// isPlain tells whether nothing is found in a key itself.
func (w *walk) isPlain(key string, place int) bool {
	last := &w.plain[place%len(w.plain)]
	if *last == key {
		return true
	}
	if _, changed := w.redactor.Key(key, nil); changed {
		return false
	}
	*last = key
	return true
}

// rename writes a map anew under the keys that are left of those it has. A map cannot have its
// keys changed in place, and its Put looks at all keys each time.
func (w *walk) rename(m pcommon.Map) {
	var renamed xpdata.MapBuilder
	renamed.EnsureCapacity(m.Len())
	taken := make(map[string]int, m.Len()) // how often a key has been met
	for key, value := range m.All() {
		out, _ := w.redactor.Key(key, &w.found)
		name := out
		for taken[name] > 0 { // two cards have the same mask: neither value may be lost
			taken[out]++
			name = out + "#" + strconv.Itoa(taken[out])
		}
		taken[name]++
		value.MoveTo(renamed.AppendEmpty(name))
	}
	renamed.UnsafeIntoMap(m)
}

// value checks what is under a key, to any depth up to the bound. key is the nearest one: items of
// a list have that of the list.
func (w *walk) value(key string, v pcommon.Value, depth int) {
	switch v.Type() {
	case pcommon.ValueTypeEmpty, pcommon.ValueTypeBool:
	case pcommon.ValueTypeStr:
		if out, changed := w.redactor.String(key, v.Str(), &w.found); changed {
			v.SetStr(out)
		}
	case pcommon.ValueTypeInt:
		if out, changed := w.redactor.Int(key, v.Int(), &w.found); changed {
			v.SetStr(out)
		}
	case pcommon.ValueTypeDouble:
		if out, changed := w.redactor.Float(key, v.Double(), &w.found); changed {
			v.SetStr(out)
		}
	case pcommon.ValueTypeBytes:
		w.bytes(key, v)
	case pcommon.ValueTypeMap:
		if v.Map().Len() > 0 && !w.secret(key, v) {
			w.attributes(v.Map(), depth+1)
		}
	case pcommon.ValueTypeSlice:
		if v.Slice().Len() > 0 && !w.secret(key, v) {
			w.items(key, v.Slice(), depth+1)
		}
	default:
		w.fail(errUnknownType)
	}
}

func (w *walk) items(key string, items pcommon.Slice, depth int) {
	if depth > w.maxDepth {
		w.fail(errTooDeep)
		return
	}
	for _, item := range items.All() {
		w.value(key, item, depth)
	}
}

// secret replaces a whole value whose key tells that it is a secret.
func (w *walk) secret(key string, v pcommon.Value) bool {
	mask, secret := w.redactor.Whole(key, &w.found)
	if secret {
		v.SetStr(mask)
	}
	return secret
}

func (w *walk) bytes(key string, v pcommon.Value) {
	b := v.Bytes()
	if b.Len() == 0 || w.secret(key, v) {
		return
	}
	w.scratch = w.scratch[:0] // a copy: the bytes themselves cannot be had
	for i := range b.Len() {
		w.scratch = append(w.scratch, b.At(i))
	}
	if out, changed := w.redactor.Bytes(key, w.scratch, &w.found); changed {
		b.FromRaw(out)
	}
}
