// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

// objectParts is what the members of one object say of each other.
type objectParts struct {
	read        bool
	named, kind string
}

// nameOf returns the name that decides about a member of the object that begins at start: its own, or
// that in another member.
func (w *jsonWalk) nameOf(member string, start int, parts *objectParts) string {
	value, secret := HoldsValue(member), MayBeSecret(member)
	if !value && !secret {
		return member
	}
	if !parts.read {
		*parts = w.partsOf(start)
	}
	switch {
	case value && parts.named != "":
		return parts.named
	case secret && SecretMember(parts.kind, member):
		return SecretName
	}
	return member
}

// partsOf reads the members of the object that begins at start, which is valid.
func (w *jsonWalk) partsOf(start int) (parts objectParts) {
	parts.read = true
	look := jsonWalk{s: w.s, i: start + 1, maxDepth: len(w.s)}
	for look.space(); look.s[look.i] != '}'; look.space() {
		member := look.content()
		look.space()
		look.i++ // the colon
		look.space()
		switch {
		case HoldsKind(member):
			parts.kind = look.text()
		case parts.named == "" && HoldsName(member):
			if named := look.lastText(); w.e.Names(named) {
				parts.named = named
			}
		default:
			look.value(noKey, 0, false)
		}
		if look.space(); look.s[look.i] == ',' {
			look.i++
		}
	}
	return parts
}

// content reads a string token and returns what it holds.
func (w *jsonWalk) content() string {
	start := w.i + 1
	_, escaped, _ := w.string()
	raw := w.s[start : w.i-1]
	if escaped {
		return unescape(raw)
	}
	return raw
}

// text reads a value and returns it if it is a string.
func (w *jsonWalk) text() string {
	if w.s[w.i] == '"' {
		return w.content()
	}
	w.value(noKey, 0, false)
	return ""
}

// lastText reads a value and returns it if it is a string, or the last item of an array that is one.
func (w *jsonWalk) lastText() string {
	if w.s[w.i] != '[' {
		return w.text()
	}
	last := ""
	w.i++
	for w.space(); w.s[w.i] != ']'; w.space() {
		last = w.text()
		if w.space(); w.s[w.i] == ',' {
			w.i++
		}
	}
	w.i++
	return last
}

// pairKey looks ahead at the array that begins here, which is valid and an item of another. It
// returns the key of the second of two items of which the first is its name, or noKey.
func (w *jsonWalk) pairKey() *keyInfo {
	look := jsonWalk{s: w.s, i: w.i + 1, maxDepth: len(w.s)}
	if look.space(); look.s[look.i] != '"' {
		return noKey
	}
	name := look.content()
	if look.space(); look.s[look.i] != ',' {
		return noKey
	}
	look.i++
	look.space()
	value, isText := "", look.s[look.i] == '"'
	if isText {
		value = look.content()
	} else {
		look.value(noKey, 0, false)
	}
	if look.space(); look.s[look.i] != ']' {
		return noKey
	}
	if !isText && w.e.Names(name) || isText && w.e.NamesPair(name, value) {
		return w.e.lookup(name)
	}
	return noKey
}

// arguments looks ahead at the array that begins here, which is valid, and redacts its strings
// together. It returns them if any changed.
func (w *jsonWalk) arguments() []string {
	if !w.hasOption() {
		return nil
	}
	look := jsonWalk{s: w.s, i: w.i + 1, maxDepth: len(w.s)}
	var items []string
	for look.space(); look.s[look.i] != ']'; look.space() {
		items = append(items, look.content())
		if look.space(); look.s[look.i] == ',' {
			look.i++
		}
	}
	if !w.e.Arguments(items, w.h) {
		return nil
	}
	return items
}

// hasOption reports whether the array that begins here holds strings alone, and one that begins
// with a dash.
func (w *jsonWalk) hasOption() bool {
	look := jsonWalk{s: w.s, i: w.i + 1, maxDepth: len(w.s)}
	found := false
	for look.space(); look.s[look.i] != ']'; look.space() {
		if look.s[look.i] != '"' {
			return false
		}
		found = found || look.s[look.i+1] == '-'
		look.value(noKey, 0, false)
		if look.space(); look.s[look.i] == ',' {
			look.i++
		}
	}
	return found
}

// argument treats the string that stands here, of which item is what was left of it.
func (w *jsonWalk) argument(k *keyInfo, item string) {
	start := w.i
	before := w.content()
	after := item
	if item != "" {
		after, _ = w.e.stringValue(k, item, w.h, w.depth+1)
	}
	if after != before {
		w.replace(start, w.i, after)
	}
}
