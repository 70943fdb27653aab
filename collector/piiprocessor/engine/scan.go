package engine

import "strings"

// maxRules is the number of rules that a set of bits holds.
const maxRules = 192

// bits is a set of rules by their place in the policy.
type bits [maxRules / 64]uint64

func (b *bits) set(i int)      { b[i>>6] |= 1 << (i & 63) }
func (b *bits) has(i int) bool { return b[i>>6]&(1<<(i&63)) != 0 }
func (b *bits) empty() bool    { return b[0]|b[1]|b[2] == 0 }

// scanner finds, in one pass over a text, the rules that could match it.
type scanner struct {
	e *Engine
}

func newScanner(e *Engine) *scanner { return &scanner{e: e} }

func (c *scanner) scan(s string, k *keyInfo) bits {
	var wanted bits
	digits, colons, dashes, dots, word, run := 0, 0, 0, 0, 0, 0
	for i := range len(s) {
		switch b := s[i]; {
		case isDigit(b):
			digits++
			run++
		case isAlnum(b):
			run++
		default:
			word, run = max(word, run), 0
			switch b {
			case ':':
				colons++
			case '-':
				dashes++
			case '.':
				dots++
			}
		}
	}
	word = max(word, run)
	for i, r := range c.e.rules {
		if r.pairs {
			if strings.ContainsAny(s, "=:") {
				wanted.set(i)
			}
			continue
		}
		for _, t := range r.triggers {
			hit := false
			switch t.class {
			case "digits":
				hit = digits >= t.count
			case "colons":
				hit = colons >= t.count
			case "dashes":
				hit = dashes >= t.count
			case "dots":
				hit = dots >= t.count
			case "word":
				hit = word >= t.count
			default:
				hit = strings.Contains(s, t.literal)
			}
			if hit {
				wanted.set(i)
				break
			}
		}
	}
	return wanted
}
