// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	mathbits "math/bits"
	"strings"
)

// maxRules is the number of rules that a set of bits holds.
const maxRules = 192

// bits is a set of rules by their place in the policy.
type bits [maxRules / 64]uint64

func (b *bits) set(i int)      { b[i>>6] |= 1 << (i & 63) }
func (b *bits) has(i int) bool { return b[i>>6]&(1<<(i&63)) != 0 }
func (b *bits) empty() bool    { return b[0]|b[1]|b[2] == 0 }
func (b *bits) remove(o *bits) { b[0] &^= o[0]; b[1] &^= o[1]; b[2] &^= o[2] }
func (b *bits) keep(o *bits)   { b[0] &= o[0]; b[1] &= o[1]; b[2] &= o[2] }
func (b *bits) add(o *bits)    { b[0] |= o[0]; b[1] |= o[1]; b[2] |= o[2] }

// Classes of bytes.
const (
	classDigit = 1 << iota
	classUpper
	classLower
	classHex
	classHigh   // part of a character beyond ASCII
	classLetter = classUpper | classLower
	classAlnum  = classLetter | classDigit
)

var classes = func() (t [256]byte) {
	for c := range 256 {
		b := byte(c)
		switch {
		case isDigit(b):
			t[c] = classDigit | classHex
		case b >= 'A' && b <= 'Z':
			t[c] = classUpper
		case b >= 'a' && b <= 'z':
			t[c] = classLower
		case b >= 0x80:
			t[c] = classHigh
		}
		if hexDigit(b) >= 0 {
			t[c] |= classHex
		}
	}
	return t
}()

// features are what the one pass over a text counts.
type features struct {
	digits, colons, dashes, dots, longest int
}

// scanner finds, in one pass over a text, the rules that could match it. A rule of the table
// `prefilters` is tried only where its prefilter sees reason to, every other rule where the policy's
// triggers say so. Neither misses a match.
type scanner struct {
	e            *Engine
	words        wordIndex
	endings      endingIndex
	signs        [256]*signProbes                // by a character that is no letter or digit
	twoLetters   []boundProbe                    // asked about tokens of two characters
	numbers      [longestNumber + 1]numberProbes // by the length of a token of digits
	mixed        [longestMixed + 1][]boundProbe  // by the length of a token of letters and digits
	lettersFirst []boundProbe                    // asked about tokens of letters and digits that begin with a letter
	facts        [factCount]bits
	whole        []wholeProbe
	generic      []int // rules left to genericScan
	named        bits  // rules that find a name, which must be one of a secret
	counted      []countedRule
	checked      bits // rules that want some counts besides what a probe looks for
	folded       bits // rules that a character beyond ASCII can make possible

	wordRules  []wordRule
	alwaysNear bits // rules with a context word that the index cannot find
	highNear   bits // rules with one that begins beyond ASCII
	pairs      int  // the rule `pairs`, or -1
	names      nameTable
	tokenRule  int // the rule `vendor_tokens`
	marks      []literal
}

// boundProbe is a probe with the rules of the loaded policy that it speaks for.
type boundProbe struct {
	test  probeTest
	rules bits
}

// signProbes are those of one character, by the ones before and after it.
type signProbes struct {
	lists [][]boundProbe
	at    [sideCount][256]uint8 // the list, of which the first is empty
	all   []*signProbe
}

// signProbe is a probe of a character.
type signProbe struct {
	probe *probe
	rules bits
}

// numberProbes are those of numbers of one length.
type numberProbes struct {
	probes []boundProbe
	groups []boundGroups
}

// boundGroups are lengths of numbers that stand close together.
type boundGroups struct {
	want, mask uint64 // see groups
	rules      bits
}

// wholeProbe is asked about the whole text, if the pass found the fact.
type wholeProbe struct {
	fact fact
	test func(s string) bool
	rule int
}

// wordRule is a rule that is tried only beside its context words.
type wordRule struct {
	rule  int
	needs fact
}

// countedRule is a rule that is tried where its counts are met and, of those that also a string makes
// possible, one of some more.
type countedRule struct {
	rule  int
	anyOf []need
}

// token is a run of letters and digits, or a single other character, from start to end of a text.
type token struct {
	start, end, digits int
	seen               byte // classes of its characters
}

func (t token) length() int { return t.end - t.start }

// pass is the state of one scan.
type pass struct {
	c    *scanner
	s    string
	runs runs

	wanted, near bits
	foldsToASCII bool // a character beyond ASCII that folds to a letter of ASCII
	facts        fact
	pairs        byte
	query        bool // ? & ; #, or a text that is a query
	features
}

// newScanner binds the prefilters of the table to the rules they were written for.
func newScanner(e *Engine, table map[string]prefilter) *scanner {
	c := &scanner{e: e, pairs: -1}
	c.words.init()
	c.names.init()
	c.names.addRules(e.keys)
	bound := probeRules{rules: map[*probe]*bits{}}
	for i, r := range e.rules {
		filter, known := table[r.name]
		if r.nameGroup > 0 {
			c.named.set(i)
		}
		if known && filter.rule != r.digest {
			e.unfiltered = append(e.unfiltered, r.name)
			filter, known = prefilter{}, false
		}
		switch {
		case r.pairs:
			c.pairs = i
			for _, word := range commands {
				c.names.add(nameLiteral{letters: word, where: pairsAnywhere}, false)
			}
		case r.tokens:
			c.addTokens(i, &bound)
		case len(r.contextWords) > 0:
			c.addContextWords(i, r, filter.beside)
		case known:
			c.addPrefilter(i, r, filter, &bound)
		default:
			c.addDerived(i, r)
		}
		if !r.pairs {
			c.folded.set(i)
		}
	}
	for _, p := range bound.order {
		c.addProbe(p, *bound.rules[p])
	}
	for _, probes := range c.signs {
		if probes != nil {
			probes.build()
		}
	}
	c.words.build(&c.names)
	return c
}

func (c *scanner) addPrefilter(i int, r *rule, filter prefilter, bound *probeRules) {
	if filter.prefixes {
		for _, w := range witnessesOf(r) {
			if w.first {
				c.words.add(w.text, true).rules.set(i)
			}
		}
	}
	for f := range factCount {
		if filter.facts&(1<<f) == 0 {
			continue
		}
		if filter.whole != nil {
			c.whole = append(c.whole, wholeProbe{fact: 1 << f, test: filter.whole, rule: i})
		} else {
			c.facts[f].set(i)
		}
	}
	for _, lengths := range filter.groups {
		var rules bits
		rules.set(i)
		last := &c.numbers[lengths[len(lengths)-1]]
		want, mask := packed(lengths)
		last.groups = append(last.groups, boundGroups{want: want, mask: mask, rules: rules})
	}
	for _, p := range filter.probes {
		bound.add(p.of(r), i)
	}
}

// probeRules are the rules of each probe; several rules may share one.
type probeRules struct {
	order []*probe
	rules map[*probe]*bits
}

func (b *probeRules) add(p *probe, rule int) {
	if b.rules[p] == nil {
		b.rules[p] = &bits{}
		b.order = append(b.order, p)
	}
	b.rules[p].set(rule)
}

func (c *scanner) addProbe(p *probe, rules bits) {
	one := boundProbe{test: p.test, rules: rules}
	for _, sign := range []byte(p.sign) {
		if c.signs[sign] == nil {
			c.signs[sign] = &signProbes{}
		}
		c.signs[sign].all = append(c.signs[sign].all, &signProbe{probe: p, rules: rules})
	}
	for _, ending := range p.endings {
		c.endings.add(ending, p.test, rules)
	}
	if p.twoLetters {
		c.twoLetters = append(c.twoLetters, one)
	}
	for _, n := range p.numbers {
		c.numbers[n].probes = append(c.numbers[n].probes, one)
	}
	for _, n := range p.mixed {
		c.mixed[n] = append(c.mixed[n], one)
	}
	if p.lettersFirst {
		c.lettersFirst = append(c.lettersFirst, one)
	}
}

// build lists the probes for each pair of characters around the sign.
func (x *signProbes) build() {
	x.lists = [][]boundProbe{nil}
	known := map[string]int{"": 0}
	for side := range sideCount {
		for next := range 256 {
			var list []boundProbe
			var name []byte
			for i, one := range x.all {
				p := one.probe
				if (p.after == 0 || p.after&(1<<side) != 0) && (p.next == "" || strings.IndexByte(p.next, byte(next)) >= 0) {
					list, name = append(list, boundProbe{test: p.test, rules: one.rules}), append(name, byte(i))
				}
			}
			at, seen := known[string(name)]
			if !seen {
				at = len(x.lists)
				known[string(name)] = at
				x.lists = append(x.lists, list)
			}
			x.at[side][next] = uint8(at)
		}
	}
}

// side is what stands before a sign.
type side uint8

// Several sides are bits.
const (
	afterStart side = 1 << iota
	afterDigit
	afterLower
	afterUpper
	afterBlank
	afterOther

	sideCount   = iota
	afterLetter = afterLower | afterUpper
)

// sides are the places of these bits, by the character.
var sides = func() (t [256]uint8) {
	for c := range 256 {
		one := afterOther
		switch class := classes[c]; {
		case class&classDigit != 0:
			one = afterDigit
		case class&classLower != 0:
			one = afterLower
		case class&classUpper != 0:
			one = afterUpper
		case isBlank(byte(c)):
			one = afterBlank
		}
		t[c] = uint8(mathbits.TrailingZeros8(uint8(one)))
	}
	return t
}()

// ask tries the probes and wants the rules of those that agree.
func (p *pass) ask(probes []boundProbe, t token) {
	if len(probes) > 0 {
		p.askAll(probes, t)
	}
}

func (p *pass) askAll(probes []boundProbe, t token) {
	for i := range probes {
		if one := &probes[i]; one.test(p.s, t) {
			p.wanted.add(&one.rules)
		}
	}
}

// scan returns the rules that could match s, which stands under k.
func (c *scanner) scan(s string, k *keyInfo) bits {
	p := pass{c: c, s: s, query: k.query}
	for i := 0; i < len(s); {
		switch ch := s[i]; {
		case classes[ch]&classAlnum != 0:
			i = p.token(i)
			continue
		case ch != ' ': // no probe waits for a blank
			p.sign(i)
		}
		i++
	}
	p.near.add(&k.near)
	p.near.add(&c.alwaysNear)
	p.conclude()
	return p.wanted
}

// conclude wants what only the whole text can show.
func (p *pass) conclude() {
	c := p.c
	for left := p.facts; left != 0; left &= left - 1 {
		p.wanted.add(&c.facts[mathbits.TrailingZeros16(uint16(left))])
	}
	for i := range c.whole {
		if one := &c.whole[i]; p.facts&one.fact != 0 && one.test(p.s) {
			p.wanted.set(one.rule)
		}
	}
	p.concludeCounts()
	p.pairs |= c.names.always
	if c.pairs >= 0 && (p.pairs&pairsAnywhere != 0 || (p.pairs&pairsQuery != 0 && p.query)) {
		p.wanted.set(c.pairs)
	}
	if p.pairs&pairsAnywhere == 0 {
		p.wanted.remove(&c.named)
	}
	if p.foldsToASCII {
		p.wanted.add(&c.folded)
	}
}

// concludeCounts wants what asks for counts.
func (p *pass) concludeCounts() {
	c := p.c
	counts := [countedKinds]int{p.digits, p.colons, p.dashes, p.dots, p.longest}
	for word := range c.checked {
		for left := p.wanted[word] & c.checked[word]; left != 0; left &= left - 1 {
			i := mathbits.TrailingZeros64(left)
			if !c.e.rules[word<<6+i].needs.metBy(&counts) {
				p.wanted[word] &^= 1 << i
			}
		}
	}
	for _, r := range c.counted {
		if c.e.rules[r.rule].needs.metBy(&counts) && reached(r.anyOf, &counts) {
			p.wanted.set(r.rule)
		}
	}
	if !p.near.empty() {
		for _, r := range c.wordRules {
			if p.near.has(r.rule) && p.facts&r.needs == r.needs && c.e.rules[r.rule].needs.metBy(&counts) {
				p.wanted.set(r.rule)
			}
		}
	}
	for _, i := range c.generic {
		if genericScan(c.e.rules[i], p.s, &counts) {
			p.wanted.set(i)
		}
	}
}

// sign checks one character that is no letter or digit.
func (p *pass) sign(i int) {
	s := p.s
	switch ch := s[i]; ch {
	case ':':
		p.colons++
	case '?', '&', ';', '#':
		p.query = true
	case '-':
		p.dashes++
		if strings.HasPrefix(s[i:], "---") {
			p.facts |= threeDashes
		}
		if i > 0 && isBlank(s[i-1]) && strings.HasPrefix(s[i+1:], "p") {
			p.facts |= optionP
		}
	case '.':
		p.dots++
	case '@':
		p.facts |= atSign
	case '%':
		p.escapedBracket(i)
	default:
		if ch >= 0x80 {
			p.near.add(&p.c.highNear)
			p.foldsToASCII = p.foldsToASCII || isFoldedLetter(s[i:])
			p.pairs |= p.c.names.high
			return
		}
	}
	if probes := p.c.signs[s[i]]; probes != nil {
		t, before := token{start: i, end: i + 1}, uint8(0)
		if i > 0 {
			before = sides[s[i-1]]
		}
		if at := probes.at[before][next(s, t)]; at > 0 {
			p.askAll(probes.lists[at], t)
		}
	}
}

// token checks the run of letters and digits that begins at start and returns its end.
func (p *pass) token(start int) int {
	s, words := p.s, &p.c.words
	i, digits := start, 0
	letters, shortest := start, p.c.names.endings.shortest // where the last run of letters begins
	seen, hex, before := byte(0), byte(classHex), byte(0)
	for i < len(s) {
		class := classes[s[i]]
		if class&classAlnum == 0 {
			break
		}
		seen |= class
		hex &= class
		if class&classDigit != 0 {
			if digits++; i-letters >= shortest {
				p.wordEnds(letters, i)
			}
			letters = i + 1
		} else if i > start && beginsWord(before, class, s, i) {
			if i-letters >= shortest {
				p.wordEnds(letters, i)
			}
			if words.mayBegin(s, i) {
				p.word(i)
			}
		}
		before = class
		i++
	}
	if words.mayBegin(s, start) {
		p.word(start)
	}
	t := token{start: start, end: i, digits: digits, seen: seen}
	length := i - start
	p.digits += digits
	p.longest = max(p.longest, length)
	if digits == length {
		p.number(t)
	} else {
		if i-letters >= shortest {
			p.wordEnds(letters, i)
		}
		if length > 2 {
			if p.c.endings.mayEnd(s, i) {
				p.ending(t)
			}
		} else if length == 2 {
			p.ask(p.c.twoLetters, t)
		}
		if digits > 0 {
			p.mixed(t)
		}
	}
	if length >= lengthOfAccessKey {
		p.longToken(t)
	}
	if hex != 0 && length <= longestHexGroup {
		p.hexGroup(t)
	}
	return i
}

// mixed checks a token of letters and digits.
func (p *pass) mixed(t token) {
	if classes[p.s[t.start]]&classLetter != 0 {
		p.ask(p.c.lettersFirst, t)
	}
	if length := t.length(); length <= longestMixed {
		p.ask(p.c.mixed[length], t)
	}
}

// number checks a token of digits alone, and the numbers that stand close before it.
func (p *pass) number(t token) {
	p.facts |= p.runs.add(p.s, t)
	length := t.length()
	if p.runs.dotted.count == 4 && length <= 3 {
		p.address(t)
	}
	if length > longestNumber {
		return
	}
	at := &p.c.numbers[length]
	p.ask(at.probes, t)
	const lone = 0xff
	if p.runs.groups.lengths <= lone {
		return // no group is of one number
	}
	for i := range at.groups {
		if one := &at.groups[i]; p.runs.groups.lengths&one.mask == one.want {
			p.wanted.add(&one.rules)
		}
	}
}

// isFoldedLetter reports whether s begins with one of the two characters beyond ASCII that match a
// letter of ASCII where case does not count: the long s and the Kelvin sign.
func isFoldedLetter(s string) bool {
	return strings.HasPrefix(s, "\u017f") || strings.HasPrefix(s, "\u212a")
}

// next is the character after a token, 0 at the end of the text.
func next(s string, t token) byte {
	if t.end < len(s) {
		return s[t.end]
	}
	return 0
}
