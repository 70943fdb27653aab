// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	mathbits "math/bits"
	"strings"
	"unsafe"
)

const (
	// longestName is how many of a name's last characters count in a text.
	longestName = 64
	// longestFirstWord bounds a word before a name that is written with spaces.
	longestFirstWord = 32
	// mostBlanks and mostBehind bound blanks, and what stands between a name and its separator.
	mostBlanks = 64
	mostBehind = 128
)

func isPlainNameChar(c byte) bool { return isAlnum(c) || c == '_' || c == '.' || c == '-' }

// isNameChar takes characters beyond ASCII, too.
func isNameChar(c byte) bool { return isPlainNameChar(c) || c >= 0x80 }
func isWordChar(c byte) bool { return isAlnum(c) || c >= 0x80 }
func isBlank(c byte) bool    { return c == ' ' || c == '\t' }
func isQuote(c byte) bool    { return c == '"' || c == '\'' || c == '`' }

// pairName is a name that says what follows; start is where its run begins in the text.
type pairName struct {
	rule    *keyRule
	text    string
	start   int
	single  bool
	doubled bool // its quotes are doubled, as in a table of comma-separated values
	apart   bool // something stands between it and the separator: password for bob:
}

// longNames returns the last words of names of three words or more.
func longNames(keys []*keyRule) map[string]bool {
	last := map[string]bool{}
	for _, r := range keys {
		for i := range r.entries {
			if entry := &r.entries[i]; mathbits.OnesCount64(entry.joints) > 1 {
				last[entry.letters[mathbits.Len64(entry.joints)-1:]] = true
			}
		}
	}
	return last
}

func skipBlanksBefore(s string, at int) int {
	for low := max(0, at-mostBlanks); at > low && isBlank(s[at-1]); at-- {
	}
	return at
}

// runBefore returns the name that ends at end, and where its whole run begins.
func runBefore(s string, end int) (name string, start int) {
	start = end
	// The run may be long, but only its last characters count, and whether one more precedes.
	for start > 0 && isNameChar(s[start-1]) && end-start <= longestName {
		start--
	}
	if end-start > longestName {
		return s[end-longestName : end], 0
	}
	// An escaped bracket: user%5Bpassword%5D.
	if end-start > 2 && start > 0 && s[start-1] == '%' && s[start] == '5' && (s[start+1] == 'B' || s[start+1] == 'b') {
		start += 2
	}
	return s[start:end], start
}

// withoutBrackets steps over what closes a subscript, or over the whole of an empty or numbered one.
func withoutBrackets(s string, i int) int {
	switch {
	case i > 0 && s[i-1] == ']':
		low := i - 1
		for low > 0 && i-low < 8 && isDigit(s[low-1]) {
			low--
		}
		if low > 1 && s[low-1] == '[' && isNameChar(s[low-2]) {
			return low - 1
		}
		return i - 1
	case i > 2 && s[i-3] == '%' && s[i-2] == '5' && (s[i-1] == 'D' || s[i-1] == 'd'):
		return i - 3
	}
	return i
}

// withoutQuotes steps over the quote that closes a name, and the backslashes before it.
func withoutQuotes(s string, i int) (end int, doubled bool) {
	if i == 0 || !isQuote(s[i-1]) {
		return i, false
	}
	quote := s[i-1]
	i--
	if i > 1 && s[i-1] == quote {
		return i - 1, true
	}
	for n := 0; n < 3 && i > 0 && s[i-1] == '\\'; n++ {
		i--
	}
	return i, false
}

// nameBefore returns the secret name whose separator stands at `at`; its rule is nil if there is none.
// With query the text is the query of a URL.
func (e *Engine) nameBefore(s string, at int, query bool) pairName {
	i := at
	if s[at] == '=' && i > 0 {
		switch s[i-1] {
		case '?', '+', '.', '!':
			i--
		}
	}
	i = skipBlanksBefore(s, i)
	end, doubled := withoutQuotes(s, withoutBrackets(s, i))
	name, start := runBefore(s, end)
	if name != "" {
		if found := e.nameOf(s, name, start, query); found.rule != nil {
			found.doubled = doubled
			return found
		}
	}
	return e.nameApart(s, i, name, start)
}

// nameOf returns the secret name that name is, perhaps with the words before it.
func (e *Engine) nameOf(s, name string, start int, query bool) pairName {
	use := inPlainText
	if beginsParameter(s, start, query) {
		use = inQuery
	}
	// On the stack: this runs for every separator of a text that holds the word of a secret.
	var buffers [2][2*longestName + 6*longestFirstWord + 3]byte
	joined := appendNormal(buffers[0][:0], name)
	if len(joined) == 0 {
		return pairName{}
	}
	found := pairName{text: name, start: start, single: bytes.IndexByte(joined, '_') < 0}
	long := e.longNames[string(joined[bytes.LastIndexByte(joined, '_')+1:])]
	own := 0 // where the name itself begins
	word, begin := wordBefore(s, start)
	if word != "" {
		joined, own = prepended(buffers[1][:0], word, joined, own)
	}
	found.rule = e.secretKey(unsafe.String(&joined[0], len(joined)), own, use)
	for more := 0; more < 2 && long && word != "" && found.rule == nil; more++ {
		if word, begin = wordBefore(s, begin); word != "" {
			joined, own = prepended(buffers[more][:0], word, joined, own)
			found.rule = e.secretKey(unsafe.String(&joined[0], len(joined)), own, use)
		}
	}
	if found.rule == nil {
		return pairName{}
	}
	return found
}

// prepended appends the word in its normal form, an underscore, and what follows it. A word of signs
// has none.
func prepended(out []byte, word string, rest []byte, own int) (joined []byte, newOwn int) {
	if out = appendNormal(out, word); len(out) == 0 {
		return append(out, rest...), own
	}
	out = append(out, '_')
	own += len(out)
	return append(out, rest...), own
}

// wordBefore returns the word one space before s[start:], and where it begins.
func wordBefore(s string, start int) (word string, begin int) {
	end := start - 1
	if end < 1 || s[end] != ' ' {
		return "", start
	}
	i := end
	for i > 0 && isWordChar(s[i-1]) && end-i < longestFirstWord {
		i--
	}
	return s[i:end], i
}

// plainName returns the name by itself, without the words before it.
func (e *Engine) plainName(name string, start int, apart bool) pairName {
	var buffer [2 * longestName]byte
	normal := appendNormal(buffer[:0], name)
	if len(normal) == 0 {
		return pairName{}
	}
	r := e.secretKey(unsafe.String(&normal[0], len(normal)), 0, inPlainText)
	return pairName{rule: r, text: name, start: start, single: bytes.IndexByte(normal, '_') < 0, apart: apart}
}

// plainNameBefore is plainName of the run that ends at end.
func (e *Engine) plainNameBefore(s string, end int, apart bool) pairName {
	name, start := runBefore(s, end)
	if name == "" {
		return pairName{}
	}
	return e.plainName(name, start, apart)
}

// nameApart looks further left: password (bob):, password for bob:, var password *string =.
func (e *Engine) nameApart(s string, i int, name string, start int) pairName {
	if i > 0 && (s[i-1] == ')' || s[i-1] == ']') {
		return e.nameBracketed(s, i)
	}
	if name == "" || start < 2 {
		return pairName{}
	}
	if isType.has(name) && strings.IndexByte(" \t*&]", s[start-1]) >= 0 {
		j := start
		for j > 0 && start-j < 4 && strings.IndexByte("*&[]", s[j-1]) >= 0 {
			j--
		}
		if k := skipBlanksBefore(s, j); k < j {
			return e.plainNameBefore(s, k, false)
		}
		return pairName{}
	}
	if name == "input_value" {
		return e.nameOnLineBefore(s, start)
	}
	return e.nameAbout(s, i)
}

// nameBracketed: Password (bob):, Password [bob]:, password varchar(50) :=.
func (e *Engine) nameBracketed(s string, i int) pairName {
	first := byte('(')
	if s[i-1] == ']' {
		first = '['
	}
	low := max(0, i-mostBehind)
	opening := low + strings.LastIndexByte(s[low:i], first)
	if opening < low || strings.IndexByte(s[opening:i], '\n') >= 0 {
		return pairName{}
	}
	end := skipBlanksBefore(s, opening)
	name, begin := runBefore(s, end)
	if name != "" && end == opening && isType.has(name) {
		if end = skipBlanksBefore(s, begin); end == begin {
			return pairName{}
		}
		return e.plainNameBefore(s, end, false)
	}
	if name == "" || (first == '[' && end == opening) {
		return pairName{}
	}
	return e.plainName(name, begin, true)
}

// nameAbout: in `password for bob:` the word between is whom it is about.
func (e *Engine) nameAbout(s string, i int) pairName {
	low := max(0, i-mostBehind)
	low += strings.LastIndexByte(s[low:i], '\n') + 1
	window := s[low:i]
	at, length := -1, 0
	for _, word := range about {
		if found := strings.LastIndex(window, word); found > at || (found == at && len(word) > length) {
			at, length = found, len(word)
		}
	}
	if at < 1 {
		return pairName{}
	}
	who := window[at+length:]
	for _, noun := range []string{"user ", "account ", "role "} {
		who = strings.TrimPrefix(who, noun)
	}
	who = strings.Trim(who, "\"'`")
	if who == "" || strings.ContainsAny(who, " =") || isNoun.has(who) {
		return pairName{}
	}
	return e.plainNameBefore(s, low+at, true)
}

// nameOnLineBefore: Pydantic names the field on the line before, then … input_value=….
func (e *Engine) nameOnLineBefore(s string, start int) pairName {
	low := max(0, start-4*mostBehind)
	line := low + strings.LastIndexByte(s[low:start], '\n')
	if line < low || line < 1 {
		return pairName{}
	}
	low = max(0, line-mostBehind)
	before := strings.LastIndexByte(s[low:line], '\n')
	if before < 0 && low > 0 {
		return pairName{}
	}
	begin := low + before + 1
	name, run := runBefore(s, line)
	if name == "" || run != begin {
		return pairName{}
	}
	return e.plainName(name, run, false)
}
