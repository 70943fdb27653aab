// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "unicode/utf8"

// Latin letters with marks, from U+00C0 and from U+1E00, as they are read in names: without the
// mark. `_` ends a word.
const (
	latinFrom, vietnameseFrom = 0xC0, 0x1E00

	latin = "AAAAAAACEEEEIIIIDNOOOOO_OUUUUYTsaaaaaaaceeeeiiiidnooooo_ouuuuyty" +
		"AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIiIiJjKkkLlLlLlLlLl" +
		"NnNnNnnNnOoOoOoOoRrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs"
	vietnamese = "AaBbBbBbCcDdDdDdDdDdEeEeEeEeEeFfGgHhHhHhHhHhIiIiKkKkKkLlLlLlLlMmMmMm" +
		"NnNnNnNnOoOoOoOoPpPpRrRrRrRrSsSsSsSsSsTtTtTtTtUuUuUuUuUuVvVvWwWwWwWwWwXxXxYyZzZzZz" +
		"htwyasssSsAaAaAaAaAaAaAaAaAaAaAaAaEeEeEeEeEeEeEeEeIiIiOoOoOoOoOoOoOoOoOoOoOoOo" +
		"UuUuUuUuUuUuUuYyYyYyYyssssss"
)

// Besides letters a character may end a word, or not count at all.
const (
	endsWord    = '_'
	doesNotMind = 0
)

// plainLetter is how a character beyond ASCII is read in a name, and whether it is an upper-case letter.
func plainLetter(r rune) (as rune, upper bool) {
	switch {
	case r >= latinFrom && r < latinFrom+rune(len(latin)):
		return asciiLetter(latin[r-latinFrom])
	case r >= vietnameseFrom && r < vietnameseFrom+rune(len(vietnamese)):
		return asciiLetter(vietnamese[r-vietnameseFrom])
	case r >= 0x391 && r <= 0x3A9, r >= 0x410 && r <= 0x42F: // Greek, Cyrillic
		return r + 32, true
	case r >= 0x400 && r <= 0x40F:
		return r + 80, true
	case r >= 0xFF10 && r <= 0xFF19: // full width
		return r - 0xFEE0, false
	case r >= 0xFF21 && r <= 0xFF3A, r >= 0xFF41 && r <= 0xFF5A:
		return asciiLetter(byte(r - 0xFEE0))
	case r == 0xAD, r >= 0x300 && r <= 0x36F, r >= 0x200B && r <= 0x200D, r == 0x2060, r == 0xFEFF:
		return doesNotMind, false // soft hyphen, marks, zero width
	case r < 0xC0, r >= 0x2000 && r <= 0x2BFF, r >= 0x3000 && r <= 0x303F, r >= 0xFF00 && r <= 0xFF0F,
		r >= 0xFF1A && r <= 0xFF20, r == utf8.RuneError:
		return endsWord, false
	}
	return r, false
}

func asciiLetter(c byte) (as rune, upper bool) {
	if c >= 'A' && c <= 'Z' {
		return rune(c) + 'a' - 'A', true
	}
	return rune(c), false
}

// normalise splits a name into words and joins them by an underscore.
func normalise(name string) string {
	return string(appendNormal(make([]byte, 0, 2*len(name)), name))
}

// The kinds of characters between which a word may end.
const (
	kindNone = iota
	kindDigit
	kindUpper
	kindLower // and letters without case
)

// appendNormal appends at most twice as many bytes as name has.
func appendNormal(out []byte, name string) []byte {
	from := len(out)
	before, gap := kindNone, false
	capitals := -1 // where the last of several capitals stands in out
	for i := 0; i < len(name); {
		c, size := rune(name[i]), 1
		kind := kindLower
		switch {
		case c >= 'a' && c <= 'z':
		case c >= 'A' && c <= 'Z':
			c, kind = c+'a'-'A', kindUpper
		case c >= '0' && c <= '9':
			kind = kindDigit
		case c < utf8.RuneSelf:
			c = endsWord
		default:
			var upper bool
			c, size = utf8.DecodeRuneInString(name[i:])
			if c, upper = plainLetter(c); upper {
				kind = kindUpper
			} else if c >= '0' && c <= '9' {
				kind = kindDigit
			}
		}
		i += size
		if c == doesNotMind {
			continue
		}
		if c == endsWord {
			before, gap, capitals = kindNone, true, -1
			continue
		}
		switch {
		case before == kindNone:
		case (kind == kindDigit) != (before == kindDigit), kind == kindUpper && before == kindLower:
			gap = true
		case kind == kindLower && before == kindUpper && capitals > from && !(c == 's' && endsPlural(name[i:])):
			// The last capital begins this word: APIKey.
			out = append(out, 0)
			copy(out[capitals+1:], out[capitals:])
			out[capitals] = endsWord
		}
		if gap && len(out) > from {
			out = append(out, endsWord)
		}
		gap = false
		if kind == kindUpper && before == kindUpper {
			capitals = len(out)
		} else {
			capitals = -1
		}
		before = kind
		out = utf8.AppendRune(out, c)
	}
	return out
}

// endsPlural reports whether no lower-case letter follows, as behind the s of userIDs.
func endsPlural(rest string) bool { return rest == "" || rest[0] < 'a' || rest[0] > 'z' }
