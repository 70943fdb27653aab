// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "strings"

// place is where in a name the words of an entry count.
type place byte

const (
	wholeName place = iota
	beginning       // with more behind
	atEnd
	anywhere
	endOfWord // glued to what stands before, as in dbpassword
)

// longestEntry bounds the letters of an entry, and so what one comparison costs.
const longestEntry = 64

// nameEntry is one entry of a key rule: its letters, and before which of them a word may begin.
type nameEntry struct {
	letters string
	joints  uint64
	place   place
	rule    *keyRule
}

// nameIndex finds the entries of key rules in normalised names.
type nameIndex struct {
	begins  [1 << 10][]nameEntry // by the first two letters
	endings [1 << 10][]nameEntry // those of endOfWord, by the last two
	before  map[string]bool
	after   map[string]bool
	neutral map[string]bool
}

func newNameEntry(words string, where place, r *keyRule) nameEntry {
	entry := nameEntry{place: where, rule: r}
	letters := make([]byte, 0, len(words))
	for i := range len(words) {
		if words[i] == '_' {
			entry.joints |= 1 << len(letters)
			continue
		}
		letters = append(letters, words[i])
	}
	entry.letters = string(letters)
	return entry
}

func letterPair(a, b byte) int { return int(a&31) | int(b&31)<<5 }

// firstPair is the pair of letters that the words at name[i] begin with.
func firstPair(name string, i int) int {
	second := name[i+1]
	if second == '_' && i+2 < len(name) {
		second = name[i+2]
	}
	return letterPair(name[i], second)
}

func (x *nameIndex) add(entry nameEntry) {
	l := entry.letters
	if entry.place == endOfWord {
		at := letterPair(l[len(l)-2], l[len(l)-1])
		x.endings[at] = append(x.endings[at], entry)
		return
	}
	at := letterPair(l[0], l[1])
	x.begins[at] = append(x.begins[at], entry)
}

// ends returns where the entry ends that begins at name[i], or -1, and whether in a plural.
func (entry *nameEntry) ends(name string, i int) (end int, plural bool) {
	l := entry.letters
	for k := range len(l) {
		if i < len(name) && name[i] == '_' && entry.joints&(1<<k) != 0 {
			i++
		}
		if i >= len(name) || name[i] != l[k] {
			return -1, false
		}
		i++
	}
	return wordEnd(name, i, l[len(l)-1])
}

// wordEnd returns the end of the word that is complete at name[i], but for its plural.
func wordEnd(name string, i int, last byte) (end int, plural bool) {
	switch {
	case i == len(name) || name[i] == '_':
		return i, false
	case name[i] == 's' && (i+1 == len(name) || name[i+1] == '_'):
		return i + 1, true
	case (last == 's' || last == 'x') && strings.HasPrefix(name[i:], "es") && (i+2 == len(name) || name[i+2] == '_'):
		return i + 2, true
	}
	return -1, false
}

// find returns the first key rule for a normalised name that use allows. Before name[own:] stand words
// that a blank parts from it: an entry that begins there has to reach the end.
func (x *nameIndex) find(name string, own int, use func(*keyRule) bool) *keyRule {
	var best *keyRule
	plural := false
	for i := 0; i+1 < len(name); {
		entries := x.begins[firstPair(name, i)]
		for e := range entries {
			entry := &entries[e]
			if (best != nil && entry.rule.order > best.order) || !use(entry.rule) {
				continue
			}
			if end, many := entry.ends(name, i); end >= 0 && x.counts(entry, name, own, i, end) {
				if best != entry.rule || !many {
					best, plural = entry.rule, many
				}
			}
		}
		word := i
		if n := strings.IndexByte(name[i:], '_'); n >= 0 {
			i += n + 1
		} else {
			i = len(name) + 1
		}
		if found, many := x.glued(name, own, word, i-1, use); found != nil && (best == nil || found.order < best.order || (found == best && !many)) {
			best, plural = found, many
		}
	}
	if plural {
		return best.plural
	}
	return best
}

// glued looks for an entry that the word name[start:end] ends in.
func (x *nameIndex) glued(name string, own, start, end int, use func(*keyRule) bool) (best *keyRule, plural bool) {
	for _, many := range [...]bool{false, true} {
		stem := name[start:end]
		if many {
			if !strings.HasSuffix(stem, "s") {
				break
			}
			stem = stem[:len(stem)-1]
		}
		if len(stem) < 2 {
			break
		}
		entries := x.endings[letterPair(stem[len(stem)-2], stem[len(stem)-1])]
		for e := range entries {
			entry := &entries[e]
			if (best == nil || entry.rule.order < best.order) && use(entry.rule) && strings.HasSuffix(stem, entry.letters) &&
				x.counts(entry, name, own, start, end) {
				best, plural = entry.rule, many
			}
		}
	}
	return best, plural
}

// counts reports whether an entry that stands at name[start:end] makes the name one of its rule's, by
// the words around it.
func (x *nameIndex) counts(entry *nameEntry, name string, own, start, end int) bool {
	r := entry.rule
	switch {
	case entry.place == beginning:
		return start == 0 && end < len(name)
	case entry.place == wholeName && start > 0:
		return false
	}
	for at := start; at > 0; {
		word := name[strings.LastIndexByte(name[:at-1], '_')+1 : at-1]
		if (at == start && r.notBehind[word]) || (!r.overrides && x.before[word]) {
			return false
		}
		at -= len(word) + 1
	}
	if end == len(name) {
		return true
	}
	rest := name[end+1:]
	holds := strings.HasSuffix(name, "_value") || strings.HasSuffix(name, "_values")
	for rest != "" {
		word := rest
		if n := strings.IndexByte(rest, '_'); n >= 0 {
			word, rest = rest[:n], rest[n+1:]
		} else {
			rest = ""
		}
		switch {
		case word == "": // between two signs that stand side by side
		case isDigit(word[0]) && entry.place != wholeName:
		case !r.overrides && !holds && x.after[word]:
			return false
		case entry.place == wholeName, (entry.place == atEnd || start < own) && !x.neutral[word]:
			return false
		}
	}
	return true
}
