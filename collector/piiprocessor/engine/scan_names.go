// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "unicode/utf8"

// Where the name of a pair was seen.
const (
	pairsAnywhere = 1 << iota
	pairsQuery
)

// nameLiteral is an entry of a key rule, as it may stand in a text.
type nameLiteral struct {
	letters string
	joints  uint64 // before which letters a word may begin
	where   byte
}

// nameTable finds the names of pairs at the beginnings of words.
type nameTable struct {
	threes  nameBuckets // by these, if a sign may follow them
	fours   nameBuckets // by the first four letters: most names
	names   []nameLiteral
	links   []link        // of the names, up to where a sign may stand
	shorts  []nameLiteral // found by their first two letters
	endings nameEndings
	always  byte // the kinds of names that it cannot find
	high    byte // the kinds of names that a character beyond ASCII may belong to

	shortPairs [1 << 10 / 64]uint64 // the letters of shorts
}

// nameBuckets holds names by a number made of their first letters.
type nameBuckets struct {
	known [trigrams / 64]uint64
	first []int16 // or -1
}

func (x *nameTable) init() {
	for _, buckets := range []*nameBuckets{&x.threes, &x.fours} {
		buckets.first = make([]int16, trigrams)
		for i := range buckets.first {
			buckets.first[i] = -1
		}
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
		pair := trigram(name.letters[0], name.letters[1], 0)
		x.shortPairs[pair>>6] |= 1 << (pair & 63)
		x.shorts = append(x.shorts, name)
		return
	}
	t := trigram(name.letters[0], name.letters[1], name.letters[2])
	buckets := &x.threes
	if len(name.letters) > trigramLength && name.joints&(1<<trigramLength) == 0 {
		t, buckets = withFourth(t, name.letters[trigramLength]), &x.fours
	}
	for at := buckets.first[t]; at >= 0; at = x.links[at].next {
		if one := &x.names[at]; one.letters == name.letters && one.joints == name.joints {
			one.where |= name.where
			return
		}
	}
	sure := trigramLength
	for sure < len(name.letters) && name.joints&(1<<sure) == 0 {
		sure++
	}
	one := linkOf(name.letters, sure, buckets.first[t])
	buckets.known[t>>6] |= 1 << (t & 63)
	buckets.first[t] = int16(len(x.names))
	x.names, x.links = append(x.names, name), append(x.links, one)
}

// withFourth mixes a fourth character, without regard to case, into a trigram.
func withFourth(t uint16, c byte) uint16 {
	return (t ^ uint16(c&31)*0x421 ^ uint16(c&31)<<7) & (trigrams - 1)
}

// at returns the kinds of the names that stand at s[i], where the trigram t does.
func (x *nameTable) at(s string, i int, t uint16, fourth byte, head uint64) (where byte) {
	if x.threes.known[t>>6]&(1<<(t&63)) != 0 {
		where |= x.walk(x.threes.first[t], s, i, head)
	}
	if f := withFourth(t, fourth); x.fours.known[f>>6]&(1<<(f&63)) != 0 {
		where |= x.walk(x.fours.first[f], s, i, head)
	}
	return where | x.shortAt(s, i)
}

// shortAt is the same for the names that are found by two letters.
func (x *nameTable) shortAt(s string, i int) (where byte) {
	if pair := trigram(s[i], s[i+1], 0); x.shortPairs[pair>>6]&(1<<(pair&63)) != 0 {
		for at := range x.shorts {
			if l := &x.shorts[at]; where&l.where != l.where && l.stands(s, i) {
				where |= l.where
			}
		}
	}
	return where
}

// walk compares the names of one bucket with what stands at s[i], of which head is the beginning.
func (x *nameTable) walk(at int16, s string, i int, head uint64) (where byte) {
	for ; at >= 0; at = x.links[at].next {
		if one := &x.links[at]; head&one.mask != one.want {
			continue
		}
		if l := &x.names[at]; where&l.where != l.where && l.stands(s, i) {
			where |= l.where
		}
	}
	return where
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
