// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "strings"

// fact is something that a pass found out about a text, over several tokens or by a long one. Each
// is a bit; prefilters name those they wait for.
type fact uint16

const (
	manyCardDigits    fact = 1 << iota // as many as the shortest card has, in one run of groups
	manyGroupedDigits                  // the same with only blanks and dashes between the groups
	manyTrunkDigits                    // nine or more, in groups that begin with 0
	dottedAddress                      // four short numbers with dots between, not private
	sixDashedHex                       // six pairs of hex digits with dashes between
	sixColonHex                        // six groups of hex digits with colons between
	sevenColonHex                      // seven
	threeDottedHex                     // three groups of four hex digits with dots between
	keyLike                            // a token as long as a base58 address, of all three classes
	otherWallet                        // a token as long as a Monero, Stellar or Bitcoin Cash address
	threeDashes                        // three dashes in a row
	atSign                             // an @
	optionP                            // a blank, a dash and a p
	accessKeyID                        // a token that ends in AKIA or ASIA and 16 characters

	factCount = iota
)

const (
	longestNumber   = 18 // digits of a number that any probe waits for
	longestMixed    = 42 // likewise of letters and digits
	longestHexGroup = 4

	lengthOfAccessKey = len("AKIA") + 16

	shortestKeyLike, longestKeyLike = 26, 56 // base58 of 25 and 38 bytes, and beyond

	mostTrunkStart   = 6 // digits of the first group, 0 and an area code
	leastTrunkDigits = 9
)

// groups remembers the lengths of the last eight numbers that stand close together, the newest in
// the lowest byte.
type groups struct {
	lengths uint64
	end     int // of the newest number
}

// closeBy is how many characters may stand between two numbers of one value.
const closeBy = 2

func (g *groups) push(start, end int) {
	if start-g.end > closeBy {
		g.lengths = 0
	}
	g.lengths = g.lengths<<8 | uint64(min(end-start, 0xff))
	g.end = end
}

// packed are lengths in the form of groups, with the mask of the bytes they take.
func packed(lengths []int) (want, mask uint64) {
	for _, n := range lengths {
		want, mask = want<<8|uint64(n), mask<<8|0xff
	}
	return want, mask
}

// chain counts, digits or tokens, over tokens with one separator between them.
type chain struct {
	count, start, end int
}

// follow adds n for the token if the chain goes on; otherwise the token begins a new one, if it may.
func (h *chain) follow(t token, n int, goesOn, begins bool) {
	switch {
	case goesOn && h.count > 0:
		h.count += n
	case begins:
		h.count, h.start = n, t.start
	default:
		h.count = 0
	}
	h.end = t.end
}

// follows reports whether exactly one character stands between the chain and the token.
func (h *chain) follows(t token) bool { return h.end == t.start-1 }

// beginsCard reports whether the first group of a card may begin so.
func beginsCard(s string) bool {
	return s[0] >= '2' && s[0] <= '9' && s[0] != '7' || strings.HasPrefix(s, "18")
}

// continues reports whether one character, or up to three blanks, stand between the chain and the token.
func (h *chain) continues(s string, t token) bool {
	const mostBlanks = 3
	gap := t.start - h.end
	return gap == 1 || (gap <= mostBlanks && gap > 1 && strings.TrimLeft(s[h.end:t.start], " ") == "")
}

// runs are the numbers and hex groups that stand together in a text.
type runs struct {
	groups                    groups
	card, grouped, trunk      chain // digits
	dotted                    chain // numbers
	hexColon, hexDash, hexDot chain // groups of hex digits
}

// add takes the next number of the text.
func (r *runs) add(s string, t token) (found fact) {
	length := t.length()
	separator := byte(0)
	if t.start > 0 {
		separator = s[t.start-1]
	}
	r.groups.push(t.start, t.end)
	card := separator == ' ' || separator == '-' || separator == '+' || separator == '/' || separator == '_' || separator == '\t'
	r.card.follow(t, length, card && r.card.continues(s, t), beginsCard(s[t.start:]))
	if r.card.count >= shortestCard {
		found |= manyCardDigits
	}
	r.grouped.follow(t, length, card && r.grouped.continues(s, t), true)
	if r.grouped.count >= shortestCard {
		found |= manyGroupedDigits
	}
	r.trunk.follow(t, length, r.trunk.count > 0 && t.start-r.trunk.end <= closeBy && joinsTrunk(s[r.trunk.end:t.start]), s[t.start] == '0' && length <= mostTrunkStart)
	if r.trunk.count >= leastTrunkDigits {
		found |= manyTrunkDigits
	}
	if length <= 3 {
		r.dotted.follow(t, 1, r.dotted.follows(t) && separator == '.', true)
	} else {
		r.dotted.count = 0
	}
	return found
}

// joinsTrunk reports whether phone_trunk has nothing but these between its digits. A clock has colons.
func joinsTrunk(between string) bool {
	for i := range len(between) {
		switch between[i] {
		case ' ', '/', '.', '-', '(', ')', '#':
		default:
			return false
		}
	}
	return true
}

// address decides whether four numbers and dots, of which t is the last, are worth a look.
func (p *pass) address(t token) {
	if next(p.s, t) != '/' {
		a, ok := parseIPv4(p.s[p.runs.dotted.start:t.end])
		if ok && ((p.c.e.keepIPs && isPrivateIPv4(a)) || (a[2] == 0 && a[3] == 0)) {
			return
		}
	}
	p.facts |= dottedAddress
}

// longToken checks a token of lengthOfAccessKey characters or more.
func (p *pass) longToken(t token) {
	length := t.length()
	if at := t.end - lengthOfAccessKey; p.s[at] == 'A' && (p.s[at+1] == 'K' || p.s[at+1] == 'S') && p.s[at+2:at+4] == "IA" {
		p.facts |= accessKeyID
	}
	if length < shortestKeyLike {
		return
	}
	if length <= longestKeyLike && t.seen&classAlnum == classAlnum {
		p.facts |= keyLike
	}
	const monero, stellar, bitcoinCash, nano = 95, 56, 42, 60
	if length == monero || length == stellar || ((length == bitcoinCash || length == nano) && t.start > 0 && classes[p.s[t.start-1]]&classAlnum == 0) {
		p.facts |= otherWallet
	}
}

// hexGroup checks a token of one to four hex digits.
func (p *pass) hexGroup(t token) {
	r := &p.runs
	separator := byte(0)
	if t.start > 0 {
		separator = p.s[t.start-1]
	}
	length := t.length()
	if length == 2 {
		r.hexDash.follow(t, 1, r.hexDash.follows(t) && separator == '-', true)
		if r.hexDash.count >= 6 {
			p.facts |= sixDashedHex
		}
	}
	r.hexColon.follow(t, 1, r.hexColon.follows(t) && separator == ':', true)
	if r.hexColon.count >= 6 {
		p.facts |= sixColonHex
		if r.hexColon.count >= 7 {
			p.facts |= sevenColonHex
		}
	}
	if length == 4 {
		r.hexDot.follow(t, 1, r.hexDot.follows(t) && separator == '.', true)
		if r.hexDot.count >= 3 {
			p.facts |= threeDottedHex
		}
	}
}
