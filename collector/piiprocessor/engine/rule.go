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

// idWordHits are the hits that `suppress_beside_id_words` leaves where an id word stands before them.
type idWordHits string

const (
	anyHit       idWordHits = "any"
	digitHits    idWordHits = "digits"
	ownedHits    idWordHits = "owned"    // any, and behind a word of `owners` as well
	sentenceHits idWordHits = "sentence" // as owned, and digits alone only behind a connecting word
)

// rule is one entry of `rules`.
type rule struct {
	name, entity, mask        string
	digest                    string
	index, place              int  // in the counts of hits, in the policy
	pairs, tokens             bool // built in
	nameGroup                 int  // of the pattern; 0: it has none
	tree                      *node
	needs                     needs
	pattern                   *regexp.Regexp
	find                      func(s string, pos int) span // means the pattern, if it is not nil
	notBefore, notBeforeDigit asciiSet
	notAfter, notAfterDigit   asciiSet
	contextWords              []contextWord
	wordsByFirst              [256][]int16 // places of contextWords, by their first byte
	contextDirectly           bool
	rescan, suppressOnIDKeys  bool
	onlyOwnKeys               bool
	notInIDs                  bool // its pattern sees no ids, see withoutIDs
	inLists                   bool
	besideIDWords             idWordHits
	avoidsTimes               bool
	validate                  validator
	checks                    []*check // any of them holds
	validatorName             string
	replacement               replacement
}

// find appends what one rule replaces in the text, from left to right.
func (e *Engine) find(edits []edit, r *rule, k *keyInfo, s string, h *Hits) []edit {
	if r.pairs {
		return e.findPairs(edits, s, k.query, h)
	}
	if r.nameGroup > 0 {
		return e.findNamed(edits, r, s, h)
	}
	if r.tokens {
		return e.findTokens(edits, s, h)
	}
	if r.find != nil {
		return e.findByHand(edits, r, k, s, h)
	}
	seen := s
	if r.notInIDs {
		seen = withoutIDs(s)
	}
	for pos := 0; pos < len(s); {
		m := r.pattern.FindStringSubmatchIndex(seen[pos:])
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
	if r.avoidsTimes {
		// What is left of a pattern is checked by its validator, or by nothing.
		stop := cutAtTime(s, start, end)
		if stop != end && (stop <= start || r.validate == nil) {
			return "", end, false
		}
		end = stop
	}
	if len(r.contextWords) > 0 && !e.isNear(r, k, s, start, end) {
		return "", end, false
	}
	if r.besideIDWords != "" && e.isID(r, s, start, end) {
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

// isID reports whether the words around a hit say that it is a machine's number.
func (e *Engine) isID(r *rule, s string, start, end int) bool {
	if r.besideIDWords == digitHits && !areDigits(s[start:end]) {
		return false
	}
	if r.besideIDWords == sentenceHits && e.isOwned(s, start, end) {
		return true
	}
	return e.hasIDWord(s, start, r.besideIDWords == ownedHits) || e.hasUnit(s, end)
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
