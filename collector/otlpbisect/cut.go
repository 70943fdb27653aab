// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// layer is one level of a message that can be parted as it is encoded. What each part needs of it stands
// beside what is parted.
type layer struct {
	parted protowire.Number
	shared []protowire.Number
}

// layers lead to the items. Nothing is decoded, so what a part costs is copying it.
type layers []layer

// resourceScopeItem are those of logs and of traces: resources, their scopes, their items.
var resourceScopeItem = layers{{parted: 1}, {parted: 2, shared: []protowire.Number{1, 3}}, {parted: 2, shared: []protowire.Number{1, 3}}}

// count returns how many items there are; false where there is anything else: who knows what it holds.
func (l layers) count(message []byte) (items int, ok bool) {
	if len(l) == 0 {
		return 0, false
	}
	ok = l.each(message, func(inner, _ []byte, isParted bool) bool {
		switch {
		case !isParted:
		case len(l) == 1:
			items++
		default:
			below, known := l[1:].count(inner)
			items += below
			return known
		}
		return true
	})
	return items, ok
}

// cut returns a message with the items from one place to before another, in their order, each with what
// it shares. What holds none of them is left out. The message is one that count knows.
func (l layers) cut(message []byte, from, to int) []byte {
	part, _ := l.append(make([]byte, 0, len(message)), message, from, to)
	return part
}

// append does so behind what is there, and returns how many items the message has.
func (l layers) append(out, message []byte, from, to int) (_ []byte, items int) {
	l.each(message, func(inner, field []byte, isParted bool) bool {
		if !isParted {
			out = append(out, field...)
			return true
		}
		holds := 1
		if len(l) > 1 {
			holds, _ = l[1:].count(inner)
		}
		first, last := within(items, holds, from, to)
		items += holds
		switch {
		case first >= last:
		case last-first == holds:
			out = append(out, field...)
		default:
			part := l[1:].cut(inner, first, last)
			out = protowire.AppendTag(out, l[0].parted, protowire.BytesType)
			out = protowire.AppendBytes(out, part)
		}
		return true
	})
	return out, items
}

// each goes through the fields of a message: what they hold, and all of them. It reports whether it
// knew each, and none was enough.
func (l layers) each(message []byte, do func(inner, field []byte, isParted bool) bool) bool {
	for len(message) > 0 {
		number, kind, tag := protowire.ConsumeTag(message)
		if tag < 0 || kind != protowire.BytesType {
			return false
		}
		inner, n := protowire.ConsumeBytes(message[tag:])
		isParted := number == l[0].parted
		if n < 0 || !isParted && !slices.Contains(l[0].shared, number) || !do(inner, message[:tag+n], isParted) {
			return false
		}
		message = message[tag+n:]
	}
	return true
}
