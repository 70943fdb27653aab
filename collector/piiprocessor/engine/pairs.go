// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"strings"
	"unsafe"
)

// longestName is how many of a name's last characters count in a text.
const longestName = 64

func isNameChar(c byte) bool { return isAlnum(c) || c == '_' || c == '.' || c == '-' }
func isBlank(c byte) bool    { return c == ' ' || c == '\t' }

// findPairs appends what takes the place of the values of secret names in name=value and name: value.
// With query the text is the query of a URL.
func (e *Engine) findPairs(edits []edit, s string, query bool, h *Hits) []edit {
	for pos := 0; pos < len(s); {
		sep := strings.IndexAny(s[pos:], "=:")
		if sep < 0 {
			break
		}
		sep += pos
		after, colon := sep+1, s[sep] == ':'
		if after < len(s) {
			switch next := s[after]; {
			case !colon && next == '>':
				after++
			case next == s[sep], colon && next == '=': // == :: :=
				pos = after + 1
				continue
			}
		}
		pos = after
		r, single := e.secretName(s, sep, query)
		if r == nil {
			continue
		}
		start, end, quoted, spaced := e.value(s, after, r.line)
		if start >= end {
			continue
		}
		pos = end
		v := s[start:end]
		if e.insideMask(s, start, end) || isPlaceholder(v) || r.spares(v) ||
			(r.proseDigit && single && colon && spaced && !quoted && !hasDigit(v)) {
			continue
		}
		e.hit(h, r.index)
		edits = append(edits, edit{start: start, end: end, mask: r.masked})
	}
	return edits
}

// nameBefore finds the name to the left of the separator at sep; start is where the whole run
// begins, of which name is the end.
func nameBefore(s string, sep int) (name string, start int) {
	i := sep
	for n := 0; n < 3 && i > 0 && isBlank(s[i-1]); n++ {
		i--
	}
	switch {
	case i > 0 && s[i-1] == ']':
		i--
	case i > 2 && s[i-3] == '%' && s[i-2] == '5' && (s[i-1] == 'D' || s[i-1] == 'd'):
		i -= 3
	}
	if i > 0 && (s[i-1] == '"' || s[i-1] == '\'') {
		i--
		for n := 0; n < 3 && i > 0 && s[i-1] == '\\'; n++ {
			i--
		}
	}
	start = i
	// The run may be long, but only its last characters count, and whether one more precedes.
	for start > 0 && isNameChar(s[start-1]) && i-start <= longestName {
		start--
	}
	if i-start > longestName {
		return s[i-longestName : i], 0
	}
	// An escaped bracket: user%5Bpassword%5D.
	if i-start > 2 && start > 0 && s[start-1] == '%' && s[start] == '5' && (s[start+1] == 'B' || s[start+1] == 'b') {
		start += 2
	}
	return s[start:i], start
}

// secretName returns the key rule for the name to the left of the separator at sep; single reports
// whether the name is one word.
func (e *Engine) secretName(s string, sep int, query bool) (r *keyRule, single bool) {
	name, start := nameBefore(s, sep)
	if name == "" {
		return nil, false
	}
	use := inPlainText
	if beginsParameter(s, start, query) {
		use = inQuery
	}
	// On the stack: this runs for every separator of a text that holds the word of a secret.
	var buffer [2*longestName + 2*longestFirstWord + 1]byte
	normal := appendNormal(buffer[:0], name)
	single = bytes.IndexByte(normal, '_') < 0
	own := 0
	if first := wordBefore(s, start); first != "" && len(normal) > 0 {
		normal = append(appendNormal(buffer[:0], first), '_')
		own = len(normal)
		normal = appendNormal(normal, name)
	}
	if len(normal) == 0 {
		return nil, false
	}
	return e.secretKey(unsafe.String(&normal[0], len(normal)), own, use), single
}

// longestFirstWord bounds the word before a name that is written with a space.
const longestFirstWord = 32

// wordBefore returns the word that stands before s[start:], one space away.
func wordBefore(s string, start int) string {
	end := start - 1
	if end < 1 || s[end] != ' ' {
		return ""
	}
	i := end
	for i > 0 && isAlnum(s[i-1]) && end-i < longestFirstWord {
		i--
	}
	return s[i:end]
}

// value finds the value to the right of a separator, from s[at:].
func (e *Engine) value(s string, at int, line bool) (start, end int, quoted, spaced bool) {
	i := at
	for n := 0; n < 3 && i < len(s) && isBlank(s[i]); n++ {
		i++
	}
	spaced = i > at
	if i < len(s) && s[i] == '[' && e.maskEnd(s, i) < 0 {
		i++
		for n := 0; n < 3 && i < len(s) && s[i] == ' '; n++ {
			i++
		}
	}
	slashes := 0
	for slashes < 3 && i+slashes < len(s) && s[i+slashes] == '\\' {
		slashes++
	}
	if q := i + slashes; q < len(s) && (s[q] == '"' || s[q] == '\'') {
		start = q + 1
		return start, closingQuote(s, start, s[q], slashes), true, spaced
	}
	start, end = i, i
	if line {
		for end < len(s) && s[end] != '\r' && s[end] != '\n' && s[end] != '"' && s[end] != '\'' {
			end++
		}
		for end > start && isBlank(s[end-1]) {
			end--
		}
		return start, end, false, spaced
	}
	for end < len(s) {
		if m := e.maskEnd(s, end); m >= 0 {
			end = m
		} else if endsBareValue(s[end]) {
			break
		} else {
			end++
		}
	}
	return start, end, false, spaced
}

func endsBareValue(c byte) bool {
	switch c {
	case ' ', '\t', '\r', '\n', '\f', '\v', '"', '\'', '&', ',', ';', '<', '>', '[', ']', '{', '}', '\\':
		return true
	}
	return false
}

// closingQuote returns the end of a value that began after a quote with so many backslashes
// before it.
func closingQuote(s string, start int, quote byte, slashes int) int {
	run := 0
	for i := start; i < len(s); i++ {
		switch s[i] {
		case '\\':
			run++
			continue
		case '\n', '\r':
			return i
		case quote:
			if slashes == 0 && run%2 == 0 {
				return i
			}
			if slashes > 0 && run <= slashes {
				return i - run
			}
		}
		run = 0
	}
	return len(s)
}

func hasDigit(s string) bool {
	for i := range len(s) {
		if isDigit(s[i]) {
			return true
		}
	}
	return false
}

var placeholderWords = map[string]bool{
	"null": true, "none": true, "nil": true, "undefined": true, "true": true, "false": true, "yes": true, "no": true,
	"empty": true, "n/a": true, "redacted": true, "filtered": true, "masked": true, "hidden": true,
}

// isPlaceholder reports whether a value stands for a secret and is none.
func isPlaceholder(s string) bool {
	if len(s) <= 16 && placeholderWords[lowerASCII(s)] {
		return true
	}
	if strings.Trim(s, "*") == "" {
		return true
	}
	if len(s) > 1 && (strings.Trim(s, "xX") == "" || strings.Trim(s, ".") == "" || strings.Trim(s, "-") == "") {
		return true
	}
	switch s[0] {
	case '?':
		return len(s) == 1
	case '$':
		if len(s) > 1 && strings.Trim(s[1:], "0123456789") == "" {
			return true
		}
		if len(s) > 2 && s[1] == '{' {
			return closedBy(s[2:], '}')
		}
		return isWord(s[1:]) && s[1:] == strings.ToUpper(s[1:])
	case '%':
		if s == "%s" {
			return true
		}
		return len(s) > 4 && s[1] == '(' && strings.HasSuffix(s, ")s") && isWord(s[2:len(s)-2])
	case ':':
		return isWord(s[1:])
	case '{':
		if len(s) > 4 && s[1] == '{' && strings.HasSuffix(s, "}}") {
			return !strings.Contains(s[2:len(s)-2], "}")
		}
		return closedBy(s[1:], '}')
	case '<':
		return closedBy(s[1:], '>')
	}
	return false
}

// closedBy reports whether the first such character of s is its last.
func closedBy(s string, c byte) bool {
	return len(s) > 1 && strings.IndexByte(s, c) == len(s)-1
}

func isWord(s string) bool {
	if s == "" || isDigit(s[0]) {
		return false
	}
	for i := range len(s) {
		if !isAlnum(s[i]) && s[i] != '_' {
			return false
		}
	}
	return true
}
