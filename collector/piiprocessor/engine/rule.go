// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"regexp"
	"unicode/utf8"
)

type asciiSet [128]bool

func (s *asciiSet) has(c byte) bool { return c < 128 && s[c] }

type replacement int

const (
	typed replacement = iota
	lastFour
	pseudonym
	network
)

// rule is one entry of `rules`.
type rule struct {
	name, entity, mask        string
	digest                    string
	index                     int
	pairs, tokens             bool // built in
	tree                      *node
	needs                     needs
	pattern                   *regexp.Regexp
	find                      func(s string, pos int) span // means the pattern, if it is not nil
	notBefore, notBeforeDigit asciiSet
	notAfter, notAfterDigit   asciiSet
	contextWords, indexWords  []string // these begin with those
	rescan, suppressOnIDKeys  bool
	validate                  validator
	checks                    []*check // any of them holds
	replacement               replacement
}

// find appends what one rule replaces in the text, from left to right.
func (e *Engine) find(edits []edit, r *rule, k *keyInfo, s string, h *Hits) []edit {
	if r.pairs {
		return e.findPairs(edits, s, h)
	}
	if r.tokens {
		return e.findTokens(edits, s, h)
	}
	if r.find != nil {
		return e.findByHand(edits, r, k, s, h)
	}
	for pos := 0; pos < len(s); {
		m := r.pattern.FindStringSubmatchIndex(s[pos:])
		if m == nil {
			break
		}
		matchStart, matchEnd := pos+m[0], pos+m[1]
		start, end := matchStart, matchEnd
		for g := 2; g < len(m); g += 2 {
			if m[g] >= 0 {
				start, end = pos+m[g], pos+m[g+1]
				break
			}
		}
		if r.rescan && start == matchStart && start > 0 && r.notBefore.has(s[start-1]) {
			// No start is good until the character before it is.
			for pos = start + 1; pos < len(s) && r.notBefore.has(s[pos-1]); pos++ {
			}
			continue
		}
		mask, end, ok := e.check(r, k, s, start, end)
		if !ok {
			if r.rescan {
				_, size := utf8.DecodeRuneInString(s[matchStart:])
				pos = matchStart + size
			} else {
				pos = matchEnd
			}
			continue
		}
		e.hit(h, r.index)
		edits = append(edits, edit{start: start, end: end, mask: mask})
		pos = end
	}
	return edits
}

// findByHand does the same for a rule of which the pattern is searched by hand.
func (e *Engine) findByHand(edits []edit, r *rule, k *keyInfo, s string, h *Hits) []edit {
	for pos := 0; pos < len(s); {
		found := r.find(s, pos)
		if !found.ok {
			break
		}
		pos = found.matchEnd
		if mask, end, ok := e.check(r, k, s, found.start, found.end); ok {
			e.hit(h, r.index)
			edits = append(edits, edit{start: found.start, end: end, mask: mask})
			pos = end
		}
	}
	return edits
}

// check decides about one hit and returns what takes its place, and its end.
func (e *Engine) check(r *rule, k *keyInfo, s string, start, end int) (mask string, newEnd int, ok bool) {
	if start >= end {
		return "", end, false
	}
	if start > 0 {
		if r.notBefore.has(s[start-1]) {
			return "", end, false
		}
		if start > 1 && isDigit(s[start-2]) && r.notBeforeDigit.has(s[start-1]) {
			return "", end, false
		}
	}
	if len(r.contextWords) > 0 && !e.isNear(r, k, s, start, end) {
		return "", end, false
	}
	form := ""
	if r.validate != nil {
		end, form, ok = r.validate(e, s, start, end)
		if !ok {
			return "", end, false
		}
	}
	if len(r.checks) > 0 && !holdsAny(r.checks, s[start:end]) {
		return "", end, false
	}
	if end < len(s) {
		if r.notAfter.has(s[end]) {
			return "", end, false
		}
		if end+1 < len(s) && isDigit(s[end+1]) && r.notAfterDigit.has(s[end]) {
			return "", end, false
		}
	}
	if e.insideMask(s, start, end) {
		return "", end, false
	}
	hit := s[start:end]
	switch r.replacement {
	case lastFour:
		digits := onlyDigits(hit)
		return "[" + r.mask + ":" + digits[max(0, len(digits)-4):] + "]", end, true
	case pseudonym:
		canonical := canonicalPhone
		if r.mask == "email" {
			canonical = canonicalEmail
		}
		return "[" + r.mask + ":" + e.pseudonyms.of(canonical(hit)) + "]", end, true
	case network:
		return "[" + r.mask + ":" + form + "*]", end, true
	}
	return "[" + r.mask + "]", end, true
}

func (e *Engine) isNear(r *rule, k *keyInfo, s string, start, end int) bool {
	for _, word := range r.contextWords {
		if k.words != "" && e.containsNear(k.words, 0, len(k.words), word) {
			return true
		}
	}
	low := start
	for n := 0; n < e.limits.contextBefore && low > 0; n++ {
		_, size := utf8.DecodeLastRuneInString(s[:low])
		low -= size
	}
	high := end
	for n := 0; n < e.limits.contextAfter && high < len(s); n++ {
		_, size := utf8.DecodeRuneInString(s[high:])
		high += size
	}
	for _, word := range r.contextWords {
		if e.containsNear(s, low, start, word) || e.containsNear(s, end, high, word) {
			return true
		}
	}
	return false
}

// containsNear looks for word, which is lower-case, within s[low:high]. The name of a mask does not
// count: what stands beside [phone:…] is not a phone number for that.
func (e *Engine) containsNear(s string, low, high int, word string) bool {
	for i := low; i+len(word) <= high; i++ {
		if lower(s[i]) != word[0] || !equalFoldASCII(s[i:i+len(word)], word) {
			continue
		}
		if i > 0 {
			before := s[i-1]
			isLower := before >= 'a' && before <= 'z'
			if (isLower && !(s[i] >= 'A' && s[i] <= 'Z')) || (before >= 'A' && before <= 'Z') {
				continue
			}
		}
		if i > 0 && s[i-1] == '[' && e.maskEnd(s, i-1) >= 0 {
			continue
		}
		if end := i + len(word); end < len(s) && s[end] >= 'a' && s[end] <= 'z' {
			continue
		}
		return true
	}
	return false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return classes[c]&classLetter != 0 }

func isAlnum(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func lowerASCII(s string) string {
	out := []byte(s)
	for i, c := range out {
		out[i] = lower(c)
	}
	return string(out)
}

// equalFoldASCII compares s, of the same length, with a lower-case word.
func equalFoldASCII(s, word string) bool {
	for i := range len(word) {
		if lower(s[i]) != word[i] {
			return false
		}
	}
	return true
}
