// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"iter"
	"slices"
	"strings"
)

// literal is a word or prefix that makes rules possible. Words are compared without regard to
// case, prefixes exactly.
type literal struct {
	text   string
	exact  bool
	rules  bits
	near   bits
	tokens []*tokenRow // of which it is a prefix or, unless it is exact, the vendor's word
}

// link is all of a literal that most places need: its first eight characters, or as many as are sure.
type link struct {
	want, mask uint64 // see headOf
	next       int16  // in the same bucket, or -1
}

const headLength = 8

// headOf packs the characters at s[i:], up to eight, without regard to case.
func headOf(s string, i int) (head uint64) {
	const cases = 0x2020202020202020
	if i+headLength <= len(s) {
		s = s[i : i+headLength]
		return cases | uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	}
	for n := range len(s) - i {
		head |= uint64(s[i+n]) << (8 * n)
	}
	return head | cases
}

// linkOf is the link of a text of which so many characters are sure.
func linkOf(text string, sure int, next int16) link {
	mask := uint64(1)<<(8*min(sure, headLength)) - 1 // all if eight are
	return link{want: headOf(text, 0) & mask, mask: mask, next: next}
}

// wordIndex finds the literals that begin at a place of a text. A bit reports whether any of them, or
// any name of a pair, begins with these three characters, another whether with these four: few places
// pass the first, and few of these the second.
type wordIndex struct {
	begins   [trigrams / 64]uint64 // by trigram
	fours    [1 << 16 / 64]uint64  // by fourOf, unless it is of two characters
	threes   []int16               // by trigram: the first of its literals of three characters, or -1
	buckets  []int16               // by fourOf: the first of those that are longer, or -1
	links    []link                // as literals
	literals []literal
	shorts   []shortLiteral // of two letters, which sit in no bucket
	shortsOf [1 << 10]uint8 // by the first two characters: one more than the place of the first, or 0
}

// shortLiteral is one of two characters, and one more than the place of the next with the same, or 0.
type shortLiteral struct {
	literal
	next uint8
}

// fourOf is a number made of the first three characters of s and a fourth, without regard to case;
// different ones may collide.
func fourOf(s string, fourth byte) uint16 {
	const fold, mix = 0x1f1f1f1f, 0x9e3779b1
	return uint16((uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(fourth)<<24) & fold * mix >> 16)
}

// trigram packs three characters without regard to case; different characters may collide.
func trigram(a, b, c byte) uint16 {
	return uint16(a&31) | uint16(b&31)<<5 | uint16(c&31)<<10
}

const (
	trigramLength = 3

	trigrams   = 1 << 15
	pairOfChar = 1<<10 - 1 // the part of a trigram that is its first two characters
)

func (x *wordIndex) init() {
	x.threes, x.buckets = slices.Repeat([]int16{-1}, trigrams), slices.Repeat([]int16{-1}, 1<<16)
}

func (x *wordIndex) add(text string, exact bool) *literal {
	for i := range x.literals {
		if l := &x.literals[i]; l.text == text && l.exact == exact {
			return l
		}
	}
	x.literals = append(x.literals, literal{text: text, exact: exact})
	return &x.literals[len(x.literals)-1]
}

// build files every literal under its first characters, and notes how the names begin.
func (x *wordIndex) build(names *nameTable) {
	x.links = make([]link, len(x.literals))
	for i := range x.literals {
		l := &x.literals[i]
		if len(l.text) < trigramLength {
			pair := x.notePair(l.text)
			x.shorts = append(x.shorts, shortLiteral{literal: *l, next: x.shortsOf[pair]})
			x.shortsOf[pair] = uint8(len(x.shorts))
			continue
		}
		first := &x.threes[trigram(l.text[0], l.text[1], l.text[2])]
		if len(l.text) > trigramLength {
			first = &x.buckets[fourOf(l.text, l.text[trigramLength])]
		}
		x.links[i] = linkOf(l.text, len(l.text), *first)
		*first = int16(i)
		x.note(l.text, len(l.text) > trigramLength)
	}
	for i := range names.names {
		l := &names.names[i]
		x.note(l.letters, len(l.letters) > trigramLength && l.joints&(1<<trigramLength) == 0)
	}
	for i := range names.shorts {
		x.notePair(names.shorts[i].letters)
	}
}

// note remembers how a text begins: with its first four characters or, if only three are sure, these
// before any other.
func (x *wordIndex) note(text string, sure bool) {
	t := trigram(text[0], text[1], text[2])
	x.begins[t>>6] |= 1 << (t & 63)
	for fourth := range byte(32) {
		if sure {
			fourth = text[trigramLength]
		}
		n := fourOf(text, fourth)
		x.fours[n>>6] |= 1 << (n & 63)
	}
}

// notePair does the same for a text of which only two characters are sure.
func (x *wordIndex) notePair(text string) uint16 {
	for third := range byte(32) {
		t := trigram(text[0], text[1], third)
		x.begins[t>>6] |= 1 << (t & 63)
	}
	return trigram(text[0], text[1], 0)
}

// findable reports whether the index sees a word wherever it may stand: where a token begins, after a
// digit, or where lower case turns into upper case.
func findable(word string) bool {
	return len(word) >= 2 && classes[word[0]]&classLetter != 0 && (len(word) > 2 || isAlnum(word[1]))
}

// addContextWords files the words beside which rule i is tried. What else its
// pattern needs is asked in the end.
func (c *scanner) addContextWords(i int, r *rule, needs fact) {
	for _, one := range r.contextWords {
		word := one.text
		switch {
		case classes[word[0]]&classHigh != 0:
			c.highNear.set(i)
		case findable(word):
			c.words.add(word, false).near.set(i)
		default:
			c.alwaysNear.set(i)
		}
	}
	c.wordRules = append(c.wordRules, wordRule{rule: i, needs: needs})
}

// beginsWord reports whether a letter within a token begins a word: after a digit, or where lower case
// turns into upper case, as in userPassword and APIKey.
func beginsWord(before, class byte, s string, i int) bool {
	return before&classLetter == 0 ||
		(class&classUpper != 0 && (before&classLower != 0 || (i+1 < len(s) && classes[s[i+1]]&classLower != 0)))
}

// mayBegin reports whether a literal or a name may begin at i.
func (x *wordIndex) mayBegin(s string, i int) bool {
	if i+2 >= len(s) {
		return true
	}
	t := trigram(s[i], s[i+1], s[i+2])
	return x.begins[t>>6]&(1<<(t&63)) != 0
}

// word looks for literals that begin at i.
func (p *pass) word(i int) {
	switch s := p.s; {
	case i+2 < len(s):
		p.verify(i, trigram(s[i], s[i+1], s[i+2]))
	case i+2 == len(s):
		p.shortWord(i)
	}
}

// verify compares the literals that may begin at i, where the trigram t stands.
func (p *pass) verify(i int, t uint16) {
	s, x := p.s, &p.c.words
	if x.shortsOf[t&pairOfChar] > 0 {
		p.shortWord(i)
	}
	fourth := byte(0)
	if i+trigramLength < len(s) {
		fourth = s[i+trigramLength]
	}
	n := fourOf(s[i:], fourth)
	if x.fours[n>>6]&(1<<(n&63)) == 0 {
		if p.pairs&pairsAnywhere == 0 {
			p.pairs |= p.c.names.shortAt(s, i)
		}
		return
	}
	head := headOf(s, i)
	for at := x.threes[t]; at >= 0; at = x.links[at].next {
		p.literal(at, head, i)
	}
	for at := x.buckets[n]; at >= 0; at = x.links[at].next {
		p.literal(at, head, i)
	}
	if p.pairs&pairsAnywhere == 0 {
		p.pairs |= p.c.names.at(s, i, t, fourth, head)
	}
}

// literal compares one of the literals with what stands at i.
func (p *pass) literal(at int16, head uint64, i int) {
	s, x := p.s, &p.c.words
	if one := &x.links[at]; head&one.mask != one.want {
		return
	}
	l := &x.literals[at]
	if !l.standsAt(s, i) {
		return
	}
	if l.tokens != nil {
		p.vendorToken(l, i)
	}
	if l.exact || wordMayEnd(s, i+len(l.text)) {
		p.found(l)
	}
}

// shortWord compares the literals of two letters.
func (p *pass) shortWord(i int) {
	s, x := p.s, &p.c.words
	for at := x.shortsOf[trigram(s[i], s[i+1], 0)]; at > 0; at = x.shorts[at-1].next {
		l := &x.shorts[at-1].literal
		if l.exact {
			if s[i:i+2] == l.text && (i == 0 || classes[s[i-1]]&classAlnum == 0) {
				p.vendorToken(l, i)
				p.found(l)
			}
		} else if equalFoldASCII(s[i:i+2], l.text) && wordMayEnd(s, i+2) {
			p.found(l)
		}
	}
}

// wordMayEnd reports whether a word of the context may end at end: a letter in lower case goes on with it.
func wordMayEnd(s string, end int) bool {
	return end >= len(s) || classes[s[end]]&classLower == 0 || classes[s[end-1]]&classLetter == 0
}

func (p *pass) found(l *literal) {
	p.wanted.add(&l.rules)
	p.near.add(&l.near)
}

// vendorToken wants the rule `vendor_tokens` if a token of l's rows stands here.
func (p *pass) vendorToken(l *literal, i int) {
	if l.tokens != nil && p.c.e.tokenAt(l, p.s, i).row != nil {
		p.wanted.set(p.c.tokenRule)
	}
}

// tokensAt yields the prefixes and words of `vendor_tokens` that stand at i.
func (c *scanner) tokensAt(s string, i int) iter.Seq[*literal] {
	return func(yield func(*literal) bool) {
		for n := range c.marks {
			if l := &c.marks[n]; strings.HasPrefix(s[i:], l.text) && !yield(l) {
				return
			}
		}
		if i+2 >= len(s) || (i > 0 && classes[s[i-1]]&classAlnum != 0 && !beginsWord(classes[s[i-1]], classes[s[i]], s, i)) {
			return
		}
		x := &c.words
		if !x.mayBegin(s, i) {
			return
		}
		firsts := [2]int16{x.threes[trigram(s[i], s[i+1], s[i+2])], -1}
		if i+trigramLength < len(s) {
			firsts[1] = x.buckets[fourOf(s[i:], s[i+trigramLength])]
		}
		for _, at := range firsts {
			for ; at >= 0; at = x.links[at].next {
				if l := &x.literals[at]; l.tokens != nil && l.standsAt(s, i) && !yield(l) {
					return
				}
			}
		}
		for at := x.shortsOf[trigram(s[i], s[i+1], 0)]; at > 0; at = x.shorts[at-1].next {
			if l := &x.shorts[at-1].literal; l.tokens != nil && l.standsAt(s, i) && !yield(l) {
				return
			}
		}
	}
}

// standsAt reports whether the literal stands at i, where a word begins.
func (l *literal) standsAt(s string, i int) bool {
	end := i + len(l.text)
	if end > len(s) {
		return false
	}
	if l.exact {
		return s[i:end] == l.text && (i == 0 || classes[s[i-1]]&classAlnum == 0)
	}
	return equalFoldASCII(s[i:end], l.text)
}

// addTokens files the prefixes and words of the vendors' rows, for rule i. A prefix that stands within
// its token is found by its first character that is no letter or digit.
func (c *scanner) addTokens(i int, bound *probeRules) {
	c.tokenRule = i
	for _, r := range c.e.tokenRows {
		for _, word := range r.words {
			l := c.words.add(word, false)
			l.tokens = append(l.tokens, r)
		}
		if len(r.words) > 0 {
			continue
		}
		for _, prefix := range r.prefixes {
			if r.lead.alphabet == nil {
				l := c.words.add(prefix, true)
				l.tokens = append(l.tokens, r)
				continue
			}
			c.marks = append(c.marks, literal{text: prefix, exact: true, tokens: []*tokenRow{r}})
			sign := strings.IndexFunc(prefix, func(c rune) bool { return !isAlnum(byte(c)) })
			l := &literal{text: prefix, exact: true, tokens: []*tokenRow{r}}
			one := probe{sign: prefix[sign : sign+1], test: func(s string, t token) bool {
				at := t.start - sign
				return at >= 0 && strings.HasPrefix(s[at:], prefix) && c.e.tokenAt(l, s, at).row != nil
			}}
			if sign+1 < len(prefix) {
				one.next = prefix[sign+1 : sign+2]
			}
			bound.add(&one, i)
		}
	}
}

// escapedBracket looks for a word after %5B, as in user%5Bpassword%5D=: the token there begins with
// the escape's own letters.
func (p *pass) escapedBracket(i int) {
	const escape = len("%5B")
	if s := p.s; i+escape+2 < len(s) && s[i+1] == '5' && lower(s[i+2]) == 'b' {
		p.word(i + escape)
	}
}

// ending is the end of a word that makes rules possible, without regard to case.
type ending struct {
	text  string
	blank bool      // a blank or tab follows
	test  probeTest // or nil
	rules bits
	next  uint8 // with the same last three characters: one more than its place, or 0
}

// endingIndex finds words by their last three characters.
type endingIndex struct {
	known   [trigrams / 64]uint64
	first   [trigrams]uint8 // by trigram: one more than the place of the first, or 0
	endings []ending
}

// add takes an ending; a blank at its end stands for a blank or tab after the word.
func (x *endingIndex) add(text string, test probeTest, rules bits) {
	word := strings.TrimSuffix(text, " ")
	n := len(word)
	t := trigram(word[n-3], word[n-2], word[n-1])
	x.known[t>>6] |= 1 << (t & 63)
	x.endings = append(x.endings, ending{text: word, blank: word != text, test: test, rules: rules, next: x.first[t]})
	x.first[t] = uint8(len(x.endings))
}

// mayEnd reports whether a known ending may end at end.
func (x *endingIndex) mayEnd(s string, end int) bool {
	t := trigram(s[end-3], s[end-2], s[end-1])
	return x.known[t>>6]&(1<<(t&63)) != 0
}

// ending compares the end of a token.
func (p *pass) ending(t token) {
	s, x, after := p.s, &p.c.endings, next(p.s, t)
	for i := x.first[trigram(s[t.end-3], s[t.end-2], s[t.end-1])]; i > 0; i = x.endings[i-1].next {
		e := &x.endings[i-1]
		if t.length() >= len(e.text) && (!e.blank || after == ' ' || after == '\t') &&
			equalFoldASCII(s[t.end-len(e.text):t.end], e.text) && (e.test == nil || e.test(s, t)) {
			p.wanted.add(&e.rules)
		}
	}
}
