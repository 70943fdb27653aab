// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"regexp"
	"strings"
)

const (
	// pairWindow is how far what stands before a value, and what decides about its end, may reach.
	pairWindow = 128
	// behindWindow is how far before a name an opening bracket counts.
	behindWindow = 256
	// longestOverLines and mostLines bound a bracket or quote that does not close in its line.
	longestOverLines = 512
	mostLines        = 8
	mostNested       = 16
	// closingWindow: within a value, a bracket closes as near as this.
	closingWindow = 64
	// longestInParentheses bounds a placeholder such as (sensitive value).
	longestInParentheses = 32
)

var (
	// What may stand before a value and is no part of it …
	valueDress = regexp.MustCompile(`^(?:\*{1,2}[ \t]{1,3}` +
		`|</?(?:b|i|strong|em|label|span|td|th|dt|dd|code)>[ \t]{0,3}` +
		`|(?:new|Just)[ \t]{1,3}` +
		`|ConvertTo-SecureString(?: -String)?[ \t]{1,3}` +
		`|!!?(?:secret|vault|encrypted|env|ENV|Ref|Sub|GetAtt|ImportValue|str|string|binary|reference|var` +
		`|base64|Base64|include|ssm|sops)(?:/[A-Za-z]{1,20})?[ \t]{1,3}` +
		`|&[A-Za-z_]{1,20}[ \t]{1,3})`)
	// … if a quote or bracket follows.
	valueCast = regexp.MustCompile(`^(?:\([A-Za-z*\[\].]{1,24}\)[ ]?(?:\(len=[0-9]{1,9}[^()]*\)[ ]?)?` +
		`|(?:string|str)\([0-9]{1,6}\)[ ]` +
		`|<<|&)`)
	valueType = regexp.MustCompile(`^[&*]?(?:'static )?([A-Za-z_]{1,20})(?:\[[A-Za-z, |]{0,40}\]|<[A-Za-z, ]{0,40}>)?\??` +
		`(?: ?\| ?[A-Za-z]{1,12})?[ \t]{0,8}:?=[ \t]{0,8}`)
	valueCall   = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_.:]{0,63})!?\([ \t]{0,3}`)
	valueBraced = regexp.MustCompile(`^(?:&?(?:(?:\[[0-9]{0,4}\]\*?|map\[[A-Za-z0-9.]{1,20}\](?:\[\])?)[A-Za-z_][A-Za-z0-9_.]{0,30}(?:\{\})?[{(]` +
		`|[A-Z][A-Za-z0-9_.:]{0,63} ?\{))`)
	// What a struct written out begins with: its fields, or a literal.
	valueFields = regexp.MustCompile(`^[ \t]{0,3}(?:["'\[]|[A-Za-z_][A-Za-z0-9_]{0,40} ?[:=])`)
	valuePrefix = regexp.MustCompile("^(?:[bBrRfFuU]{1,2}|u8|[lLN@$])?[\"'`]")
	// A value that is read from somewhere, perhaps with a default.
	valueRead    = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_.:]{0,63})[\[(]["'][^"'\r\n]*["']`)
	valueDefault = regexp.MustCompile(`^(?:, ?|[\])]{1,2} ?(?:\|\||\?\?|or|\?:) ?|[\])]{1,2}\.(?:unwrap_or|orElse|or)\(| ?,[ ]{0,2}default ?= ?)["']`)
	valueSourced = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]{0,30})(?:\.[A-Za-z_][A-Za-z0-9_]*)+ ?(?:\|\||\?\?|or|\?:) ?["']`)
	valueHashed  = regexp.MustCompile(`^[0-9a-f]{5,8}[ }]`)
	valueBlock   = regexp.MustCompile(`^[|>][+0-9-]{0,2}[ \t]*\r?\n`)
	valueElement = regexp.MustCompile(`^<([A-Za-z]{1,10})>[A-Za-z0-9]`)
	pairFollows  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.\-\[\]%]{0,62}["']?[=:]`)
	spacedPair   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.\-\[\]% ]{0,62}=`)
	formPair     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.\-\[\]%]{0,62}[=;]`)
	isTag        = newWords("br b i p a td tr li ul ol div span em hr pre code strong th dt dd")
)

// matchAt returns how far a pattern matches s from at, within a window, and its first group; or -1.
func matchAt(re *regexp.Regexp, s string, at, window int) (end int, group string) {
	if at > len(s) {
		return -1, ""
	}
	m := re.FindStringSubmatchIndex(s[at:min(len(s), at+window)])
	if m == nil {
		return -1, ""
	}
	if len(m) > 2 && m[2] >= 0 {
		group = s[at+m[2] : at+m[3]]
	}
	return at + m[1], group
}

func charAt(s string, at int) byte {
	if at < len(s) {
		return s[at]
	}
	return 0
}

// prefixed returns the place after the quote with which a literal begins at `at`, or -1.
func prefixed(s string, at int) int {
	end, _ := matchAt(valuePrefix, s, at, 4)
	return end
}

func skipBlanks(s string, at int) int {
	for high := min(len(s), at+mostBlanks); at < high && isBlank(s[at]); at++ {
	}
	return at
}

func lineEnd(s string, at int) int {
	if i := strings.IndexAny(s[at:], "\r\n"); i >= 0 {
		return at + i
	}
	return len(s)
}

// pairValue is s[start:end], which is nothing where they are equal.
type pairValue struct {
	start, end     int
	quoted, spaced bool
	many           bool // in brackets: several values, or one with its own names
}

// valueReader reads the values after the separators of one text, from left to right.
type valueReader struct {
	e *Engine
	// unclosed: up to here a bracket was found not to close. None is tried again, so that time is linear.
	unclosed int
}

func nothing(at int) pairValue { return pairValue{start: at, end: at} }

// valueAfter finds the value that follows a separator, from s[at:].
func (r *valueReader) valueAfter(s string, at int, name *pairName, operator string) pairValue {
	i := skipBlanks(s, at)
	spaced := i > at
	switch operator {
	case ":":
		if i == len(s) || strings.IndexByte("\r\n|>#", s[i]) >= 0 {
			if block, ok := r.blockValue(s, i, name); ok {
				return block
			}
		}
		if end, group := matchAt(valueType, s, i, pairWindow); end >= 0 && isType.has(group) && charAt(s, end) != '=' {
			i = end
		}
	case "=>":
		if c := charAt(s, i); c == '\r' || c == '\n' {
			lines := i
			for lines < len(s) && lines-i < mostBlanks && strings.IndexByte(" \t\r\n", s[lines]) >= 0 {
				lines++
			}
			if end, _ := matchAt(valueCast, s, lines, pairWindow); end >= 0 {
				i = lines
			}
		}
	}
	v := r.valueAt(s, i, name)
	v.spaced = spaced
	return v
}

// valueAt reads the value that begins at i.
func (r *valueReader) valueAt(s string, i int, name *pairName) pairValue {
	if end, function := matchAt(valueRead, s, i, pairWindow); end >= 0 && isRead(function) {
		fallback, _ := matchAt(valueDefault, s, end, pairWindow)
		if fallback < 0 {
			return nothing(end)
		}
		i = fallback - 1
	}
	if end, source := matchAt(valueSourced, s, i, pairWindow); end >= 0 && isSource.has(source) {
		i = end - 1
	}
	for range 4 {
		step := beforeValue(s, i)
		if step == i {
			break
		}
		i = step
	}
	if i >= len(s) || r.e.maskEnd(s, i) >= 0 {
		return r.bareOrLine(s, i, name)
	}
	if inside, _ := matchAt(valueBraced, s, i, pairWindow); inside >= 0 {
		if s[inside-1] == '(' {
			i = inside
		} else if end, _ := matchAt(valueHashed, s, inside, pairWindow); end >= 0 {
			return nothing(inside)
		} else {
			wanted := strings.IndexByte("[&m", s[i]) >= 0
			if !wanted {
				end, _ := matchAt(valueFields, s, inside, pairWindow)
				wanted = end >= 0
			}
			if wanted {
				if found, ok := r.bracketed(s, inside-1, name); ok {
					return found
				}
			}
		}
	}
	if c := charAt(s, i); c == '[' || c == '{' || c == '(' {
		if found, ok := r.bracketed(s, i, name); ok {
			return found
		}
		if c == '[' {
			i++
			for spaces := i + 3; i < spaces && charAt(s, i) == ' '; i++ {
			}
		}
	}
	slashes := 0
	for slashes < 3 && charAt(s, i+slashes) == '\\' {
		slashes++
	}
	if quote := prefixed(s, i+slashes); quote >= 0 {
		return r.quotedValue(s, quote-1, slashes, name)
	}
	return r.bareOrLine(s, i, name)
}

// beforeValue steps over one thing that stands before the value itself.
func beforeValue(s string, i int) int {
	if end, _ := matchAt(valueDress, s, i, pairWindow); end >= 0 {
		return end
	}
	if end, _ := matchAt(valueCast, s, i, pairWindow); end >= 0 && end < len(s) && strings.IndexByte(`"'{[`, s[end]) >= 0 {
		return end
	}
	if end, _ := matchAt(valueCall, s, i, pairWindow); end >= 0 {
		if prefixed(s, end) >= 0 {
			return end
		}
		if inner, _ := matchAt(valueCall, s, end, pairWindow); inner >= 0 {
			return end
		}
	}
	return i
}

func (r *valueReader) bareOrLine(s string, i int, name *pairName) pairValue {
	if !name.rule.line {
		return r.bareValue(s, i, name)
	}
	end := i
	for end < len(s) && s[end] != '\r' && s[end] != '\n' && s[end] != '"' && s[end] != '\'' {
		end++
	}
	for end > i && isBlank(s[end-1]) {
		end--
	}
	return pairValue{start: i, end: end}
}

func (r *valueReader) quotedValue(s string, opening, slashes int, name *pairName) pairValue {
	quote, start := s[opening], opening+1
	if m := r.e.maskEnd(s, start); m >= 0 && (m == len(s) || s[m] == '\r' || s[m] == '\n' || s[m] == '\\' || s[m] == quote) {
		return pairValue{start: start, end: m, quoted: true}
	}
	mark := s[opening:start]
	if slashes == 0 && charAt(s, start) == quote && charAt(s, start+1) == quote {
		end := strings.Index(s[start+2:], strings.Repeat(mark, 3)) + start + 2
		if end < start+2 {
			end = lineEnd(s, start)
		}
		return pairValue{start: start + 2, end: end, quoted: true}
	}
	if name.doubled && charAt(s, start) == quote {
		stop := lineEnd(s, start)
		if end := strings.Index(s[start+1:max(stop, start+1)], strings.Repeat(mark, 2)); end >= 0 {
			stop = start + 1 + end
		}
		return pairValue{start: start + 1, end: stop, quoted: true}
	}
	end := closingQuote(s, start, quote, slashes)
	if slashes == 0 && end < len(s) && s[end] == quote && isAlnum(charAt(s, end+1)) {
		// The value goes on behind its quote: 'hun'ter2.
		if end = r.bareValue(s, end+1, name).end; charAt(s, end) != quote {
			start = opening
		}
	}
	return pairValue{start: start, end: end, quoted: true}
}

// bracketed reads what stands in brackets: one literal, or the whole run.
func (r *valueReader) bracketed(s string, opening int, name *pairName) (v pairValue, ok bool) {
	first := s[opening]
	if next := charAt(s, opening+1); first == '{' && (next == '{' || next == '%') {
		closing := "}}"
		if next == '%' {
			closing = "%}"
		}
		window := s[opening:min(len(s), opening+behindWindow)]
		if end := strings.Index(window, closing); end >= 0 && strings.IndexByte(window[:end], '\n') < 0 {
			return pairValue{start: opening, end: opening + end + 2}, true
		}
	}
	if first == '(' && prefixed(s, opening+1) < 0 {
		end := strings.IndexByte(s[opening:min(len(s), opening+longestInParentheses)], ')')
		if end >= 0 && isPlaceholder(s[opening:opening+end+1]) {
			return nothing(opening + end + 1), true
		}
		return pairValue{}, false
	}
	end := r.closingBracket(s, opening)
	if end < 0 {
		return pairValue{}, false
	}
	if isPlaceholder(s[opening : end+1]) {
		return nothing(end + 1), true
	}
	start, stop := opening+1, end
	for start < stop && strings.IndexByte(" \t\r\n", s[start]) >= 0 {
		start++
	}
	for stop > start && strings.IndexByte(" \t\r\n", s[stop-1]) >= 0 {
		stop--
	}
	if inner := prefixed(s, start); inner >= 0 {
		if quote := s[inner-1]; s[stop-1] == quote && closingQuote(s, inner, quote, 0) == stop-1 {
			return pairValue{start: inner, end: stop - 1, quoted: true}, true
		}
	}
	if first != '(' && isAlnum(charAt(s, end+1)) && !name.rule.line {
		// The brackets are part of the value: {hunter2}9w.
		return pairValue{start: opening, end: r.bareValue(s, end+1, name).end}, true
	}
	return pairValue{start: start, end: stop, many: true}, true
}

// bareValue reads an unquoted value; a delimiter within it may belong to it.
func (r *valueReader) bareValue(s string, i int, name *pairName) pairValue {
	end := i
	switch c, next := charAt(s, i), charAt(s, i+1); {
	case (c == '$' || c == '#' || c == '%') && next == '{', c == '$' && next == '(':
		if closed := r.closingBracket(s, i+1); closed >= 0 && strings.IndexByte(s[i:closed], '\n') < 0 {
			end = closed + 1
		}
	case c == '<':
		window := s[i:min(len(s), i+pairWindow)]
		if closed := strings.IndexByte(window, '>'); closed >= 0 && strings.IndexByte(window[:closed], '\n') < 0 {
			end = i + closed + 1
		}
	}
	var nested brackets
	for end < len(s) {
		if m := r.e.maskEnd(s, end); m >= 0 {
			end = m
			continue
		}
		if !endsBareValue(s[end]) {
			end++
			continue
		}
		if end == i {
			break
		}
		step := continues(s, end, name, &nested)
		if step == 0 {
			break
		}
		end += step
	}
	return pairValue{start: i, end: withoutParentheses(s, i, end, name)}
}

// withoutParentheses leaves out the ) that closes what stands before the name: (using password=x).
func withoutParentheses(s string, start, end int, name *pairName) int {
	if end == start || s[end-1] != ')' {
		return end
	}
	low := max(0, name.start-behindWindow)
	low += strings.LastIndexByte(s[low:name.start], '\n') + 1
	if strings.IndexByte(s[low:name.start], '(') < 0 {
		return end
	}
	extra := strings.Count(s[start:end], ")") - strings.Count(s[start:end], "(")
	for ; extra > 0 && end > start && s[end-1] == ')'; extra-- {
		end--
	}
	return end
}

func endsBareValue(c byte) bool {
	switch c {
	case ' ', '\t', '\r', '\n', '\f', '\v', '"', '\'', '&', ',', ';', '<', '>', '[', ']', '{', '}', '\\':
		return true
	}
	return false
}

// brackets are those that are open, by what closes them.
type brackets struct {
	closing []byte
	buffer  [mostNested + 1]byte
}

func (b *brackets) push(opening byte) {
	if b.closing == nil {
		b.closing = b.buffer[:0]
	}
	b.closing = append(b.closing, closingOf(opening))
}

func (b *brackets) pop(c byte) bool {
	if n := len(b.closing); n > 0 && b.closing[n-1] == c {
		b.closing = b.closing[:n-1]
		return true
	}
	return false
}

func closingOf(opening byte) byte {
	switch opening {
	case '[':
		return ']'
	case '{':
		return '}'
	}
	return ')'
}

// continues returns how many characters at a delimiter still belong to the value.
func continues(s string, at int, name *pairName, nested *brackets) int {
	c := s[at]
	if nested.pop(c) {
		return 1
	}
	if at+1 >= len(s) {
		return 0
	}
	n := s[at+1]
	belongs := false
	switch c {
	case '"', '\'':
		belongs = isAlnum(n)
	case '\\':
		belongs = isLetter(n) && strings.IndexByte("ntrux", n) < 0
	case '&', ',', ';':
		belongs = sameValue(s, at, name)
	case '[', '{':
		inner := s[at+1 : min(len(s), at+closingWindow)]
		if closing := strings.IndexByte(inner, closingOf(c)); closing > 0 {
			belongs = true
			for i := range closing {
				belongs = belongs && !endsBareValue(inner[i])
			}
		}
		if belongs {
			nested.push(c)
		}
	case ']', '}', '>':
		if isAlnum(n) {
			low := max(0, name.start-behindWindow)
			low += strings.LastIndexByte(s[low:name.start], '\n') + 1
			belongs = strings.IndexByte(s[low:name.start], openingOf(c)) < 0
		}
	case '<':
		if isDigit(n) {
			return 1
		}
		if end, tag := matchAt(valueElement, s, at, pairWindow); end >= 0 && !isTag.has(tag) {
			return len(tag) + 2
		}
	}
	if belongs {
		return 1
	}
	return 0
}

func openingOf(closing byte) byte {
	switch closing {
	case ']':
		return '['
	case '}':
		return '{'
	}
	return '<'
}

// sameValue reports whether what follows `&`, `,` or `;` belongs to the value before it.
func sameValue(s string, at int, name *pairName) bool {
	c, n := s[at], s[at+1]
	if n < '!' || strings.IndexByte(`"'&,;<>[]{}\|)`, n) >= 0 {
		return false
	}
	before := name.start - 1
	if before >= 0 && isQuote(s[before]) {
		before--
	}
	for before >= 0 && name.start-before < 4 && s[before] == ' ' {
		before--
	}
	if before >= 0 && (s[before] == c || (c == '&' && s[before] == '?')) {
		return false
	}
	follows := spacedPair
	switch c {
	case '&':
		follows = formPair
	case ',':
		follows = pairFollows
	}
	end, _ := matchAt(follows, s, at+1, pairWindow)
	return end < 0
}

// blockValue reads a YAML value on the lines that follow, indented further than the name's line.
func (r *valueReader) blockValue(s string, i int, name *pairName) (v pairValue, ok bool) {
	low := max(0, name.start-mostBlanks)
	begin := strings.LastIndexByte(s[low:name.start], '\n')
	if begin < 0 && low > 0 {
		return v, false
	}
	begin += low + 1
	head := strings.TrimRight(s[begin:name.start], `"'`)
	if strings.Trim(head, " \t-") != "" {
		return v, false
	}
	indent := len(head)
	if strings.HasPrefix(s[i:], "# ") {
		i = lineEnd(s, i)
	}
	marked, _ := matchAt(valueBlock, s, i, pairWindow)
	switch {
	case marked >= 0:
		i = marked
	case strings.HasPrefix(s[i:], "\r\n"):
		i += 2
	case charAt(s, i) == '\r' || charAt(s, i) == '\n':
		i++
	default:
		return v, false
	}
	start, end := -1, -1
	for i < len(s) {
		first := i
		for first < len(s) && isBlank(s[first]) {
			first++
		}
		stop := lineEnd(s, first)
		if first < stop {
			content := s[first:stop]
			// A list may stand as far left as its name.
			listed := first-i == indent && strings.IndexByte(head, '-') < 0 && strings.HasPrefix(content, "- ")
			if first-i <= indent && !(listed && marked < 0) {
				break
			}
			if marked < 0 && r.e.maskEnd(s, first) != stop && !isScalar(content) {
				return v, false
			}
			if start < 0 {
				start = first
			}
			end = stop
			if marked < 0 && !strings.HasPrefix(content, "- ") {
				break
			}
		}
		i = stop + 1
		if strings.HasPrefix(s[stop:], "\r\n") {
			i++
		}
	}
	if start < 0 {
		return v, false
	}
	if c := s[start]; marked < 0 && (c == '"' || c == '\'') && end-start > 1 && s[end-1] == c {
		return pairValue{start: start + 1, end: end - 1, quoted: true}, true
	}
	return pairValue{start: start, end: end, many: true}, true
}

// isScalar reports whether a line is one value and no mapping or sentence.
func isScalar(content string) bool {
	item := strings.TrimRight(strings.TrimPrefix(content, "- "), " \t")
	if item == "" {
		return false
	}
	if c := item[0]; c == '"' || c == '\'' {
		return item[len(item)-1] == c && len(item) > 2
	}
	return !strings.ContainsAny(item, " \t{}[]()#") && item[len(item)-1] != ':'
}

// isRead reports whether a function only says where a value is.
func isRead(function string) bool {
	name := normalise(function)
	first, _, _ := strings.Cut(name, "_")
	last := name[strings.LastIndexByte(name, '_')+1:]
	return isReading[first] || isReading[last] || isSource[first]
}

// closingQuote returns the end of a value that began after a quote with so many backslashes
// before it.
func closingQuote(s string, start int, quote byte, slashes int) int {
	run, lines, crossed := 0, 0, -1
	for i := start; i < len(s); i++ {
		c := s[i]
		if c == '\\' {
			run++
			continue
		}
		backslashes := run
		run = 0
		if c == '\n' || c == '\r' {
			if slashes > 0 {
				return i
			}
			if crossed < 0 {
				crossed = i
			}
			if lines++; lines > mostLines {
				return crossed
			}
			continue
		}
		if c != quote {
			continue
		}
		if crossed >= 0 && i-start > longestOverLines {
			return crossed
		}
		if slashes > 0 {
			if backslashes <= slashes {
				return i - backslashes
			}
			continue
		}
		if backslashes%2 != 0 {
			continue
		}
		after := charAt(s, i+1)
		switch {
		case crossed >= 0:
			if strings.IndexByte("=:([{, ", s[i-1]) < 0 && (i+1 == len(s) || strings.IndexByte(" \t\r\n,;})]", after) >= 0) {
				return i
			}
		case i > start && i+1 < len(s) && after == quote && isAlnum(charAt(s, i+2)):
			i++ // Doubled, it stands for one.
		default:
			return i
		}
	}
	if crossed >= 0 {
		return crossed
	}
	return len(s)
}

// closingBracket returns where the bracket closes, or -1.
func (r *valueReader) closingBracket(s string, opening int) int {
	if opening < r.unclosed {
		return -1
	}
	end, closed := closingBracket(s, opening)
	if !closed {
		r.unclosed = end
		return -1
	}
	return end
}

// closingBracket returns where the bracket closes, in its line or soon after; or how far it does not.
func closingBracket(s string, opening int) (end int, closed bool) {
	var nested brackets
	nested.push(s[opening])
	lines := 0
	var unclosed [2]bool // the quotes that do not close in this line
	for i := opening + 1; i < len(s); i++ {
		switch c := s[i]; c {
		case '\n':
			lines++
			unclosed = [2]bool{}
		case '"', '\'':
			kind := 0
			if c == '\'' {
				kind = 1
			}
			if !unclosed[kind] {
				if end := quoteInLine(s, i+1, c); end >= 0 {
					i = end
				} else {
					unclosed[kind] = true
				}
			}
		case '[', '{', '(':
			nested.push(c)
		case ']', '}', ')':
			if nested.pop(c) && len(nested.closing) == 0 {
				return i, true
			}
		default:
			continue
		}
		if lines > 0 && (i+1-opening > longestOverLines || lines > mostLines) {
			return i + 1, false
		}
		if len(nested.closing) > mostNested {
			return i + 1, false
		}
	}
	return len(s), false
}

// quoteInLine returns the quote that closes a literal in its line, or -1.
func quoteInLine(s string, at int, quote byte) int {
	for i := at; i < len(s); i++ {
		switch s[i] {
		case quote:
			return i
		case '\r', '\n':
			return -1
		case '\\':
			if i++; i < len(s) && (s[i] == '\r' || s[i] == '\n') {
				return -1
			}
		}
	}
	return -1
}
