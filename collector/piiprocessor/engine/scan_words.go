// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "strings"

// literal is a word or prefix that makes rules possible. Words are compared without regard to
// case, prefixes exactly.
type literal struct {
	text  string
	exact bool
	next  int16 // in the same bucket, or -1
	last  byte  // in lower case: it decides about most of a bucket without comparing the rest
	rules bits
	near  bits
	pairs byte
}

// Where the name of a pair was seen.
const (
	pairsAnywhere = 1 << iota
	pairsQuery
)

// wordIndex finds the literals that begin at a place of a text by its first three characters, of
// which a bit reports whether any literal begins so: few places need more.
type wordIndex struct {
	begins   [1 << 16 / 64]uint64
	buckets  []int16 // by trigram: the first of its literals, or -1
	literals []literal
	shorts   []literal            // of two letters, which sit in no bucket
	pairsOf  [1 << 10 / 64]uint64 // their letters
}

// trigram packs three characters without regard to case; different characters may collide.
func trigram(a, b, c byte) uint16 {
	return uint16(a&31) | uint16(b&31)<<5 | uint16(c&31)<<10
}

const (
	trigrams   = 1 << 15
	pairOfChar = 1<<10 - 1 // the part of a trigram that is its first two characters
)

func (x *wordIndex) init() {
	x.buckets = make([]int16, trigrams)
	for i := range x.buckets {
		x.buckets[i] = -1
	}
}

func (x *wordIndex) add(text string, exact bool) *literal {
	for i := range x.literals {
		if x.literals[i].text == text && x.literals[i].exact == exact {
			return &x.literals[i]
		}
	}
	x.literals = append(x.literals, literal{text: text, exact: exact})
	return &x.literals[len(x.literals)-1]
}

// build files every literal under its first three characters; one of two letters is looked for
// under each third character.
func (x *wordIndex) build() {
	for i := range x.literals {
		l := &x.literals[i]
		if len(l.text) > 2 {
			t := trigram(l.text[0], l.text[1], l.text[2])
			x.begins[t>>6] |= 1 << (t & 63)
			l.next, x.buckets[t], l.last = x.buckets[t], int16(i), lower(l.text[len(l.text)-1])
			continue
		}
		for third := range byte(32) {
			t := trigram(l.text[0], l.text[1], third)
			x.begins[t>>6] |= 1 << (t & 63)
		}
		pair := trigram(l.text[0], l.text[1], 0)
		x.pairsOf[pair>>6] |= 1 << (pair & 63)
		x.shorts = append(x.shorts, *l)
	}
}

// findable reports whether the index sees a word wherever it may stand: where a token begins, after a
// digit, or where lower case turns into upper case.
func findable(word string) bool {
	return len(word) >= 2 && classes[word[0]]&classLetter != 0 && (len(word) > 2 || isAlnum(word[1]))
}

// addContextWords files the words beside which rule i is tried. A single trigger of digits is a
// further condition; others are not asked.
func (c *scanner) addContextWords(i int, r *rule, needs fact) {
	for _, word := range r.indexWords {
		switch {
		case classes[word[0]]&classHigh != 0:
			c.highNear.set(i)
		case findable(word):
			c.words.add(word, false).near.set(i)
		default:
			c.alwaysNear.set(i)
		}
	}
	digits := 0
	if len(r.triggers) == 1 && r.triggers[0].class == "digits" {
		digits = r.triggers[0].count
	}
	c.wordRules = append(c.wordRules, wordRule{rule: i, digits: digits, needs: needs})
}

// commonWords distinguish little: an entry is known by another of its words where it has one.
var commonWords = map[string]bool{
	"number": true, "no": true, "code": true, "key": true, "id": true, "x": true, "name": true, "user": true, "db": true, "num": true, "data": true,
	"app": true, "one": true, "time": true, "two": true, "access": true, "auth": true, "session": true, "account": true, "card": true, "service": true,
	"master": true, "storage": true, "device": true, "push": true,
}

// addKeyWords files, for each name that may stand in a text, a word that it must hold.
func (c *scanner) addKeyWords() {
	for _, r := range c.e.keys {
		where := byte(pairsAnywhere)
		if r.query {
			where = pairsQuery
		} else if !r.inText {
			continue
		}
		for _, names := range [][]string{r.exact, r.suffix, r.anywhere} {
			for _, name := range names {
				if word := rarestWord(name); len(word) >= 2 {
					c.words.add(word, false).pairs |= where
				} else {
					c.pairsAlways |= where
				}
			}
		}
	}
}

func rarestWord(name string) string {
	words := strings.Split(name, "_")
	best := words[0]
	for _, word := range words[1:] {
		if len(word) > 2 && !isDigit(word[0]) && (commonWords[best] || len(best) < 3) {
			best = word
		}
	}
	return best
}

// beginsWord reports whether a letter within a token begins a word: after a digit, or where lower case
// turns into upper case, as in userPassword and APIKey.
func beginsWord(before, class byte, s string, i int) bool {
	return before&classLetter == 0 ||
		(class&classUpper != 0 && (before&classLower != 0 || (i+1 < len(s) && classes[s[i+1]]&classLower != 0)))
}

// mayBegin reports whether a literal may begin at i.
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
	for at := x.buckets[t]; at >= 0; at = x.literals[at].next {
		l := &x.literals[at]
		end := i + len(l.text)
		if end > len(s) || lower(s[end-1]) != l.last {
			continue
		}
		if l.exact {
			if s[i:end] != l.text || (i > 0 && classes[s[i-1]]&classAlnum != 0) {
				continue
			}
		} else if !equalFoldASCII(s[i:end], l.text) || (end < len(s) && classes[s[end]]&classLower != 0) {
			continue
		}
		p.found(l)
	}
	if pair := t & pairOfChar; x.pairsOf[pair>>6]&(1<<(pair&63)) != 0 {
		p.shortWord(i)
	}
}

// shortWord compares the literals of two letters.
func (p *pass) shortWord(i int) {
	s, shorts := p.s, p.c.words.shorts
	for at := range shorts {
		l := &shorts[at]
		if l.exact {
			if s[i:i+2] == l.text && (i == 0 || classes[s[i-1]]&classAlnum == 0) {
				p.found(l)
			}
		} else if equalFoldASCII(s[i:i+2], l.text) {
			p.found(l)
		}
	}
}

func (p *pass) found(l *literal) {
	p.wanted.add(&l.rules)
	p.near.add(&l.near)
	p.pairs |= l.pairs
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
}

// endingIndex finds words by their last three characters.
type endingIndex struct {
	known   [trigrams / 64]uint64
	endings []ending
}

// add takes an ending; a blank at its end stands for a blank or tab after the word.
func (x *endingIndex) add(text string, test probeTest, rules bits) {
	word := strings.TrimSuffix(text, " ")
	n := len(word)
	t := trigram(word[n-3], word[n-2], word[n-1])
	x.known[t>>6] |= 1 << (t & 63)
	x.endings = append(x.endings, ending{text: word, blank: word != text, test: test, rules: rules})
}

// mayEnd reports whether a known ending may end at end.
func (x *endingIndex) mayEnd(s string, end int) bool {
	t := trigram(s[end-3], s[end-2], s[end-1])
	return x.known[t>>6]&(1<<(t&63)) != 0
}

// ending compares the end of a token.
func (p *pass) ending(t token) {
	s, x, after := p.s, &p.c.endings, next(p.s, t)
	for i := range x.endings {
		e := &x.endings[i]
		if t.length() >= len(e.text) && (!e.blank || after == ' ' || after == '\t') &&
			equalFoldASCII(s[t.end-len(e.text):t.end], e.text) && (e.test == nil || e.test(s, t)) {
			p.wanted.add(&e.rules)
		}
	}
}
