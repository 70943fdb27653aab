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

// checkEvery is how many items are checked between two checks of the request's context.
const checkEvery = 64

// unchecked stands where a value was that could not be checked.
const unchecked = "[unchecked]"

var (
	errTooDeep     = errors.New("maps and lists deeper than max_depth")
	errUnknownType = errors.New("a type this version does not know")
	errPanic       = errors.New("the check itself failed")
)

// traversal goes through the strings of one batch. It is used by one goroutine at a time.
type traversal struct {
	redactor redactor
	maxDepth int

	found     engine.Hits      // of the surface at hand
	hits      map[hit]int64    // of the batch
	unscanned map[string]int64 // records by action
	scratch   []byte
	strings   []string // of a list
	err       error

	ctx  context.Context // of the batch
	gone error           // the sender no longer waits for the answer
	seen int

	// plain has, by place in a map, the last key in which nothing was found: records of one kind
	// have theirs in one order. As many as admission passes on in one record: two places that shared
	// one would each be looked up every time.
	plain [256]string
}

func (t *traversal) reset(ctx context.Context) {
	t.ctx, t.gone, t.seen = ctx, nil, 0
	clear(t.hits)
	clear(t.unscanned)
	t.found.Reset()
}

// abandoned reports whether the sender has gone. Then nothing more is checked, and the batch is
// refused as a whole.
func (t *traversal) abandoned() bool {
	t.seen++
	if t.gone == nil && t.seen%checkEvery == 0 {
		t.gone = t.ctx.Err()
	}
	return t.gone != nil
}

func (t *traversal) recordUnchecked(action string, records int) {
	if t.unscanned == nil {
		t.unscanned = map[string]int64{}
	}
	t.unscanned[action] += int64(records)
}

// fail notes that the item at hand cannot be checked. The first reason is kept.
func (t *traversal) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// traverse checks all surfaces of one item, numbered from first on. It returns why the item could not be
// checked; a panic is such a reason.
func traverse[T any](t *traversal, list []surface[T], first int, item T) (err error) {
	t.err = nil
	t.found.Reset()
	defer func() {
		if recover() != nil { // its text is not reported: it could hold a value
			err = errPanic
		}
	}()
	for i := range list {
		list[i].check(t, item)
		if t.found.Total() > 0 {
			t.note(first + i)
		}
	}
	return t.err
}

// note counts the hits of one surface.
func (t *traversal) note(surface int) {
	if t.hits == nil {
		t.hits = map[hit]int64{}
	}
	t.found.Each(func(rule string, n int) { t.hits[hit{rule, surface}] += int64(n) })
	t.found.Reset()
}

// text checks a string that stands alone, with no key.
func text(t *traversal, s string, set func(string)) {
	if s == "" {
		return
	}
	if out, changed := t.redactor.String("", s, &t.found); changed {
		set(out)
	}
}

// keyNames checks a list of attribute names.
func (t *traversal) keyNames(names pcommon.StringSlice) {
	for i := range names.Len() {
		if out, changed := t.redactor.Key(names.At(i), &t.found); changed {
			names.SetAt(i, out)
		}
	}
}

// attributes checks keys and values of a map.
func (t *traversal) attributes(m pcommon.Map, depth int) {
	if depth > t.maxDepth {
		t.fail(errTooDeep)
		return
	}
	rename, place := false, 0
	var parts mapParts
	for key, value := range m.All() {
		t.value(t.nameOf(key, m, &parts), value, depth)
		if !t.isPlain(key, place) {
			rename = true
		}
		place++
	}
	if rename {
		t.rename(m)
	}
}

// isPlain reports whether nothing is found in a key itself.
func (t *traversal) isPlain(key string, place int) bool {
	last := &t.plain[place%len(t.plain)]
	if *last == key {
		return true
	}
	if _, changed := t.redactor.Key(key, nil); changed {
		return false
	}
	*last = key
	return true
}

// rename writes a map anew under the keys that are left of those it has. A map cannot have its
// keys changed in place, and its Put reads all keys each time.
func (t *traversal) rename(m pcommon.Map) {
	var renamed xpdata.MapBuilder
	renamed.EnsureCapacity(m.Len())
	taken := make(map[string]int, m.Len()) // how often a key has been met
	for key, value := range m.All() {
		out, _ := t.redactor.Key(key, &t.found)
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
func (t *traversal) value(key string, v pcommon.Value, depth int) { t.valueIn(key, v, depth, false) }

// valueIn checks a value; nested says that it is an item of a list.
func (t *traversal) valueIn(key string, v pcommon.Value, depth int, nested bool) {
	switch v.Type() {
	case pcommon.ValueTypeEmpty, pcommon.ValueTypeBool:
	case pcommon.ValueTypeStr:
		if out, changed := t.redactor.String(key, v.Str(), &t.found); changed {
			v.SetStr(out)
		}
	case pcommon.ValueTypeInt:
		if out, changed := t.redactor.Int(key, v.Int(), &t.found); changed {
			v.SetStr(out)
		}
	case pcommon.ValueTypeDouble:
		if out, changed := t.redactor.Float(key, v.Double(), &t.found); changed {
			v.SetStr(out)
		}
	case pcommon.ValueTypeBytes:
		t.bytes(key, v)
	case pcommon.ValueTypeMap:
		if v.Map().Len() > 0 && !t.secret(key, v) {
			t.attributes(v.Map(), depth+1)
		}
	case pcommon.ValueTypeSlice:
		if v.Slice().Len() > 0 && !t.secret(key, v) {
			t.items(key, v.Slice(), depth+1, nested)
		}
	default:
		t.fail(errUnknownType)
	}
}

func (t *traversal) items(key string, items pcommon.Slice, depth int, nested bool) {
	if depth > t.maxDepth {
		t.fail(errTooDeep)
		return
	}
	if nested {
		if name := t.pairName(items); name != "" {
			t.value(key, items.At(0), depth)
			t.value(name, items.At(1), depth)
			return
		}
	}
	t.arguments(items)
	for _, item := range items.All() {
		t.valueIn(key, item, depth, true)
	}
}

// secret replaces a whole value whose key says that it is a secret.
func (t *traversal) secret(key string, v pcommon.Value) bool {
	mask, secret := t.redactor.Whole(key, &t.found)
	if secret {
		v.SetStr(mask)
	}
	return secret
}

func (t *traversal) bytes(key string, v pcommon.Value) {
	b := v.Bytes()
	if b.Len() == 0 || t.secret(key, v) {
		return
	}
	t.scratch = t.scratch[:0] // a copy: the bytes themselves cannot be had
	for i := range b.Len() {
		t.scratch = append(t.scratch, b.At(i))
	}
	if out, changed := t.redactor.Bytes(key, t.scratch, &t.found); changed {
		b.FromRaw(out)
	}
}
