// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
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
	exact        []string
	suffix       []string
	anywhere     []string
	inText       bool
	query        bool
	line         bool
	proseDigit   bool
	overrides    bool
}

// keyInfo is what the policy says about one name.
type keyInfo struct {
	words        string // joined by spaces, for context words
	secret       *keyRule
	user         bool
	exempt       bool
	near         bits // rules of which a context word is in the name
	redacted     string
	redactedHits []int
}

// normalise splits a name into words and joins them by an underscore.
func normalise(name string) string {
	return string(appendNormal(make([]byte, 0, len(name)+4), name))
}

func appendNormal(out []byte, name string) []byte {
	from := len(out)
	gap := false
	for i := range len(name) {
		c := name[i]
		lower, upper, digit := c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', isDigit(c)
		if !lower && !upper && !digit {
			gap = true
			continue
		}
		if upper && i > 0 {
			before := name[i-1]
			if before >= 'a' && before <= 'z' || isDigit(before) {
				gap = true
			} else if before >= 'A' && before <= 'Z' && i+1 < len(name) && name[i+1] >= 'a' && name[i+1] <= 'z' {
				gap = true
			}
		}
		if gap && len(out) > from {
			out = append(out, '_')
		}
		gap = false
		if upper {
			c += 'a' - 'A'
		}
		out = append(out, c)
	}
	return out
}

func hasSuffixWords(name, words string) bool {
	return strings.HasSuffix(name, words) &&
		(len(name) == len(words) || name[len(name)-len(words)-1] == '_')
}

func hasWords(name, words string) bool {
	for from := 0; ; {
		i := strings.Index(name[from:], words)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(words)
		if (start == 0 || name[start-1] == '_') && (end == len(name) || name[end] == '_') {
			return true
		}
		from = start + 1
	}
}

func (r *keyRule) matches(name string) bool {
	for _, words := range r.exact {
		if name == words {
			return true
		}
	}
	for _, words := range r.suffix {
		if hasSuffixWords(name, words) {
			return true
		}
	}
	for _, words := range r.anywhere {
		if hasWords(name, words) {
			return true
		}
	}
	return false
}

// secretKey returns the first key rule for a normalised name that use allows.
func (e *Engine) secretKey(name string, use func(*keyRule) bool) *keyRule {
	if name == "" {
		return nil
	}
	last := name[strings.LastIndexByte(name, '_')+1:]
	excepted := e.except[last]
	for _, r := range e.keys {
		if (excepted && !r.overrides) || !use(r) {
			continue
		}
		if r.matches(name) {
			return r
		}
	}
	return nil
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

func (e *Engine) classify(key string) *keyInfo {
	name := normalise(key)
	k := &keyInfo{words: strings.ReplaceAll(name, "_", " ")}
	k.secret = e.secretKey(name, asAttribute)
	for _, words := range e.userKeys {
		if k.secret == nil && hasSuffixWords(name, words) {
			k.user = true
		}
	}
	for _, words := range e.exempt {
		if hasSuffixWords(name, words) {
			k.exempt = true
		}
	}
	for i, r := range e.rules {
		if len(r.contextWords) > 0 && e.isNearKey(r, k.words) {
			k.near.set(i)
		}
	}
	var hits Hits
	if out, changed := e.text(noKey, key, &hits, 0); changed {
		k.redacted, k.redactedHits = out, hits.counts
	}
	return k
}
