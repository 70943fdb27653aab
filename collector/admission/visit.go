// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// checkEvery is how many records are checked between two checks of the request's context.
const checkEvery = 256

// visit is the way through the records of one batch.
type visit struct {
	walk
	random func() uint64
	bounds bounds
	window window
	shape  shape

	ctx    context.Context // lives as long as one call
	err    error           // the sender has gone
	seen   int
	shared size // what all records of the resource carry along
	bytes  int  // checked, of the resource
	tally  tally
	// stamped is how many points were given a time.
	stamped pcommon.Timestamp
}

func (v *visit) start(ctx context.Context, in window) {
	v.ctx, v.err, v.seen, v.stamped, v.window = ctx, nil, 0, 0, in
}

// goneOn counts a record, and reports whether the sender still waits for the answer.
func (v *visit) goneOn() bool {
	v.seen++
	if v.seen%checkEvery == 0 && v.err == nil {
		v.err = v.ctx.Err()
	}
	return v.err == nil
}

// item checks one item, of n records, by check. It reports whether the item stays; where it does
// not, verdict and why say what becomes of it. Whatever goes wrong costs this item alone.
func (v *visit) item(n int, check func()) (stays bool) {
	v.begin()
	if !run(check) {
		v.hit(broken)
	}
	switch v.verdict {
	case setAside:
		return false
	case refuse:
		v.tally.add(refuse, v.why, n)
		return false
	default:
		if v.repaired != 0 {
			v.repaired.each(func(one reason) { v.tally.add(repair, one, 1) })
		}
		return true
	}
}

func run(check func()) (done bool) {
	defer func() { _ = recover() }() //nolint:errcheck // its text could hold a value
	check()
	return true
}

// bounds of the attributes of one record, with what it shares with others.
type bounds struct{ most size }

// reserved is what a backend adds of a record's own fields.
var reserved = size{count: 16, bytes: 4096}

// mark is what the list of repairs takes, which is added when all else is done.
var mark = size{count: 1, bytes: 256}

// resource and scope may take a part of what a record may have. Their bytes count with each record:
// Loki stores them with every line.
func (b bounds) resource() size { return size{b.most.count / 3, b.most.bytes / 16} }

func (b bounds) scope() size { return size{b.most.count / 8, b.most.bytes / 64} }

// record is left what these do not take.
func (b bounds) record(shared size) size {
	return size{b.most.count - shared.count - reserved.count, b.most.bytes - shared.bytes - reserved.bytes}
}

// bound gathers attributes that are too many. It returns what they are then.
func (v *visit) bound(m pcommon.Map, most size, always []string) size {
	is := v.measure(m, 0)
	return v.boundKnown(m, is, most, always)
}

func (v *visit) boundKnown(m pcommon.Map, is, most size, always []string) size {
	if v.bounds.most.count == 0 || v.repaired == 0 && is.within(most) {
		return is
	}
	// With space for the list of repairs: what has been here once must fit when it comes again.
	most = size{most.count - mark.count, most.bytes - mark.bytes}
	if is.within(most) || !v.hit(attributes) {
		return is
	}
	v.gather(m, most, always)
	return v.measure(m, 0)
}
