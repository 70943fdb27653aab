// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package piiprocessor

import (
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"glasshouse.example/collector/piiprocessor/engine"
)

// mapParts is what the members of one map say of each other.
type mapParts struct {
	read        bool
	named, kind string
}

// nameOf returns the name that decides about a member of a map: its own, or that in another member.
func (t *traversal) nameOf(member string, m pcommon.Map, parts *mapParts) string {
	value, secret := engine.HoldsValue(member), engine.MayBeSecret(member)
	if !value && !secret {
		return member
	}
	if !parts.read {
		*parts = t.partsOf(m)
	}
	switch {
	case value && parts.named != "":
		return parts.named
	case secret && engine.SecretMember(parts.kind, member):
		return engine.SecretName
	}
	return member
}

func (t *traversal) partsOf(m pcommon.Map) (parts mapParts) {
	parts.read = true
	for member, v := range m.All() {
		switch {
		case engine.HoldsKind(member) && v.Type() == pcommon.ValueTypeStr:
			parts.kind = v.Str()
		case parts.named == "" && engine.HoldsName(member):
			if v.Type() == pcommon.ValueTypeSlice && v.Slice().Len() > 0 {
				v = v.Slice().At(v.Slice().Len() - 1)
			}
			if named, isText := textOf(v); isText && t.redactor.Names(named) {
				parts.named = named
			}
		}
	}
	return parts
}

// textOf is a string, or what bytes say.
func textOf(v pcommon.Value) (text string, isText bool) {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return v.Str(), true
	case pcommon.ValueTypeBytes:
		raw := v.Bytes().AsRaw()
		return string(raw), utf8.Valid(raw)
	}
	return "", false
}

// pairName returns the name in a list of a name and its value, or nothing.
func (t *traversal) pairName(items pcommon.Slice) string {
	const pair = 2
	if items.Len() != pair {
		return ""
	}
	name, isText := textOf(items.At(0))
	if !isText {
		return ""
	}
	if value, isText := textOf(items.At(1)); isText {
		if !t.redactor.NamesPair(name, value) {
			return ""
		}
	} else if !t.redactor.Names(name) {
		return ""
	}
	return name
}

// arguments redacts the strings of a list together, if it holds nothing else and one is an option.
func (t *traversal) arguments(items pcommon.Slice) {
	if items.Len() < 2 {
		return
	}
	option := false
	for _, item := range items.All() {
		if item.Type() != pcommon.ValueTypeStr {
			return
		}
		option = option || len(item.Str()) > 1 && item.Str()[0] == '-'
	}
	if !option {
		return
	}
	t.strings = t.strings[:0]
	for _, item := range items.All() {
		t.strings = append(t.strings, item.Str())
	}
	if t.redactor.Arguments(t.strings, &t.found) {
		for i, item := range items.All() {
			if t.strings[i] != item.Str() {
				item.SetStr(t.strings[i])
			}
		}
	}
	clear(t.strings)
}
