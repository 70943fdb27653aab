// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"hash/fnv"
	"strings"
	"unicode/utf8"
)

// replacement stands for bytes that are no UTF-8 (Unicode, U+FFFD).
const replacement = "\uFFFD"

// markBytes is what the longest mark of a cut takes.
const markBytes = 64

func validText(s string) string { return strings.ToValidUTF8(s, replacement) }

// prefix returns the longest beginning of s of at most most bytes that ends with a whole rune.
func prefix(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// cut shortens a text to most bytes, with a mark that says how long it was.
func cut(s string, most int) string { return cutOf(s, len(s), most) }

// cutOf is cut for a text of which only the beginning is there.
func cutOf(beginning string, was, most int) string {
	return prefix(beginning, max(0, most-markBytes)) + fmt.Sprintf("… [cut, was %d bytes]", was)
}

// cutUnique is cut for what identifies: two texts that differ only behind the cut stay different.
func cutUnique(s string, most int) string {
	return prefix(s, max(0, most-markBytes)) + fmt.Sprintf("… [cut, was %d bytes, %s]", len(s), digest(s))
}

// digest is sixteen hex digits that are the same for the same text, everywhere (FNV-1a, 64 bits).
func digest(s string) string {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(s)) // never fails
	return fmt.Sprintf("%016x", hash.Sum64())
}

// isFileable reports whether a name keeps a letter or digit in the form that Loki and Prometheus
// give it (github.com/prometheus/otlptranslator: everything else becomes an underscore, and a name
// of underscores alone refuses the whole request).
func isFileable(s string) bool {
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' {
			return true
		}
	}
	return false
}
