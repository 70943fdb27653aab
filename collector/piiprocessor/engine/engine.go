// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package engine redacts text and values by the policy in redaction/rules.yaml.
//
// The exact meaning is in redaction/README.md; the Python engine in glasshouse gives the same
// bytes. Nothing here allocates for a value in which nothing is found.
package engine

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"unicode/utf8"
)

// MinimumKeyBytes is the shortest HMAC key that Load takes.
const MinimumKeyBytes = 16

// Unchecked takes the place of a value that was too long to check.
const Unchecked = "[unchecked]"

// Options switch parts of the policy.
type Options struct {
	// Disable names entities or single rules that are not looked for.
	Disable []string
	// MaskPrivateIPs masks private addresses too; by default they are kept.
	MaskPrivateIPs bool
	// OwnKeys are added to own_keys of the policy.
	OwnKeys []string
}

// Engine is a compiled policy. It is safe for concurrent use.
type Engine struct {
	rules      []*rule
	keys       []*keyRule
	tokenRows  []*tokenRow
	names      []string // of rules, in the order of the counts in Hits
	unfiltered []string
	listRules  bits // that run over the items of a list, too
	limits     limits
	context    vocabulary
	scan       *scanner
	keyCache   atomic.Pointer[map[string]*keyInfo]
	pseudonyms *pseudonymiser
	masks      map[string]bool // the names that stand in brackets
	keyNames   nameIndex
	userNames  nameIndex
	exempt     map[string]bool
	own        map[string]bool
	queryKeys  []string
	longNames  map[string]bool // see longNames
	numbers    numberNames
	keepIPs    bool

	unsettledRule, uncheckedRule, userRule int
}

// Load reads the policy at path. Errors name the file, the line and the rule.
func Load(path string, key []byte, opts Options) (*Engine, error) {
	if len(key) < MinimumKeyBytes {
		return nil, fmt.Errorf("hmac key: has %d bytes, needs at least %d", len(key), MinimumKeyBytes)
	}
	return load(path, key, opts)
}

// Rules returns the names under which Hits counts.
func (e *Engine) Rules() []string { return append([]string(nil), e.names...) }

// Unfiltered returns the names of the rules that read differently from those their prefilters were
// written for. They are tried wherever their patterns could match, which is slower.
func (e *Engine) Unfiltered() []string { return append([]string(nil), e.unfiltered...) }

// TriedOnAll returns the names of the rules whose patterns say nothing of what a text must hold.
func (e *Engine) TriedOnAll() (names []string) {
	for _, r := range e.rules {
		if r.pattern != nil && r.needs.nothing() && len(r.contextWords) == 0 {
			names = append(names, r.name)
		}
	}
	return names
}

// Hits counts what was replaced, by rule. The zero value is ready to use; a nil *Hits counts
// nothing. It belongs to one goroutine.
type Hits struct {
	counts []int
	names  []string
	total  int
}

// Total is the number of replacements since the last Reset.
func (h *Hits) Total() int { return h.total }

// Each calls f for every rule that hit since the last Reset.
func (h *Hits) Each(f func(rule string, n int)) {
	if h.total == 0 {
		return
	}
	for i, n := range h.counts {
		if n > 0 {
			f(h.names[i], n)
		}
	}
}

// Reset forgets all counts.
func (h *Hits) Reset() {
	if h.total > 0 {
		clear(h.counts)
		h.total = 0
	}
}

func (e *Engine) hit(h *Hits, rule int) {
	if h == nil {
		return
	}
	if len(h.counts) < len(e.names) {
		h.counts = append(h.counts, make([]int, len(e.names)-len(h.counts))...)
		h.names = e.names
	}
	h.counts[rule]++
	h.total++
}

// String redacts the string s that stands under key ("" for none).
func (e *Engine) String(key, s string, h *Hits) (out string, changed bool) {
	if s == "" {
		return s, false
	}
	return e.stringValue(e.lookup(key), s, h, 0)
}

// stringValue treats a string under a known key; depth counts the JSON texts around it.
func (e *Engine) stringValue(k *keyInfo, s string, h *Hits, depth int) (string, bool) {
	if k.secret != nil && s != "" && !k.secret.spares(s) {
		if e.isMask(s) || isPlaceholder(s) {
			return s, false
		}
		e.hit(h, k.secret.index)
		return k.secret.masked, true
	}
	if k.user && s != "" {
		if e.isMask(s) {
			return s, false
		}
		e.hit(h, e.userRule)
		return e.user(s), true
	}
	return e.text(k, s, h, depth)
}

// Key redacts a map key that itself holds something sensitive.
func (e *Engine) Key(key string, h *Hits) (out string, changed bool) {
	k := e.lookup(key)
	if k.redacted == "" {
		return key, false
	}
	for i, n := range k.redactedHits {
		for range n {
			e.hit(h, i)
		}
	}
	return k.redacted, true
}

// Whole reports whether the value under key goes as a whole, whatever its type, and what takes its
// place. Use it for maps and lists; empty ones are kept.
func (e *Engine) Whole(key string, h *Hits) (mask string, hit bool) {
	k := e.lookup(key)
	if !k.secret.takesWhole() {
		return "", false
	}
	e.hit(h, k.secret.index)
	return k.secret.masked, true
}

// Int redacts an integer; mask is a string to put in its place.
func (e *Engine) Int(key string, v int64, h *Hits) (mask string, hit bool) {
	k := e.lookup(key)
	if !k.secret.takesNumbers() && !k.user && v < e.limits.leastNumber {
		return "", false
	}
	var buffer [20]byte
	return e.number(k, string(strconv.AppendInt(buffer[:0], v, 10)), h)
}

// Float redacts a floating point number that is a whole number, such as a card sent as a double.
func (e *Engine) Float(key string, v float64, h *Hits) (mask string, hit bool) {
	k := e.lookup(key)
	if k.secret.takesNumbers() {
		e.hit(h, k.secret.index)
		return k.secret.masked, true
	}
	if k.user || v < float64(e.limits.leastNumber) || v >= e.limits.maxWholeFloat || v != float64(int64(v)) {
		return "", false
	}
	return e.number(k, strconv.FormatInt(int64(v), 10), h)
}

// number treats an integer in decimal form.
func (e *Engine) number(k *keyInfo, digits string, h *Hits) (string, bool) {
	switch {
	case k.secret.takesNumbers():
		e.hit(h, k.secret.index)
		return k.secret.masked, true
	case k.user:
		e.hit(h, e.userRule)
		return e.user(digits), true
	case digits[0] == '-' || len(digits) < e.limits.minNumberDigits:
		return "", false
	}
	return e.text(k, digits, h, 0)
}

// Bytes redacts a byte slice: as UTF-8 if it is valid, else each byte as one character. The
// result is a new slice if changed, else b itself.
func (e *Engine) Bytes(key string, b []byte, h *Hits) (out []byte, changed bool) {
	if len(b) == 0 {
		return b, false
	}
	k := e.lookup(key)
	if utf8.Valid(b) {
		s, changed := e.stringValue(k, string(b), h, 0)
		if !changed {
			return b, false
		}
		return []byte(s), true
	}
	wide := make([]rune, len(b))
	for i, c := range b {
		wide[i] = rune(c)
	}
	s, changed := e.stringValue(k, string(wide), h, 0)
	if !changed {
		return b, false
	}
	out = make([]byte, 0, len(s))
	for _, r := range s {
		out = append(out, byte(r))
	}
	return out, true
}

// text is `text(key, s)` of redaction/README.md.
func (e *Engine) text(k *keyInfo, s string, h *Hits, depth int) (string, bool) {
	if len(s) > e.limits.maxBytes {
		e.hit(h, e.uncheckedRule)
		return Unchecked, true
	}
	if depth < e.limits.maxNestedJSON && looksLikeJSON(s) {
		if out, changed, ok := e.json(s, h, depth); ok {
			return out, changed
		}
	}
	if k.whole != nil && areDigits(s) {
		k = k.whole
	}
	var seen view
	seen.of(s)
	defer seen.release()
	wanted := e.scan.scan(seen.text, k)
	if wanted.empty() {
		return s, false
	}
	var edits []edit
	changedAtAll := false
	for range e.limits.maxPasses {
		changed := false
		for i, r := range e.rules {
			if !wanted.has(i) || r.skips(k, s) {
				continue
			}
			edits = e.find(edits[:0], r, k, seen.text, h)
			if len(edits) > e.limits.maxHits {
				e.hit(h, e.uncheckedRule)
				return Unchecked, true
			}
			if len(edits) > 0 {
				if r.pairs {
					edits = seen.unbroken(edits)
				}
				seen.back(edits)
				s, changed = spliced(s, edits), true
				seen.of(s)
				// What is left may trigger other rules than before.
				wanted = e.scan.scan(seen.text, k)
			}
		}
		if !changed {
			return s, changedAtAll
		}
		changedAtAll = true
	}
	e.hit(h, e.unsettledRule)
	return s, true
}
