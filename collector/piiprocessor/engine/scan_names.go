// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "unicode/utf8"

// Where the name of a pair was seen.
const (
	pairsAnywhere = 1 << iota
	pairsQuery
)

// mostCandidates is how many places of a text are kept until it is known whether a separator follows.
const mostCandidates = 16

// nameLiteral is an entry of a key rule, as it may stand in a text.
type nameLiteral struct {
	letters string
	joints  uint64 // before which letters a word may begin
	where   byte
}

// nameTable finds the names of pairs at the beginnings of words.
type nameTable struct {
	begins  [trigrams / 64]uint64
	buckets []int16 // by the first three letters: the first of its names, or -1
	names   []nameLiteral
	links   []link        // of the names
	shorts  []nameLiteral // found by their first two letters

	shortPairs [1 << 10 / 64]uint64 // these
	endings    nameEndings
	always     byte // the kinds of names that it cannot find
	high       byte // the kinds of names that a character beyond ASCII may belong to
}

func (x *nameTable) init() {
	x.buckets = make([]int16, trigrams)
	for i := range x.buckets {
		x.buckets[i] = -1
	}
	x.endings.shortest = longestEntry + 1
}

// addRules files each name that may stand in a text.
func (x *nameTable) addRules(rules []*keyRule) {
	for _, r := range rules {
		where := byte(pairsAnywhere)
		if r.query {
			where = pairsQuery
		} else if !r.inText {
			continue
		}
		x.high |= where // a letter with a mark may be one of its name
		for i := range r.entries {
			x.addEntry(&r.entries[i], where)
		}
	}
}

// addEntry files an entry under its first three letters; and, if it begins with words so short that
// a sign may stand among these, under those of what follows as well.
func (x *nameTable) addEntry(entry *nameEntry, where byte) {
	l := entry.letters
	switch {
	case !isASCII(l): // high
	case entry.place == endOfWord:
		x.endings.add(l, where)
		x.endings.add(l+"s", where)
	default:
		for from := 0; ; {
			next := from + 1
			for next < len(l) && entry.joints&(1<<next) == 0 {
				next++
			}
			split, rest := next-from < trigramLength && next < len(l), len(l)-next >= trigramLength
			if split && !rest && next-from == 1 {
				x.always |= where
			}
			short := (split && !rest) || len(l)-from < trigramLength
			x.add(nameLiteral{letters: l[from:], joints: entry.joints >> from, where: where}, short)
			if !split || !rest {
				return
			}
			from = next
		}
	}
}

func (x *nameTable) add(name nameLiteral, short bool) {
	if short {
		x.shorts = append(x.shorts, name)
		pair := trigram(name.letters[0], name.letters[1], 0)
		x.shortPairs[pair>>6] |= 1 << (pair & 63)
		for third := range byte(32) {
			t := trigram(name.letters[0], name.letters[1], third)
			x.begins[t>>6] |= 1 << (t & 63)
		}
		return
	}
	t := trigram(name.letters[0], name.letters[1], name.letters[2])
	for at := x.buckets[t]; at >= 0; at = x.links[at].next {
		if one := &x.names[at]; one.letters == name.letters && one.joints == name.joints {
			one.where |= name.where
			return
		}
	}
	x.begins[t>>6] |= 1 << (t & 63)
	one := link{next: x.buckets[t]}
	if len(name.letters) > trigramLength && name.joints&(1<<trigramLength) == 0 {
		one.fourth = name.letters[3] | caseBit
	}
	x.buckets[t] = int16(len(x.names))
	x.names, x.links = append(x.names, name), append(x.links, one)
}

func (x *nameTable) mayBegin(t uint16) bool { return x.begins[t>>6]&(1<<(t&63)) != 0 }

// at returns the kinds of the names that stand at s[i], which has two more characters behind it.
func (x *nameTable) at(s string, i int) (where byte) {
	fourth := byte(0)
	if i+3 < len(s) {
		fourth = s[i+3] | caseBit
	}
	for at := x.buckets[trigram(s[i], s[i+1], s[i+2])]; at >= 0; at = x.links[at].next {
		if one := x.links[at].fourth; one != 0 && one != fourth {
			continue
		}
		if l := &x.names[at]; where&l.where != l.where && l.stands(s, i) {
			where |= l.where
		}
	}
	if pair := trigram(s[i], s[i+1], 0); x.shortPairs[pair>>6]&(1<<(pair&63)) == 0 {
		return where
	}
	for at := range x.shorts {
		if l := &x.shorts[at]; where&l.where != l.where && l.stands(s, i) {
			where |= l.where
		}
	}
	return where
}

// candidate takes note of a place at which a name may stand.
func (p *pass) candidate(i int) {
	if p.candidates < mostCandidates {
		p.places[p.candidates] = int32(i)
		p.candidates++
	} else if p.pairs&pairsAnywhere == 0 {
		p.pairs |= p.c.names.at(p.s, i)
	}
}

// namesOfPairs looks at the candidates: there is a separator.
func (p *pass) namesOfPairs() {
	p.pairs |= p.c.names.always
	for _, i := range p.places[:p.candidates] {
		if p.pairs&pairsAnywhere != 0 {
			return
		}
		p.pairs |= p.c.names.at(p.s, int(i))
	}
}

// stands reports whether the words of a name begin at s[i], joined in any way.
func (l *nameLiteral) stands(s string, i int) bool {
	for k := range len(l.letters) {
		if l.joints&(1<<k) != 0 {
			for i < len(s) && classes[s[i]]&(classAlnum|classHigh) == 0 {
				i++
			}
		}
		if i >= len(s) || lower(s[i]) != l.letters[k] {
			return false
		}
		i++
	}
	return i == len(s) || classes[s[i]]&classLower == 0 || endsInPlural(s, i)
}

// endsInPlural reports whether s[end:] continues a word by an s or es alone.
func endsInPlural(s string, end int) bool {
	if s[end] == 'e' {
		end++
	}
	return end < len(s) && s[end] == 's' && (end+1 == len(s) || classes[s[end+1]]&classLower == 0)
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
	known    [trigrams / 64]uint64
	endings  []nameLiteral
	shortest int // no run of letters under this can end in one
}

func (x *nameEndings) add(text string, where byte) {
	n := len(text)
	t := trigram(text[n-3], text[n-2], text[n-1])
	x.known[t>>6] |= 1 << (t & 63)
	x.endings = append(x.endings, nameLiteral{letters: text, where: where})
	x.shortest = min(x.shortest, n)
}

// wordEnds compares the end of a word that is, or ends, the letters s[start:end].
func (p *pass) wordEnds(start, end int) {
	s, x := p.s, &p.c.names.endings
	t := trigram(s[end-3], s[end-2], s[end-1])
	if x.known[t>>6]&(1<<(t&63)) == 0 {
		return
	}
	for i := range x.endings {
		e := &x.endings[i]
		if end-start >= len(e.letters) && equalFoldASCII(s[end-len(e.letters):end], e.letters) {
			p.pairs |= e.where
		}
	}
}
