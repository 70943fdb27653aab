// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "strings"

// tokenRow is one form of a vendor's tokens, from `vendor_tokens` of the policy.
type tokenRow struct {
	masked      string
	index       int // under which hits are counted
	order       int // in the table
	names       *tokenNames
	prefixes    []string // none: any token of this form, beside a word
	words       []string // beside which alone it counts, in lower case
	lead        tokenPart
	parts       []tokenPart
	needs       tokenNeed
	keepsPrefix bool
	bothCases   bool // of the first run's alphabet
}

// tokenPart is a literal, a run of one alphabet, or a UUID.
type tokenPart struct {
	literal  string
	alphabet *asciiSet
	min, max int
	uuid     bool
}

// tokenNames are words of what stands between a vendor's word and the value.
type tokenNames struct {
	secret  []string // at least one, where the value could be an id
	notLast []string // not as the last
}

// tokenNeed is what the letters and digits of a token must show, so that a word is none.
type tokenNeed byte

const (
	needNothing tokenNeed = iota
	needDigit             // a digit
	needCase              // an upper-case and a lower-case letter
	needMixed             // all three
	needRandom            // all three, in no order
)

func (n tokenNeed) holds(s string) bool {
	seen, last, changes := byte(0), byte(0), 0
	for i := range len(s) {
		class := classes[s[i]] &^ classHex
		if i > 0 && class != last {
			changes++
		}
		seen, last = seen|class, class
	}
	switch n {
	case needRandom: // words change their case once or twice
		return seen&classAlnum == classAlnum && changes*5 >= (len(s)-1)*2
	case needDigit:
		return seen&classDigit != 0
	case needCase:
		return seen&classLetter == classLetter
	case needMixed:
		return seen&classAlnum == classAlnum
	}
	return true
}

// What may stand between a vendor's word and the value, and how many characters of it.
const (
	mostTokenName    = 24
	mostTokenQuotes  = 3
	mostTokenSigns   = 4
	mostTokenOpening = 8
)

var (
	tokenName    = charsOf("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.- \t")
	tokenQuotes  = charsOf(" \t\r\n\"'`\\])")
	tokenSigns   = charsOf("=:>,|?")
	tokenOpening = charsOf(" \t\r\n\"'`\\=([")
)

const uuidLength = 36

func charsOf(chars string) (set asciiSet) {
	for i := range len(chars) {
		set[chars[i]] = true
	}
	return set
}

// runOf is the number of characters of the set from i on, at most most.
func runOf(s string, i int, set *asciiSet, most int) int {
	at, end := i, min(len(s), i+most)
	for at < end && set.has(s[at]) {
		at++
	}
	return at - i
}

// foundToken is one token in a text.
type foundToken struct {
	start, end int
	row        *tokenRow
}

// better reports whether the token goes before another at the same place: the longer one, else the
// one further up in the table.
func (f *foundToken) better(than *foundToken) bool {
	if than.row == nil || f.end != than.end {
		return than.row == nil || f.end > than.end
	}
	return f.row.order < than.row.order
}

// rest matches what follows a prefix, from i, and returns the end of the token.
func (r *tokenRow) rest(s string, i int) (end int, ok bool) {
	start, length := i, 0
	for n := range r.parts {
		p := &r.parts[n]
		switch {
		case p.uuid:
			if !isUUID(s, i) {
				return 0, false
			}
			length = uuidLength
		case p.alphabet == nil:
			if !strings.HasPrefix(s[i:], p.literal) {
				return 0, false
			}
			length = len(p.literal)
		default:
			if length = runOf(s, i, p.alphabet, p.max); length < p.min {
				return 0, false
			}
		}
		i += length
	}
	last := &r.parts[len(r.parts)-1]
	if last.alphabet != nil {
		for ; length > last.min && s[i-1] == '.'; length-- {
			i-- // the end of a sentence
		}
	}
	return i, last.endsAt(s, i) && r.needs.holds(s[start:i])
}

// endsAt reports whether a token whose last part this is may end at i: no letter or digit follows, nor
// a character that goes on with it.
func (p *tokenPart) endsAt(s string, i int) bool {
	if i >= len(s) {
		return true
	}
	if isAlnum(s[i]) {
		return false
	}
	goesOn := (p.uuid && s[i] == '-') || (p.alphabet != nil && p.alphabet.has(s[i]))
	return !goesOn || i+1 >= len(s) || !isAlnum(s[i+1])
}

func isUUID(s string, i int) bool {
	if i+uuidLength > len(s) {
		return false
	}
	for n := range uuidLength {
		switch c := s[i+n]; n {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if classes[c]&classHex == 0 {
				return false
			}
		}
	}
	return true
}

// atPrefix matches a row whose prefix stands at s[i:after].
func (r *tokenRow) atPrefix(s string, i, after int) (f foundToken, ok bool) {
	f = foundToken{start: i, row: r}
	if f.end, ok = r.rest(s, after); !ok {
		return f, false
	}
	if r.lead.alphabet != nil {
		length := 0
		for length <= r.lead.max && f.start > 0 && r.lead.alphabet.has(s[f.start-1]) {
			f.start--
			length++
		}
		if length < r.lead.min || length > r.lead.max {
			return f, false
		}
	}
	if f.start > 0 && isAlnum(s[f.start-1]) {
		return f, false
	}
	if r.bothCases && f.start > 0 && (s[f.start-1] == '+' || s[f.start-1] == '/') && areAlnum(s[i:after]) {
		return f, false // within base64
	}
	if r.keepsPrefix {
		f.start = after
	}
	return f, true
}

// besideWord matches a row, one of whose words ends at after.
func (r *tokenRow) besideWord(s string, after int) (f foundToken, ok bool) {
	at := after + runOf(s, after, &tokenName, mostTokenName)
	name := s[after:at]
	at += runOf(s, at, &tokenQuotes, mostTokenQuotes)
	if signs := runOf(s, at, &tokenSigns, mostTokenSigns); signs > 0 {
		if s[at:at+signs] == "::" {
			return f, false // of a name within another
		}
		at += signs
	} else if !isDashQuote(name, s[at-1]) {
		return f, false
	}
	at += runOf(s, at, &tokenOpening, mostTokenOpening)
	f = foundToken{start: at, row: r}
	if len(r.prefixes) == 0 {
		f.end, ok = r.rest(s, at)
	}
	for _, prefix := range r.prefixes {
		if ok {
			break
		}
		if strings.HasPrefix(s[at:], prefix) {
			f.end, ok = r.rest(s, at+len(prefix))
		}
	}
	return f, ok && (len(r.prefixes) > 0 || r.mayBeNamed(name, s[f.start:f.end]))
}

// isDashQuote reports whether a name ends as in `token - 'value'`.
func isDashQuote(name string, quote byte) bool {
	return (quote == '"' || quote == '\'' || quote == '`') && strings.HasSuffix(strings.TrimRight(name, " \t"), " -")
}

// mayBeNamed reports whether a name, as far as it follows the vendor's word, can be that of this token.
func (r *tokenRow) mayBeNamed(name, token string) bool {
	end := len(name)
	for end > 0 && !isAlnum(name[end-1]) {
		end--
	}
	name = name[:end]
	for _, word := range r.names.notLast {
		if endsInWord(name, word) {
			return false
		}
	}
	if len(r.parts) > 1 || !couldBeID(token) {
		return true
	}
	for _, word := range r.names.secret {
		if containsFold(name, word) {
			return true
		}
	}
	return false
}

// couldBeID reports whether a number, a hash, a trace id or a UUID looks the same.
func couldBeID(token string) bool {
	seen := byte(0)
	for i := range len(token) {
		if token[i] != '-' && classes[token[i]]&classHex == 0 {
			return false
		}
		seen |= classes[token[i]]
	}
	return len(token)%8 == 0 || seen&classLetter == 0 || isUUID(token, 0)
}

func areAlnum(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) {
			return false
		}
	}
	return true
}

func containsFold(s, word string) bool {
	for i := 0; i+len(word) <= len(s); i++ {
		if equalFoldASCII(s[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

// endsInWord reports whether the last word of a name is this one, in lower case.
func endsInWord(name, word string) bool {
	at := len(name) - len(word)
	if at < 0 || !equalFoldASCII(name[at:], word) {
		return false
	}
	return at == 0 || !isLetter(name[at-1]) || (classes[name[at]]&classUpper != 0 && classes[name[at-1]]&classLower != 0)
}

// isVendorWord reports whether a word of the table counts as such: not the name of a mask, nor one that
// ends in the first letter of another word, as in sumOfPayments.
func (e *Engine) isVendorWord(s string, start, end int) bool {
	if classes[s[end-1]]&classUpper != 0 && classes[s[end-2]]&classLower != 0 {
		return false
	}
	return start == 0 || s[start-1] != '[' || e.maskEnd(s, start-1) < 0
}

// tokenAt finds the token of l's rows whose prefix or word stands at s[i:].
func (e *Engine) tokenAt(l *literal, s string, i int) (best foundToken) {
	after := i + len(l.text)
	if !l.exact && !e.isVendorWord(s, i, after) {
		return best
	}
	for _, r := range l.tokens {
		var f foundToken
		var ok bool
		if l.exact {
			f, ok = r.atPrefix(s, i, after)
		} else {
			f, ok = r.besideWord(s, after)
		}
		if ok && f.better(&best) {
			best = f
		}
	}
	return best
}

// findTokens appends what takes the place of vendors' tokens, from left to right.
func (e *Engine) findTokens(edits []edit, s string, h *Hits) []edit {
	from := 0
	for i := 0; i < len(s); i++ {
		var best foundToken
		for l := range e.scan.tokensAt(s, i) {
			if f := e.tokenAt(l, s, i); f.row != nil && f.start >= from && f.better(&best) && !e.insideMask(s, f.start, f.end) {
				best = f
			}
		}
		if best.row != nil {
			e.hit(h, best.row.index)
			edits = append(edits, edit{start: best.start, end: best.end, mask: best.row.masked})
			from = best.end
			i = max(i, from-1)
		}
	}
	return edits
}
