// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "strings"

// addDerived files a rule without a prefilter by what its pattern needs: strings where the pass comes
// by, else counts, else, for strings that the pass does not see, a search of the whole text.
func (c *scanner) addDerived(i int, r *rule) {
	var rules bits
	rules.set(i)
	placed := true
	var asked []need
	var places []func()
	for _, w := range witnessesOf(r) {
		place := c.placeOf(w, rules)
		switch {
		case w.text == "":
			asked = append(asked, w.need)
		case place == nil:
			placed = false
		default:
			places = append(places, place)
		}
	}
	switch {
	case len(r.needs.anyOf) == 0:
		c.counted = append(c.counted, countedRule{rule: i})
	case !placed:
		c.generic = append(c.generic, i)
	default:
		for _, place := range places {
			place()
		}
		if len(asked) > 0 {
			c.counted = append(c.counted, countedRule{rule: i, anyOf: asked})
		}
		c.checked.set(i)
	}
}

// witness is a need with its place: whether a token begins with it.
type witness struct {
	need
	first bool
}

// witnessesOf are the needs of a rule, for each alternative of its pattern the best.
func witnessesOf(r *rule) (all []witness) {
	add := func(needs []need, first bool) {
		for _, one := range needs {
			all = append(all, witness{one, first})
		}
	}
	if !beginsToken(r) {
		add(r.needs.anyOf, false)
		return all
	}
	for _, one := range alternatives(r.tree) {
		f := find(one)
		starts := usable(f.start)
		if len(starts) > 0 && areTokens(starts) {
			add(starts, true)
			continue
		}
		inner := better(better(f.best, usable(f.exact)), f.bestCount())
		if len(inner) == 0 {
			add(r.needs.anyOf, false)
			return all
		}
		add(inner, false)
	}
	return all
}

// beginsToken reports whether every hit begins where no letter or digit stands before it.
func beginsToken(r *rule) bool {
	if r.pattern.NumSubexp() > 0 {
		return false
	}
	for c := range byte(128) {
		if isAlnum(c) && !r.notBefore.has(c) {
			return false
		}
	}
	return true
}

func alternatives(n *node) []*node {
	if n.kind == choice {
		return n.items
	}
	return []*node{n}
}

func areTokens(all []need) bool {
	for _, one := range all {
		if one.folded || len(one.text) < 2 || !isAlnum(one.text[0]) {
			return false
		}
	}
	return true
}

// placeOf returns what makes the pass look for a string, or nil if it cannot.
func (c *scanner) placeOf(w witness, rules bits) func() {
	if w.first {
		return func() { c.words.add(w.text, true).rules.add(&rules) }
	}
	if at := rarestSign(w.text); at >= 0 {
		p := &probe{sign: w.text[at : at+1], test: func(s string, t token) bool { return w.standsAt(s, t.start-at) }}
		if at+1 < len(w.text) {
			p.next = w.text[at+1 : at+2]
			if w.folded {
				p.next += strings.ToUpper(p.next)
			}
		}
		return func() { c.addProbe(p, rules) }
	}
	if start, end := wordBeforeBlank(w.text); end > 0 {
		test := func(s string, t token) bool { return w.standsAt(s, t.end-end) }
		return func() { c.endings.add(lowerASCII(w.text[start:end])+" ", test, rules) }
	}
	return nil
}

func (n need) standsAt(s string, start int) bool {
	end := start + len(n.text)
	if start < 0 || end > len(s) {
		return false
	}
	if n.folded {
		return equalFoldASCII(s[start:end], n.text)
	}
	return s[start:end] == n.text
}

// rarestSign is the place of a character that the pass stops at, or -1: neither letter, digit nor
// blank, and if there is a choice, one that is seldom in a text and has a character after it.
func rarestSign(text string) int {
	best, place := 0, -1
	for i := range len(text) {
		c := text[i]
		if isAlnum(c) || c == ' ' || c >= 0x80 {
			continue
		}
		score := 1
		if !strings.ContainsRune(commonSigns, rune(c)) {
			score += 2
		}
		if i+1 < len(text) {
			score++
		}
		if score > best {
			best, place = score, i
		}
	}
	return place
}

// wordBeforeBlank is where a word of three letters or digits or more stands before a blank or tab.
func wordBeforeBlank(text string) (start, end int) {
	for i := range len(text) {
		if !isAlnum(text[i]) {
			if (text[i] == ' ' || text[i] == '\t') && i-start > 2 {
				return start, i
			}
			start = i + 1
		}
	}
	return 0, 0
}
