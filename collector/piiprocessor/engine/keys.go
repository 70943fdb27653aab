// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"math"
	"strings"
	"unicode/utf8"
)

// keyCacheSize bounds the names whose classification is remembered. Names come from code and
// repeat; past this many the rest are classified each time.
const keyCacheSize = 4096

// longestCachedKey keeps names that are really values out of the cache.
const longestCachedKey = 256

// keyRule is one entry of `keys`.
type keyRule struct {
	name, masked string
	index        int
	order        int // among the key rules
	entries      []nameEntry
	notBehind    map[string]bool
	inText       bool
	query        bool
	line         bool
	proseDigit   bool
	overrides    bool
	token        bool // the value of a parameter has to look like one
	minLength    int
	exceptValues map[string]bool
	blank        bool     // a value has one
	many         bool     // its names are plurals, under which a number is a count
	plural       *keyRule // this rule for such names
}

// takesWhole reports whether maps and lists go, too.
func (r *keyRule) takesWhole() bool { return r != nil && r.minLength == 0 }

// takesNumbers reports whether numbers go, too.
func (r *keyRule) takesNumbers() bool { return r != nil && r.minLength == 0 && !r.many && !r.blank }

// isOneWord reports whether a text is of ASCII and has no blank: other scripts do without.
func isOneWord(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// spares reports whether a value is kept although its name is one of the rule's.
func (r *keyRule) spares(value string) bool {
	return len(value) < r.minLength || (r.blank && isOneWord(value)) || (r.many && areDigits(value)) || (r.token && !isParameterToken(value)) ||
		(len(r.exceptValues) > 0 && r.exceptValues[lowerASCII(value)])
}

// keyInfo is what the policy says about one name.
type keyInfo struct {
	words        string // joined by spaces, for context words
	secret       *keyRule
	user         bool
	exempt       bool
	ownFrom      int      // of an exempt name: values of so many bytes are spared by all rules, see Engine.skips
	query        bool     // the value is the query of a URL
	whole        *keyInfo // what counts for whole numbers, if it differs
	near         bits     // rules of which a context word is in the name
	redacted     string
	redactedHits []int
}

func hasSuffixWords(name, words string) bool {
	return strings.HasSuffix(name, words) &&
		(len(name) == len(words) || name[len(name)-len(words)-1] == '_')
}

// secretKey returns the first key rule for a normalised name that use allows; see nameIndex.find.
func (e *Engine) secretKey(name string, own int, use func(*keyRule) bool) *keyRule {
	return e.keyNames.find(name, own, use)
}

func asAttribute(r *keyRule) bool { return !r.query }
func inPlainText(r *keyRule) bool { return r.inText && !r.query }
func inQuery(r *keyRule) bool     { return r.inText || r.query }

var noKey = &keyInfo{}

// lookup classifies a name, from the cache where it can.
func (e *Engine) lookup(key string) *keyInfo {
	if key == "" {
		return noKey
	}
	cache := e.keyCache.Load()
	if k, ok := (*cache)[key]; ok {
		return k
	}
	k := e.classify(key)
	if len(*cache) < keyCacheSize && len(key) <= longestCachedKey {
		grown := make(map[string]*keyInfo, len(*cache)+1)
		for name, info := range *cache {
			grown[name] = info
		}
		grown[strings.Clone(key)] = k
		e.keyCache.CompareAndSwap(cache, &grown)
	}
	return k
}

// longestKey is how much of a name counts, its end; names that are longer hold values.
const longestKey = 256

func (e *Engine) classify(key string) *keyInfo {
	k := &keyInfo{}
	var hits Hits
	if out, changed := e.text(noKey, key, &hits, 0); changed {
		k.redacted, k.redactedHits = out, hits.counts
		// As the next engine will read it.
		key = out
	}
	name := normalise(e.withoutMasks(lastOf(key, longestKey)))
	k.words = strings.ReplaceAll(name, "_", " ")
	k.secret = e.secretKey(name, 0, asAttribute)
	k.user = k.secret == nil && e.userNames.find(name, 0, asAttribute) != nil
	switch {
	case e.own[name]:
		k.exempt = true
	case e.exempt[name]:
		k.exempt, k.ownFrom = true, math.MaxInt
	}
	for _, words := range e.queryKeys {
		if hasSuffixWords(name, words) {
			k.query = true
		}
	}
	for i, r := range e.rules {
		if len(r.contextWords) > 0 && e.isNearKey(r, k.words) {
			k.near.set(i)
		}
	}
	if e.numbers.matches(name) {
		k.whole = &keyInfo{exempt: e.own[name] || !e.numbers.names(name)}
		if !e.own[name] && e.numbers.isID(name) {
			k.whole.ownFrom = longestCardOfID + 1
		}
	}
	return k
}

// longestCardOfID is the length up to which a number under the name of an id is believed to be a card.
// Longer ones are rare among cards, and many among ids: 64 bits have 17 digits and more.
const longestCardOfID = 16

// skips reports whether a rule is not tried on a value, for its name: an id can have such a form by
// chance. A card is believed nevertheless, unless the name is one of our own.
func (r *rule) skips(k *keyInfo, s string) bool {
	return r.suppressOnIDKeys && k.exempt && (!r.onlyOwnKeys || len(s) >= k.ownFrom)
}

// numberNames are names whose whole numbers are no person's.
type numberNames struct {
	last   map[string]bool
	unless map[string]bool
	ids    map[string]bool // those of last that name ids
}

// matches reports whether the last word of a name, but for digits and the plural, is one of the list.
func (n *numberNames) matches(name string) bool { return endsIn(name, n.last) }

// isID reports whether it names an id, and no count or size.
func (n *numberNames) isID(name string) bool { return endsIn(name, n.ids) }

func endsIn(name string, words map[string]bool) bool {
	for name != "" {
		at := strings.LastIndexByte(name, '_')
		if word := name[at+1:]; word == "" || !isDigit(word[0]) {
			return words[word] || words[strings.TrimSuffix(word, "s")]
		}
		name = name[:max(at, 0)]
	}
	return false
}

// names reports whether a word of the name says that the number may be a person's after all.
func (n *numberNames) names(name string) bool {
	for word := range strings.SplitSeq(name, "_") {
		if n.unless[word] || n.unless[strings.TrimSuffix(word, "s")] {
			return true
		}
	}
	return false
}

// withoutMasks leaves the masks out of a name.
func (e *Engine) withoutMasks(name string) string {
	if !strings.Contains(name, "[") {
		return name
	}
	out := make([]byte, 0, len(name))
	for i := 0; i < len(name); {
		if end := e.maskEnd(name, i); end >= 0 {
			out = append(out, ' ')
			i = end
			continue
		}
		out = append(out, name[i])
		i++
	}
	return string(out)
}

// lastOf returns the last bytes of s, from the beginning of a character.
func lastOf(s string, most int) string {
	if len(s) <= most {
		return s
	}
	s = s[len(s)-most:]
	for s != "" && !utf8.RuneStart(s[0]) {
		s = s[1:]
	}
	return s
}

func areDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}
