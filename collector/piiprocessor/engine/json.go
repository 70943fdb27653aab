// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const jsonSpace = " \t\r\n"

func isJSONSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// looksLikeJSON is the cheap test before the walk.
func looksLikeJSON(s string) bool {
	i, j := 0, len(s)-1
	for i < j && isJSONSpace(s[i]) {
		i++
	}
	if i >= j || (s[i] != '{' && s[i] != '[') {
		return false
	}
	for j > i && isJSONSpace(s[j]) {
		j--
	}
	return (s[i] == '{' && s[j] == '}') || (s[i] == '[' && s[j] == ']')
}

// json walks a JSON text in place. ok is false if it is none: nothing is counted then.
func (e *Engine) json(s string, h *Hits, depth int) (out string, changed, ok bool) {
	check := jsonWalk{s: s, maxDepth: e.limits.maxJSONDepth}
	if !check.whole() {
		return s, false, false
	}
	w := jsonWalk{s: s, maxDepth: e.limits.maxJSONDepth, e: e, h: h, depth: depth}
	w.whole()
	if w.kept == 0 && !w.changed {
		return s, false, true
	}
	w.out.WriteString(s[w.kept:])
	return w.out.String(), true, true
}

// jsonWalk reads strict JSON (RFC 8259). Without an engine it only checks.
type jsonWalk struct {
	s        string
	i        int
	maxDepth int

	e       *Engine
	h       *Hits
	depth   int // JSON texts around this one
	out     strings.Builder
	kept    int
	changed bool
}

func (w *jsonWalk) space() {
	for w.i < len(w.s) && isJSONSpace(w.s[w.i]) {
		w.i++
	}
}

func (w *jsonWalk) whole() bool {
	w.space()
	if !w.value(noKey, 0, false) {
		return false
	}
	w.space()
	return w.i == len(w.s)
}

// replace puts a JSON string in the place of s[start:end].
func (w *jsonWalk) replace(start, end int, with string) {
	w.out.WriteString(w.s[w.kept:start])
	quoteJSON(&w.out, with)
	w.kept, w.changed = end, true
}

// value reads one value under a key; level is the number of brackets around it, nested says that it
// is an item of an array.
func (w *jsonWalk) value(k *keyInfo, level int, nested bool) bool {
	if w.i >= len(w.s) {
		return false
	}
	start := w.i
	switch c := w.s[w.i]; {
	case c == '{' || c == '[':
		if level+1 > w.maxDepth {
			return false
		}
		if w.e != nil && k.secret.takesWhole() {
			check := jsonWalk{s: w.s, i: w.i, maxDepth: w.maxDepth}
			check.container(noKey, level+1, false)
			w.i = check.i
			if strings.Trim(w.s[start+1:w.i-1], jsonSpace) != "" {
				w.e.hit(w.h, k.secret.index)
				w.replace(start, w.i, k.secret.masked)
			}
			return true
		}
		return w.container(k, level+1, nested)
	case c == '"':
		text, escaped, ok := w.string()
		if !ok || w.e == nil || text == "" {
			return ok
		}
		_ = escaped
		if out, changed := w.e.stringValue(k, text, w.h, w.depth+1); changed {
			w.replace(start, w.i, out)
		}
		return true
	case c == '-' || isDigit(c):
		whole, ok := w.number()
		if !ok || w.e == nil {
			return ok
		}
		w.numberValue(k, start, whole)
		return true
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(w.s[w.i:], word) {
			w.i += len(word)
			return true
		}
	}
	return false
}

func (w *jsonWalk) numberValue(k *keyInfo, start int, whole bool) {
	digits := w.s[start:w.i]
	if !whole {
		if k.secret.takesNumbers() {
			w.e.hit(w.h, k.secret.index)
			w.replace(start, w.i, k.secret.masked)
		}
		return
	}
	if out, changed := w.e.number(k, digits, w.h); changed {
		w.replace(start, w.i, out)
	}
}

// container reads an object or array, whose items stand under k if they have no key; nested says
// that it is an item of an array.
func (w *jsonWalk) container(k *keyInfo, level int, nested bool) bool {
	object := w.s[w.i] == '{'
	closing := byte(']')
	if object {
		closing = '}'
	}
	var parts objectParts
	var items []string // of an array, as far as they are redacted together
	start, pair := w.i, noKey
	if w.e != nil && !object {
		if nested {
			pair = w.pairKey()
		}
		if pair == noKey {
			items = w.arguments()
		}
	}
	w.i++
	w.space()
	if w.i < len(w.s) && w.s[w.i] == closing {
		w.i++
		return true
	}
	for n := 0; ; n++ {
		inner := k
		if n == 1 && pair != noKey {
			inner = pair
		}
		if object {
			w.space()
			nameStart := w.i
			if w.i >= len(w.s) || w.s[w.i] != '"' {
				return false
			}
			name, _, ok := w.string()
			if !ok {
				return false
			}
			if w.e != nil {
				inner = w.e.lookup(w.nameOf(name, start, &parts))
				if out, changed := w.e.Key(name, w.h); changed {
					w.replace(nameStart, w.i, out)
				}
			}
			w.space()
			if w.i >= len(w.s) || w.s[w.i] != ':' {
				return false
			}
			w.i++
		}
		w.space()
		if n < len(items) {
			w.argument(inner, items[n])
		} else if !w.value(inner, level, !object) {
			return false
		}
		w.space()
		if w.i >= len(w.s) {
			return false
		}
		switch w.s[w.i] {
		case ',':
			w.i++
		case closing:
			w.i++
			return true
		default:
			return false
		}
	}
}

// number reads a number; whole is true without fraction and exponent.
func (w *jsonWalk) number() (whole, ok bool) {
	s := w.s
	if s[w.i] == '-' {
		w.i++
	}
	digits := func() bool {
		from := w.i
		for w.i < len(s) && isDigit(s[w.i]) {
			w.i++
		}
		return w.i > from
	}
	if w.i < len(s) && s[w.i] == '0' {
		w.i++
	} else if !digits() {
		return false, false
	}
	whole = true
	if w.i < len(s) && s[w.i] == '.' {
		w.i++
		whole = false
		if !digits() {
			return false, false
		}
	}
	if w.i < len(s) && (s[w.i] == 'e' || s[w.i] == 'E') {
		w.i++
		whole = false
		if w.i < len(s) && (s[w.i] == '+' || s[w.i] == '-') {
			w.i++
		}
		if !digits() {
			return false, false
		}
	}
	return whole, true
}

// string reads a string token and returns its content.
func (w *jsonWalk) string() (text string, escaped, ok bool) {
	s := w.s
	start := w.i + 1
	for i := start; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			w.i = i + 1
			if !escaped {
				return s[start:i], false, true
			}
			if w.e == nil {
				return "", true, true
			}
			return unescape(s[start:i]), true, true
		case c < 0x20:
			return "", false, false
		case c == '\\':
			escaped = true
			i++
			if i >= len(s) {
				return "", false, false
			}
			switch s[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if i+4 >= len(s) || hex4(s[i+1:i+5]) < 0 {
					return "", false, false
				}
				i += 4
			default:
				return "", false, false
			}
		}
	}
	return "", false, false
}

func hex4(s string) rune {
	var r rune
	for i := range 4 {
		c := s[i]
		switch {
		case isDigit(c):
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// unescape decodes the inside of a valid JSON string.
func unescape(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r := hex4(s[i+1 : i+5])
			i += 4
			if utf16.IsSurrogate(r) {
				pair := utf8.RuneError
				if i+6 < len(s)+0 && s[i+1] == '\\' && s[i+2] == 'u' {
					pair = utf16.DecodeRune(r, hex4(s[i+3:i+7]))
				}
				if r = utf8.RuneError; pair != utf8.RuneError {
					r = pair
					i += 6
				}
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, s[i])
		}
	}
	return string(out)
}

func quoteJSON(out *strings.Builder, s string) {
	const hexDigits = "0123456789abcdef"
	out.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out.WriteByte('\\')
			out.WriteByte(c)
		case c == '\n':
			out.WriteString(`\n`)
		case c == '\r':
			out.WriteString(`\r`)
		case c == '\t':
			out.WriteString(`\t`)
		case c < 0x20:
			out.WriteString(`\u00`)
			out.WriteByte(hexDigits[c>>4])
			out.WriteByte(hexDigits[c&15])
		default:
			out.WriteByte(c)
		}
	}
	out.WriteByte('"')
}
