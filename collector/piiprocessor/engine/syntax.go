// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of a pattern, the same for both engines.
const (
	mostRepeats = 1000
	mostNesting = 100
)

// asciiMask is a set of ASCII characters.
type asciiMask [2]uint64

func (m *asciiMask) add(c byte)     { m[c>>6] |= 1 << (c & 63) }
func (m asciiMask) has(c byte) bool { return m[c>>6]&(1<<(c&63)) != 0 }
func (m asciiMask) empty() bool     { return m == asciiMask{} }

func (m asciiMask) union(o asciiMask) asciiMask { return asciiMask{m[0] | o[0], m[1] | o[1]} }
func (m asciiMask) without(o asciiMask) asciiMask {
	return asciiMask{m[0] &^ o[0], m[1] &^ o[1]}
}

func maskOf(chars string) (m asciiMask) {
	for i := range len(chars) {
		m.add(chars[i])
	}
	return m
}

const (
	digitChars = "0123456789"
	lowerChars = "abcdefghijklmnopqrstuvwxyz"
	upperChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

var (
	allMask    = asciiMask{^uint64(0), ^uint64(0)}
	digitMask  = maskOf(digitChars)
	letterMask = maskOf(lowerChars + upperChars)
	alnumMask  = digitMask.union(letterMask)
	classMasks = map[byte]asciiMask{'d': digitMask, 'w': alnumMask.union(maskOf("_")), 's': maskOf(" \t\n\r\f")}
	// unicodeMasks are the classes of Unicode that a pattern may name, as far as they are ASCII.
	unicodeMasks = map[string]asciiMask{"{L}": letterMask, "{M}": {}, "{N}": digitMask}
	controls     = map[byte]rune{'t': '\t', 'n': '\n', 'r': '\r', 'f': '\f', 'v': '\v'}
)

const instead = "use not_preceded_by and not_followed_by"

// node is a part of a pattern: one of the kinds below.
type node struct {
	kind  nodeKind
	items []*node // of a sequence or choice; one of a repeat

	least, most int // of a repeat; most is -1 where there is no bound

	ascii  asciiMask // of chars: one character out of these,
	wide   bool      // or any beyond ASCII
	folded bool
	text   rune // the character beyond ASCII, if it is only this one
}

type nodeKind int

const (
	sequence nodeKind = iota
	choice
	repeat
	chars
)

// parsePattern reads the part of RE2 that means the same to every engine. Python's `syntax` is its
// twin and refuses the rest with the same words. deriveNeeds sees from the tree what a text must
// hold for the pattern to match.
func parsePattern(pattern string) (*node, error) {
	p := &patternParser{s: []rune(pattern)}
	n, err := p.choice()
	if err == nil && p.at < len(p.s) {
		err = p.wrong(p.at, "a ) without its (")
	}
	return n, err
}

type patternParser struct {
	s     []rune
	at    int
	fold  bool
	depth int
}

func (p *patternParser) wrong(at int, format string, args ...any) error {
	return fmt.Errorf("at character %d: %s", at+1, fmt.Sprintf(format, args...))
}

func (p *patternParser) peek(text string) bool {
	return strings.HasPrefix(string(p.s[min(p.at, len(p.s)):min(p.at+len(text), len(p.s))]), text)
}

func (p *patternParser) choice() (*node, error) {
	var items []*node
	for {
		item, err := p.sequence()
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		if !p.peek("|") {
			break
		}
		p.at++
	}
	if len(items) == 1 {
		return items[0], nil
	}
	return &node{kind: choice, items: items}, nil
}

func (p *patternParser) sequence() (*node, error) {
	n := &node{kind: sequence}
	for p.at < len(p.s) && p.s[p.at] != '|' && p.s[p.at] != ')' {
		item, err := p.atom()
		if err != nil {
			return nil, err
		}
		if item == nil {
			continue
		}
		if item, err = p.repeated(item); err != nil {
			return nil, err
		}
		n.items = append(n.items, item)
	}
	if len(n.items) == 1 {
		return n.items[0], nil
	}
	return n, nil
}

// atom reads one item; nil for a switch of the case.
func (p *patternParser) atom() (*node, error) {
	switch c := p.s[p.at]; c {
	case '(':
		return p.group()
	case '[':
		return p.class()
	case '\\':
		members, wide, only, err := p.escaped()
		if err != nil {
			return nil, err
		}
		if only >= 0 {
			return p.single(only), nil
		}
		return &node{kind: chars, ascii: p.foldedMask(members), wide: wide, folded: p.fold}, nil
	case '^', '$':
		return nil, p.wrong(p.at, "%c is not allowed, %s", c, instead)
	case '*', '+', '?':
		return nil, p.wrong(p.at, "%c has nothing to repeat", c)
	case '.':
		p.at++
		return &node{kind: chars, ascii: allMask.without(maskOf("\n")), wide: true}, nil
	default:
		p.at++
		return p.single(c), nil
	}
}

func (p *patternParser) single(c rune) *node {
	n := &node{kind: chars, folded: p.fold}
	if c >= utf8.RuneSelf {
		n.wide = true
		if !p.fold {
			n.text = c
		}
		return n
	}
	n.ascii.add(byte(c))
	n.ascii = p.foldedMask(n.ascii)
	return n
}

func (p *patternParser) foldedMask(m asciiMask) asciiMask {
	if !p.fold {
		return m
	}
	out := m
	for i := range len(lowerChars) {
		if m.has(lowerChars[i]) || m.has(upperChars[i]) {
			out.add(lowerChars[i])
			out.add(upperChars[i])
		}
	}
	return out
}

func (p *patternParser) group() (*node, error) {
	start, fold := p.at, p.fold
	if p.depth++; p.depth > mostNesting {
		return nil, p.wrong(start, "groups are nested deeper than %d", mostNesting)
	}
	switch {
	case p.peek("(?i)"):
		p.at += len("(?i)")
		p.fold = true
		p.depth--
		return nil, nil
	case p.peek("(?i:"):
		p.at += len("(?i:")
		p.fold = true
	case p.peek("(?:"):
		p.at += len("(?:")
	case p.peek(namedGroup):
		p.at += len(namedGroup)
	case p.peek("(?"):
		return nil, p.wrong(start, "a group is (…), (?:…), (?i:…) or (?P<name>…)")
	default:
		p.at++
	}
	n, err := p.choice()
	if err != nil {
		return nil, err
	}
	if !p.peek(")") {
		return nil, p.wrong(start, "a ( without its )")
	}
	p.at++
	p.fold = fold
	p.depth--
	return n, nil
}

func (p *patternParser) repeated(item *node) (*node, error) {
	start := p.at
	least, most, ok, err := p.bounds()
	if err != nil || !ok {
		return item, err
	}
	if p.peek("?") {
		p.at++
	}
	if max(least, most)*repeatsOf(item) > mostRepeats {
		return nil, p.wrong(start, "repeats more than %d times", mostRepeats)
	}
	if _, _, again, err := p.bounds(); err != nil {
		return nil, err
	} else if again {
		return nil, p.wrong(start, "is repeated twice")
	}
	return &node{kind: repeat, items: []*node{item}, least: least, most: most}, nil
}

func (p *patternParser) bounds() (least, most int, ok bool, err error) {
	switch {
	case p.peek("*"):
		p.at++
		return 0, -1, true, nil
	case p.peek("+"):
		p.at++
		return 1, -1, true, nil
	case p.peek("?"):
		p.at++
		return 0, 1, true, nil
	case !p.peek("{"):
		return 0, 0, false, nil
	}
	start := p.at
	inside, _, closed := strings.Cut(string(p.s[p.at+1:]), "}")
	first, last, comma := strings.Cut(inside, ",")
	if !closed || !isCount(first) || (last != "" && !isCount(last)) {
		return 0, 0, false, nil
	}
	p.at += 1 + len(inside) + 1 // all of it is ASCII
	least, _ = strconv.Atoi(first)
	switch {
	case last != "":
		most, _ = strconv.Atoi(last)
	case comma:
		most = -1
	default:
		most = least
	}
	if most >= 0 && most < least {
		return 0, 0, false, p.wrong(start, "repeats fewer times at most than at least")
	}
	return least, most, true, nil
}

// escaped reads what follows a backslash: the ASCII characters that it names, whether also others, or
// the only one, else -1.
func (p *patternParser) escaped() (members asciiMask, wide bool, only rune, err error) {
	start := p.at
	p.at += 2
	if start+1 >= len(p.s) {
		return members, false, -1, p.wrong(start, `\ is not known to all engines`)
	}
	c := p.s[start+1]
	small := byte(0)
	if c < utf8.RuneSelf {
		small = byte(c)
	}
	if control, known := controls[small]; known {
		return members, false, control, nil
	}
	if small != 0 && !isAlnum(small) {
		return members, false, c, nil
	}
	if class, known := classMasks[lower(small)]; known {
		if small == lower(small) {
			return class, false, -1, nil
		}
		return allMask.without(class), true, -1, nil
	}
	switch small {
	case 'x':
		only, err = p.hex(start)
		return members, false, only, err
	case 'p', 'P':
		if class, known := unicodeMasks[string(p.s[min(p.at, len(p.s)):min(p.at+3, len(p.s))])]; known {
			p.at += 3
			if small == 'P' {
				class = allMask.without(class)
			}
			return class, true, -1, nil
		}
	case 'b', 'B', 'A', 'z':
		return members, false, -1, p.wrong(start, `\%c is not allowed, %s`, c, instead)
	}
	return members, false, -1, p.wrong(start, `\%c is not known to all engines`, c)
}

func (p *patternParser) hex(start int) (rune, error) {
	rest := string(p.s[min(p.at, len(p.s)):])
	digits, length := rest[:min(2, len(rest))], 2
	if strings.HasPrefix(rest, "{") {
		inside, _, _ := strings.Cut(rest[1:], "}")
		digits, length = inside, len(inside)+2
	}
	if len(digits) < 2 || len(digits) > 6 || strings.Trim(digits, "0123456789abcdefABCDEF") != "" {
		return -1, p.wrong(start, `\x needs two hex digits, or up to six in braces`)
	}
	code, _ := strconv.ParseUint(digits, 16, 32)
	if !utf8.ValidRune(rune(code)) {
		return -1, p.wrong(start, `\x names no character`)
	}
	p.at += length
	return rune(code), nil
}

func (p *patternParser) class() (*node, error) {
	start := p.at
	p.at++
	negated := p.peek("^")
	if negated {
		p.at++
	}
	var members asciiMask
	wide := false
	for first := true; first || !p.peek("]"); first = false {
		if p.at >= len(p.s) {
			return nil, p.wrong(start, "a [ without its ]")
		}
		if p.peek("[:") {
			return nil, p.wrong(p.at, "[: is not known to all engines")
		}
		more, moreWide, err := p.member()
		if err != nil {
			return nil, err
		}
		members, wide = members.union(more), wide || moreWide
	}
	p.at++
	members = p.foldedMask(members)
	if negated {
		return &node{kind: chars, ascii: allMask.without(members), wide: true, folded: p.fold}, nil
	}
	return &node{kind: chars, ascii: members, wide: wide, folded: p.fold}, nil
}

// member reads one character, escape or range of a class.
func (p *patternParser) member() (members asciiMask, wide bool, err error) {
	start := p.at
	low, members, wide, err := p.classCharacter()
	if err != nil {
		return members, wide, err
	}
	if !p.peek("-") || p.at+1 >= len(p.s) || p.s[p.at+1] == ']' {
		if low < 0 {
			return members, wide, nil
		}
		members, wide = rangeOf(low, low)
		return members, wide, nil
	}
	p.at++
	high, _, _, err := p.classCharacter()
	if err != nil {
		return members, wide, err
	}
	if low < 0 || high < low {
		return members, wide, p.wrong(start, "is no range of characters")
	}
	members, wide = rangeOf(low, high)
	return members, wide, nil
}

func (p *patternParser) classCharacter() (only rune, members asciiMask, wide bool, err error) {
	c := p.s[p.at]
	if c == '\\' {
		members, wide, only, err = p.escaped()
		return only, members, wide, err
	}
	p.at++
	return c, members, false, nil
}

func rangeOf(low, high rune) (members asciiMask, wide bool) {
	for c := low; c <= min(high, utf8.RuneSelf-1); c++ {
		members.add(byte(c))
	}
	return members, high >= utf8.RuneSelf
}

// repeatsOf is the product of the counts in each other, as engines bound it.
func repeatsOf(n *node) int {
	most := 1
	for _, item := range n.items {
		most = max(most, repeatsOf(item))
	}
	if n.kind == repeat {
		most *= max(n.least, n.most, 1)
	}
	return most
}

func isCount(text string) bool {
	return text != "" && len(text) < 5 && strings.Trim(text, digitChars) == ""
}
