// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"unicode/utf8"
)

// Where the name of a pair was seen.
const (
	pairsAnywhere = 1 << iota
	pairsQuery
)

// addKeyWords files each name that may stand in a text.
func (c *scanner) addKeyWords() {
	for _, r := range c.e.keys {
		where := byte(pairsAnywhere)
		if r.query {
			where = pairsQuery
		} else if !r.inText {
			continue
		}
		c.pairsHigh |= where // a letter with a mark may be one of its name
		for i := range r.entries {
			c.addKeyEntry(&r.entries[i], where)
		}
	}
}

// addKeyEntry files an entry under its first three letters; and, if it begins with words so short that
// a sign may stand among these, under those of what follows as well.
func (c *scanner) addKeyEntry(entry *nameEntry, where byte) {
	l := entry.letters
	switch {
	case !isASCII(l): // pairsHigh
	case entry.place == endOfWord:
		c.nameEndings.add(l, where)
		c.nameEndings.add(l+"s", where)
	default:
		for from := 0; ; {
			next := from + 1
			for next < len(l) && entry.joints&(1<<next) == 0 {
				next++
			}
			split, rest := next-from < trigramLength && next < len(l), len(l)-next >= trigramLength
			if split && !rest && next-from == 1 {
				c.pairsAlways |= where
			}
			c.names.addName(nameEntry{letters: l[from:], joints: entry.joints >> from}, where, split && !rest)
			if !split || !rest {
				return
			}
			from = next
		}
	}
}

// addName takes the words of a name, however they are joined; a short one is found by two letters.
func (x *wordIndex) addName(name nameEntry, where byte, short bool) {
	for i := range x.literals {
		if l := &x.literals[i]; l.text == name.letters && l.joints == name.joints && l.short == short {
			l.pairs |= where
			return
		}
	}
	x.literals = append(x.literals, literal{text: name.letters, joints: name.joints, short: short || len(name.letters) < trigramLength, pairs: where})
}

// stands reports whether the words of a name begin at s[i], joined in any way.
func (l *literal) stands(s string, i int) bool {
	for k := range len(l.text) {
		if l.joints&(1<<k) != 0 {
			for i < len(s) && classes[s[i]]&(classAlnum|classHigh) == 0 {
				i++
			}
		}
		if i >= len(s) || lower(s[i]) != l.text[k] {
			return false
		}
		i++
	}
	return i == len(s) || classes[s[i]]&classLower == 0 || endsInPlural(s, i)
}

// mostNoted is how many places are noted before they are looked at: most texts have no pair at all.
const mostNoted = 24

// noteName notes a place where a name may begin. Names count only beside a separator, so they wait
// until one is seen.
func (p *pass) noteName(i int) {
	if p.noted < mostNoted {
		p.places[p.noted] = int32(i) //nolint:gosec // a text is shorter than 2 GiB
		p.noted++
		return
	}
	p.nameAt(i)
}

// names looks for names at the places that were noted.
func (p *pass) names() {
	for _, i := range p.places[:p.noted] {
		p.nameAt(int(i))
	}
}

// nameAt looks for names that begin at i.
func (p *pass) nameAt(i int) {
	s, x := p.s, &p.c.names
	if i+trigramLength-1 < len(s) {
		t := trigram(s[i], s[i+1], s[i+2])
		fourth := byte(0)
		if i+trigramLength < len(s) {
			fourth = s[i+trigramLength] | caseBit
		}
		for at := x.buckets[t]; at >= 0; at = x.links[at].next {
			if one := x.links[at].fourth; one != 0 && one != fourth {
				continue
			}
			if l := &x.literals[at]; p.pairs&l.pairs != l.pairs && l.stands(s, i) {
				p.pairs |= l.pairs
			}
		}
	}
	if i+1 < len(s) && x.pairsOf.has(trigram(s[i], s[i+1], 0)) {
		for at := range x.shorts {
			if l := &x.shorts[at]; l.stands(s, i) {
				p.pairs |= l.pairs
			}
		}
	}
}

// endsInPlural reports whether s[end:] continues a word by an s or es alone.
func endsInPlural(s string, end int) bool {
	if s[end] == 'e' {
		end++
	}
	return end < len(s) && s[end] == 's' && (end+1 == len(s) || classes[s[end+1]]&classLower == 0)
}

// escapedBracket looks for a word after %5B, as in user%5Bpassword%5D=: the token there begins with
// the escape's own letters.
func (p *pass) escapedBracket(i int) {
	const escape = len("%5B")
	if s := p.s; i+escape+2 < len(s) && s[i+1] == '5' && lower(s[i+2]) == 'b' {
		p.word(i + escape)
		p.noteName(i + escape)
	}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// nameEndings finds the names of pairs that are glued to what stands before them, as in dbpassword.
type nameEndings struct {
	known   *lastThree
	endings []literal
}

func (x *nameEndings) add(text string, where byte) {
	x.known.add(text)
	x.endings = append(x.endings, literal{text: text, pairs: where})
}

// nameEnds compares the end of a word that began at start.
func (p *pass) nameEnds(start, end int) {
	s, x := p.s, &p.c.nameEndings
	for i := range x.endings {
		e := &x.endings[i]
		if end-start >= len(e.text) && equalFoldASCII(s[end-len(e.text):end], e.text) {
			p.pairs |= e.pairs
		}
	}
}
