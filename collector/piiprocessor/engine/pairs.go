// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"regexp"
	"strings"
)

// longestQuoted bounds a literal that follows its name without a separator.
const longestQuoted = 128

// pairFinder finds the values of secret names in one text. The name is read in pair_names.go, the
// value in pair_values.go; pair_prose.go says what is no value, pair_lines.go finds pairs without a
// sign between.
type pairFinder struct {
	e     *Engine
	s     string
	query bool // the text is the query of a URL
	h     *Hits
	edits []edit
	read  valueReader
}

// findPairs appends what takes the place of the values of secret names, from left to right.
func (e *Engine) findPairs(edits []edit, s string, query bool, h *Hits) []edit {
	f := pairFinder{e: e, s: s, query: query, h: h, edits: edits, read: valueReader{e: e}}
	for pos := f.line(0); pos < len(s); {
		switch c := s[pos]; {
		case c == '\n':
			pos = f.line(pos + 1)
		case c == '=' || c == ':':
			pos = f.separated(pos)
		case pos == 0:
			pos = f.command(pos)
		case (c == '(' || c == '{') && (isAlnum(s[pos-1]) || s[pos-1] == '_') && beginsLiteral(s, pos+1):
			pos = f.called(pos)
		case c == ',' && (isAlnum(s[pos-1]) || s[pos-1] == '_' || isQuote(s[pos-1])) && beginsArgument(s, skipSpaces(s, pos+1)):
			pos = f.argument(pos)
		case (c == '"' || c == '\'') && pos > 1 && s[pos-1] == ' ' && (isNameChar(s[pos-2]) || isQuote(s[pos-2])):
			pos = f.quoted(pos)
		case c == '-' && (s[pos-1] == ' ' && (charAt(s, pos+1) == ' ' || strings.HasPrefix(s[pos+1:], "> ")) ||
			s[pos-1] == '<' && charAt(s, pos+1) == ' '):
			pos = f.dashed(pos)
		case c == ' ' && beginsSaying(s, pos):
			pos = f.spoken(pos)
		default:
			pos = f.command(pos)
		}
	}
	return f.edits
}

// skipSpaces steps over up to three spaces.
func skipSpaces(s string, at int) int {
	for high := at + 3; at < high && charAt(s, at) == ' '; at++ {
	}
	return at
}

// beginsLiteral reports whether a quote stands at `at`, perhaps with a prefix as in b"…".
func beginsLiteral(s string, at int) bool {
	for n := 0; n < 2 && at < len(s) && strings.IndexByte("bBrRfFuU", s[at]) >= 0; n++ {
		at++
	}
	return at < len(s) && isQuote(s[at])
}

// beginsArgument is beginsLiteral, or << before a quote, as Erlang writes its strings.
func beginsArgument(s string, at int) bool {
	return beginsLiteral(s, at) || (at < len(s) && strings.HasPrefix(s[at:], "<<") && isQuote(charAt(s, at+2)))
}

// take replaces a value, unless it stands for one, and returns its end.
func (f *pairFinder) take(name *pairName, start, end int) int {
	if start < end && !f.e.insideMask(f.s, start, end) && !isPlaceholder(f.s[start:end]) && !name.rule.spares(f.s[start:end]) {
		f.e.hit(f.h, name.rule.index)
		f.edits = append(f.edits, edit{start: start, end: end, mask: name.rule.masked})
	}
	return end
}

func (f *pairFinder) line(at int) int {
	name, start, end := f.e.pairInLine(f.s, at)
	if name.rule == nil {
		return at
	}
	return f.take(&name, start, end)
}

func (f *pairFinder) command(at int) int {
	rest := f.s[at:]
	if rest[0] != 'P' && rest[0] != 'A' || !strings.HasPrefix(rest, "PASS ") && !strings.HasPrefix(rest, "AUTH ") {
		return at + 1
	}
	start, end := pairInCommand(f.s, at)
	name := pairName{}
	if end > 0 {
		name = f.e.nameOf(f.s, "password", 0, false)
	}
	if name.rule == nil {
		return at + len("PASS ")
	}
	return f.take(&name, start, end)
}

// operatorAt returns the sign between a name and a value that begins at `at`.
func operatorAt(s string, at int) string {
	for _, operator := range [...]string{"===", "==", "=>", "=", ":::=", "::=", ":=", "::", ":"} {
		if strings.HasPrefix(s[at:], operator) {
			return operator
		}
	}
	return ""
}

// separated: name = value, name: value, name := "value", name => value.
func (f *pairFinder) separated(at int) int {
	s := f.s
	operator := operatorAt(s, at)
	after := at + len(operator)
	if operator == "::" || (operator == ":" && strings.HasPrefix(s[after:], "//")) {
		return after
	}
	name := f.e.nameBefore(s, at, f.query)
	if name.rule == nil {
		return after
	}
	v := f.read.valueAfter(s, after, &name, operator)
	if v.start >= v.end {
		return max(v.end, after)
	}
	if operator == "=" && at > 0 && s[at-1] == '!' {
		operator = "!="
	}
	content := s[v.start:v.end]
	switch operator {
	case "==", "===", "!=":
		if !v.quoted && !looksSecret(content) {
			return v.end
		}
	case ":=", "::=", ":::=":
		if name.rule.proseDigit && !v.quoted && !hasDigit(content) {
			return v.end
		}
	}
	if (name.apart && !believedApart(s, v)) || isProse(s, &name, operator, v) {
		return v.end
	}
	return f.take(&name, v.start, v.end)
}

// called: setPassword("value"), .withApiKey('value').
func (f *pairFinder) called(at int) int {
	function, start := runBefore(f.s, at)
	if function == "" {
		return at + 1
	}
	name := f.e.nameOf(f.s, function, start, false)
	if name.rule == nil || name.rule.line {
		return at + 1
	}
	first := firstWord(function)
	if isReading[first] {
		return at + 1
	}
	v := f.read.valueAt(f.s, at+1, &name)
	content := f.s[v.start:v.end]
	if !v.quoted || strings.IndexByte(content, ' ') >= 0 {
		return at + 1
	}
	if !isGiving[first] && name.rule.proseDigit && !looksSecret(content) {
		return at + 1
	}
	return f.take(&name, v.start, v.end)
}

// argument: setProperty("name", "value"), -define(name, "value"), {name, <<"value">>}.
func (f *pairFinder) argument(at int) int {
	s, end, quoted := f.s, at, isQuote(f.s[at-1])
	if quoted {
		end--
	}
	key, start := runBefore(s, end)
	opening := start - 1
	if quoted {
		opening--
	}
	if key == "" || opening < 0 || (quoted && s[start-1] != s[at-1]) {
		return at + 1
	}
	given := true
	switch {
	case s[opening] == '(':
		function, _ := runBefore(s, opening)
		words := normalise(function)
		first, _, _ := strings.Cut(words, "_")
		given = isGiving[first] || isGiving[words[strings.LastIndexByte(words, '_')+1:]]
		if isReading[first] && !given {
			return at + 1
		}
	case quoted || s[opening] != '{':
		return at + 1
	}
	name := f.e.nameOf(s, key, start, false)
	if name.rule == nil {
		return at + 1
	}
	v := f.read.valueAt(s, skipBlanks(s, at+1), &name)
	if !v.quoted || !(given || looksSecret(s[v.start:v.end])) {
		return at + 1
	}
	return f.take(&name, v.start, v.end)
}

// quoted: password "value", the name, a space, and a literal without one.
func (f *pairFinder) quoted(at int) int {
	s, end := f.s, at-1
	if end > 0 && isQuote(s[end-1]) {
		end--
	}
	word, start := runBefore(s, end)
	if word == "" {
		return at + 1
	}
	name := f.e.nameOf(s, word, start, false)
	if name.rule == nil || name.rule.line || isNamed[normalise(word)] {
		return at + 1
	}
	length := strings.IndexByte(s[at+1:min(len(s), at+longestQuoted)], s[at])
	if length < 0 {
		return at + 1
	}
	content := s[at+1 : at+1+length]
	if strings.ContainsAny(content, " \t\r\n,;(){}") || (name.rule.proseDigit && !looksSecret(content)) {
		return at + 1
	}
	return f.take(&name, at+1, at+1+length)
}

var (
	// What a sentence says of a value, and the word before its name.
	said = regexp.MustCompile("^ (?:(was|to) )?[\"']?([^ \t\r\n\"',;:=(){}\\[\\]<>/]+)(?:[ \t\r\n\"',;)]|$)")
	led  = regexp.MustCompile(`(?:^|[^a-z])(?:with|using|use|and|by|via|set|new|default|the|changed?|changing|reset|updated?) $`)
	// saidVerbs may stand between a name and `to`.
	saidVerbs = []string{" set", " reset", " changed"}
)

// longestLead is how much before a name counts in a sentence.
const longestLead = 16

// beginsSaying reports whether a sentence may go on with a value at the space s[at].
func beginsSaying(s string, at int) bool {
	rest := s[at+1:]
	if strings.HasPrefix(rest, "was ") || strings.HasPrefix(rest, "to ") {
		return true
	}
	if at < 3 || rest == "" || rest[0] == ' ' {
		return false
	}
	switch [3]byte{lower(s[at-3]), lower(s[at-2]), lower(s[at-1])} {
	case [3]byte{'o', 'r', 'd'}, [3]byte{'s', 'w', 'd'}, [3]byte{'o', 'd', 'e'}, [3]byte{'a', 's', 'e'}:
		return true
	}
	return false
}

// spoken: changed password to x, password was x, with password x.
func (f *pairFinder) spoken(at int) int {
	s := f.s
	window := s[at:min(len(s), at+longestQuoted)]
	m := said.FindStringSubmatchIndex(window)
	if m == nil || (m[1] == longestQuoted && at+longestQuoted < len(s)) {
		return at + 1
	}
	value, verb, end := window[m[4]:m[5]], "", at
	if m[2] >= 0 {
		verb = window[m[2]:m[3]]
	}
	if verb == "to" {
		for _, between := range saidVerbs {
			if strings.HasSuffix(s[:at], between) {
				end = at - len(between)
			}
		}
	}
	word, start := runBefore(s, end)
	if word == "" {
		return at + 1
	}
	name := f.e.nameOf(s, word, start, false)
	if name.rule == nil || name.rule.line || isNamed[normalise(word)] || !looksSecret(value) {
		return at + 1
	}
	isLed := led.MatchString(lowerASCII(s[max(0, start-longestLead):start]))
	if (verb == "" && (name.rule.proseDigit || !isLed)) || (verb == "to" && end == at && !isLed) {
		return at + 1
	}
	return f.take(&name, at+m[4], at+m[5])
}

// dashed: password - "value", password -> value.
func (f *pairFinder) dashed(at int) int {
	s, after := f.s, at+1
	if s[after] == '>' {
		after++
	}
	end := at
	if s[at-1] == '<' {
		end--
	}
	word, start := runBefore(s, skipBlanksBefore(s, end))
	if word == "" {
		return after
	}
	name := f.e.nameOf(s, word, start, false)
	if name.rule == nil {
		return after
	}
	v := f.read.valueAt(s, skipBlanks(s, after), &name)
	content := s[v.start:v.end]
	if !looksSecret(content) && (name.rule.proseDigit || !v.quoted || strings.IndexByte(content, ' ') >= 0) {
		return after
	}
	return f.take(&name, v.start, v.end)
}

// firstWord is that of the last part of a name: set of setPassword, with of builder.withApiKey.
func firstWord(name string) string {
	first, _, _ := strings.Cut(normalise(name[strings.LastIndexByte(name, '.')+1:]), "_")
	return first
}
