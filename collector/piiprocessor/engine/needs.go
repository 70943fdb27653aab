// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"maps"
	"slices"
	"strings"
)

// Bounds on what is spelled out of a pattern.
const (
	mostLiterals = 128
	mostMembers  = 8
)

// counted is a kind of character, or of a run of them, of which a text must hold some.
type counted int

const (
	countDigits counted = iota
	countColons
	countDashes
	countDots
	countWord // the longest run of letters and digits

	countedKinds
)

var countedNames = [countedKinds]string{"digits", "colons", "dashes", "dots", "word"}

// need is a string that a text must hold, or, without one, a count that it must reach.
type need struct {
	text   string // lower-case if folded
	folded bool   // compared without regard to the case of A to Z

	kind  counted
	least int
}

// needs are what a text must hold for a rule: all of counts, and one of anyOf if there are any.
//
// A condition that is checked before a pattern runs only saves time, and must never change a
// result. So nobody writes it by hand: it follows from the pattern. Python's `needs` is the twin.
type needs struct {
	counts [countedKinds]int
	anyOf  []need
}

// nothing reports whether nearly every text has it: one letter or digit at most.
func (n *needs) nothing() bool {
	counts := n.counts
	if counts[countWord] == 1 {
		counts[countWord] = 0
	}
	return counts == [countedKinds]int{} && len(n.anyOf) == 0
}

// metBy reports whether a text has the counts.
func (n *needs) metBy(counts *[countedKinds]int) bool {
	for kind, least := range n.counts {
		if counts[kind] < least {
			return false
		}
	}
	return true
}

// literals is a small set of strings; nil where there are too many.
type literals map[need]struct{}

func literalsOf(all ...need) literals {
	set := literals{}
	for _, one := range all {
		set[one] = struct{}{}
	}
	return set
}

var justNothing = literalsOf(need{})

// found is what is known of every string that a part of a pattern matches.
type found struct {
	least               int // characters
	signs               [countWord]int
	solid               bool     // nothing but letters and digits
	head, longest, tail int      // letters and digits at the start, together anywhere, at the end
	exact               literals // all strings there are
	start, end          literals // all beginnings, all ends
	best                []need   // one of these is in every string
}

// deriveNeeds returns what follows from a pattern and from the validator that its hits must pass.
func deriveNeeds(pattern *node, validator string) needs {
	f := find(pattern)
	more := needsOfValidators[validator]
	var n needs
	for kind, least := range f.counts() {
		n.counts[kind] = max(least, more.counts[kind])
	}
	n.anyOf = better(better(f.best, usable(f.exact)), more.anyOf)
	return n
}

// leastLength is the number of characters of the shortest match.
func leastLength(pattern *node) int { return find(pattern).least }

func (f *found) counts() (all [countedKinds]int) {
	copy(all[:], f.signs[:])
	all[countWord] = f.longest
	return all
}

func find(n *node) found {
	switch n.kind {
	case chars:
		return findChars(n)
	case repeat:
		return findRepeat(n)
	case choice:
		return findChoice(n)
	default:
		return findSequence(n)
	}
}

func findChars(n *node) found {
	f := found{least: 1}
	switch {
	case n.text != 0:
		f.exact = literalsOf(need{text: string(n.text)})
	case !n.wide:
		f.exact = membersOf(n)
	}
	if !n.wide && !n.ascii.empty() {
		f.solid = n.ascii.without(alnumMask).empty()
		for kind, chars := range []asciiMask{digitMask, maskOf(":"), maskOf("-"), maskOf(".")} {
			if n.ascii.without(chars).empty() {
				f.signs[kind] = 1
			}
		}
	}
	if f.solid {
		f.head, f.longest, f.tail = 1, 1, 1
	}
	f.start, f.end = f.exact, f.exact
	return f
}

func membersOf(n *node) literals {
	set := literals{}
	for c := range byte(128) {
		if !n.ascii.has(c) {
			continue
		}
		if n.folded {
			set[need{text: string(rune(lower(c))), folded: isLetter(c)}] = struct{}{}
		} else {
			set[need{text: string(rune(c))}] = struct{}{}
		}
	}
	if len(set) > mostMembers {
		return nil
	}
	return set
}

func findRepeat(n *node) found {
	item := find(n.items[0])
	if n.least == 0 {
		f := found{solid: item.solid}
		if n.most == 1 && item.exact != nil {
			f.exact = united(item.exact, justNothing)
			f.start, f.end = f.exact, f.exact
		}
		return f
	}
	f := item
	f.least = item.least * n.least
	for kind := range f.signs {
		f.signs[kind] = item.signs[kind] * n.least
	}
	switch {
	case item.solid:
		f.head, f.longest, f.tail = f.least, f.least, f.least
	case n.least > 1:
		f.longest = max(item.longest, item.tail+item.head)
	}
	f.best = better(item.best, usable(item.exact))
	if n.least != 1 || n.most != 1 {
		f.exact = nil
	}
	return f
}

func findChoice(n *node) found {
	var f found
	var best literals
	for i, one := range n.items {
		item := find(one)
		witness := better(better(item.best, usable(item.exact)), item.bestCount())
		if i == 0 {
			f, best = item, literalsOf(witness...)
			if len(witness) == 0 {
				best = nil
			}
			continue
		}
		f.least = min(f.least, item.least)
		for kind := range f.signs {
			f.signs[kind] = min(f.signs[kind], item.signs[kind])
		}
		f.solid = f.solid && item.solid
		f.head, f.longest, f.tail = min(f.head, item.head), min(f.longest, item.longest), min(f.tail, item.tail)
		f.exact, f.start, f.end = united(f.exact, item.exact), united(f.start, item.start), united(f.end, item.end)
		if len(witness) == 0 {
			best = nil
		}
		best = united(best, literalsOf(witness...))
	}
	f.best = sorted(best)
	return f
}

func findSequence(n *node) found {
	f := found{solid: true, exact: justNothing, start: justNothing, end: justNothing}
	run := justNothing // the strings that end here
	for _, one := range n.items {
		item := find(one)
		f.best = better(f.best, item.best)
		longer := product(run, item.exact)
		if longer == nil {
			whole := product(run, item.start)
			if whole == nil {
				whole = run
			}
			f.best = better(f.best, usable(whole))
			if longer = item.end; longer == nil {
				longer = justNothing
			}
		}
		run = longer
		f.join(&item)
	}
	if f.exact == nil {
		f.best = better(f.best, usable(run))
	}
	return f
}

// join adds what follows.
func (f *found) join(next *found) {
	f.longest = max(f.longest, next.longest, f.tail+next.head)
	if f.solid {
		f.head = f.least + next.head
	}
	if next.solid {
		f.tail += next.least
	} else {
		f.tail = next.tail
	}
	if start := product(f.exact, next.start); start != nil {
		f.start = start
	}
	if end := product(f.end, next.exact); end != nil {
		f.end = end
	} else {
		f.end = next.end
	}
	f.exact = product(f.exact, next.exact)
	f.least += next.least
	f.solid = f.solid && next.solid
	for kind := range f.signs {
		f.signs[kind] += next.signs[kind]
	}
}

// product is every string of one followed by every one of the other, if these are few.
func product(left, right literals) literals {
	if left == nil || right == nil || len(left)*len(right) > mostLiterals {
		return nil
	}
	set := literals{}
	for a := range left {
		for b := range right {
			one := need{text: a.text + b.text, folded: a.folded || b.folded}
			if one.folded {
				one.text = lowerASCII(one.text)
			}
			set[one] = struct{}{}
		}
	}
	return set
}

func united(a, b literals) literals {
	if a == nil || b == nil {
		return nil
	}
	set := maps.Clone(a)
	maps.Copy(set, b)
	return set
}

// sorted lists a set in an order that does not change from run to run.
func sorted(set literals) []need {
	all := slices.Collect(maps.Keys(set))
	slices.SortFunc(all, func(a, b need) int {
		if a.kind != b.kind || a.least != b.least {
			return int(a.kind-b.kind)*mostRepeats + a.least - b.least
		}
		if a.text == b.text && a.folded != b.folded {
			if b.folded {
				return -1
			}
			return 1
		}
		return strings.Compare(a.text, b.text)
	})
	return all
}

// How seldom one character, or one more of a count, is in a text by chance. What weighs less than two
// letters and a sign is in too many to be worth a look.
const (
	leastWeight = 2.5
	commonSigns = ".-:/_=,\\\"'"
)

var countWeights = [countedKinds]float64{countDigits: 0.3, countColons: 1.6, countDashes: 1.6, countDots: 1.6, countWord: 0.1}

func (n need) weight() float64 {
	if n.text == "" {
		return countWeights[n.kind] * float64(n.least)
	}
	sum := 0.0
	for _, c := range n.text {
		switch {
		case strings.ContainsRune(commonSigns, c):
			sum += 1.6
		case c >= '0' && c <= '9':
			sum += 0.7
		case c == ' ' || c == '\t' || (c >= 'a' && c <= 'z'):
			sum++
		case c >= 'A' && c <= 'Z':
			sum += 1.3
		default:
			sum += 2.5
		}
	}
	return sum
}

// weightOf is that of the least of them.
func weightOf(all []need) float64 {
	if len(all) == 0 {
		return 0
	}
	least := all[0].weight()
	for _, one := range all[1:] {
		least = min(least, one.weight())
	}
	return least
}

func usable(set literals) []need {
	if all := sorted(set); weightOf(all) >= leastWeight {
		return all
	}
	return nil
}

// better chooses what is seldom; of equals, the fewer.
func better(left, right []need) []need {
	l, r := weightOf(left), weightOf(right)
	if l > r || (l == r && len(left) <= len(right)) {
		return left
	}
	return right
}

// bestCount is the count that says most.
func (f *found) bestCount() []need {
	var best need
	for kind, least := range f.counts() {
		if one := (need{kind: counted(kind), least: least}); least > 0 && one.weight() > best.weight() {
			best = one
		}
	}
	if best.weight() < leastWeight {
		return nil
	}
	return []need{best}
}

func digitsNeeded(n int) needs { return needs{counts: [countedKinds]int{countDigits: n}} }

// needsOfValidators are what each validator asks of a hit besides what the pattern says.
var needsOfValidators = map[string]needs{
	"aadhaar": digitsNeeded(12), "aba": digitsNeeded(9), "base58check": digitsNeeded(1), "card": digitsNeeded(12), "cpf": digitsNeeded(11),
	"e164": digitsNeeded(7), "has_digit": digitsNeeded(1), "id_like": digitsNeeded(5),
	"ipv4": {counts: [countedKinds]int{countDigits: 4, countDots: 3}},
	// Without the gap there are eight groups, or six and an IPv4 address.
	"ipv6": {
		counts: [countedKinds]int{countColons: 2},
		anyOf:  []need{{text: "::"}, {kind: countColons, least: 6}},
	},
	"luhn": digitsNeeded(12), "luhn9": digitsNeeded(9), "mixed_case": digitsNeeded(1), "nanp": digitsNeeded(10), "phone_digits": digitsNeeded(7),
	"ssn": digitsNeeded(9), "trunk": digitsNeeded(9),
}
