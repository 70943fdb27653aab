// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"unicode/utf8"
)

const (
	mostOthers         = 4  // words between a word and its number that are none of the policy's
	longestWord        = 32 // bytes of one word, and of what joins it to another: what is longer is cut
	longestAside       = 24
	longestInitials    = 3  // bytes of a word that begins names of other things, as in nss-plugin:
	leastAfterV        = 32 // the least first number of an address directly behind a v: those of versions are smaller
	longestWhole       = 3  // digits before the point of what is taken for a fraction
	fewestVersionParts = 3
)

// elsewhere are words in a name that say that the number is of something else: account_number_of_retries,
// phone_set_at.
var elsewhere = wordSet("of", "at", "in", "by", "per", "since", "until")

var numberWords = wordSet("number", "numbers", "no", "nos", "nr", "num", "nbr", "nummer", "numero", "número", "numéro", "n", "nº", "n°", "№")

var archives = wordSet("jar", "war", "tar", "tgz", "gz", "bz2", "xz", "zip", "rpm", "deb", "exe", "msi", "dll", "so", "whl", "apk", "dmg", "pkg", "nupkg")

// contextWord counts for a hit in the same clause; one that is nameOnly counts as the name of the
// value alone, or with a word for number behind it.
type contextWord struct {
	text     string
	nameOnly bool
}

// readContextWords takes the words as the policy writes them: one that ends in : or = is only a name.
func readContextWords(listed []string) (words []contextWord) {
	known := map[string]bool{}
	for _, names := range []bool{false, true} {
		for _, word := range listed {
			text := word
			if last := word[len(word)-1]; (last == ':' || last == '=') != names {
				continue
			} else if names {
				text = strings.TrimRight(word, ":= ")
			}
			if text != "" && !known[text] {
				known[text] = true
				words = append(words, contextWord{text: text, nameOnly: names})
			}
		}
	}
	return words
}

// setContextWords files the words by their first bytes.
func (r *rule) setContextWords(listed []string) {
	r.contextWords = readContextWords(listed)
	for i := range r.contextWords {
		first := r.contextWords[i].text[0]
		r.wordsByFirst[first] = append(r.wordsByFirst[first], int16(i))
	}
}

// isNear reports whether one of the rule's context words is about the hit.
func (e *Engine) isNear(r *rule, k *keyInfo, s string, start, end int) bool {
	if k.near.has(r.place) {
		return true
	}
	if isFraction(s, start, end) || isDottedVersion(s[start:end]) || isDottedVersion(behindBlank(s[start:end])) || isCompactDate(s[start:end]) || e.hasUnit(s, end) {
		return false
	}
	low := start
	for n := 0; n < e.limits.contextBefore && low > 0; n++ {
		_, size := utf8.DecodeLastRuneInString(s[:low])
		low -= size
	}
	high := end
	for n := 0; n < e.limits.contextAfter && high < len(s); n++ {
		_, size := utf8.DecodeRuneInString(s[high:])
		high += size
	}
	for at := low; at < start; at++ {
		for _, i := range r.wordsByFirst[lower(s[at])] {
			if word := &r.contextWords[i]; isWordAt(s, word.text, at, start) && e.countsBefore(r, word, s, at, start) {
				return true
			}
		}
	}
	for at := end; at < high; at++ {
		for _, i := range r.wordsByFirst[lower(s[at])] {
			word := &r.contextWords[i]
			if !r.contextDirectly && !word.nameOnly && isWordAt(s, word.text, at, high) && e.countsBehind(s, end, at, at+len(word.text)) {
				return true
			}
		}
	}
	return false
}

// isWordAt reports whether a lower-case word stands at a place of s, before end, without regard to case.
func isWordAt(s, word string, at, end int) bool {
	return at+len(word) <= end && equalFoldASCII(s[at:at+len(word)], word)
}

// isNearKey reports whether a key, its words joined by blanks, has one of the rule's words.
func (e *Engine) isNearKey(r *rule, key string) bool {
	framed := " " + key + " "
	for i := range r.contextWords {
		word := &r.contextWords[i]
		for from := 0; ; {
			at := strings.Index(framed[from:], " "+word.text+" ")
			if at < 0 {
				break
			}
			rest := strings.Fields(framed[from+at+len(word.text)+2:])
			if e.fitsRest(rest, r.contextDirectly || word.nameOnly) {
				return true
			}
			from += at + 1
		}
	}
	return false
}

// fitsRest decides about the words of a key behind a context word.
func (e *Engine) fitsRest(rest []string, onlyNumbers bool) bool {
	for _, word := range rest {
		if onlyNumbers && !isNumberish(word) || !onlyNumbers && (e.context.owners[word] || elsewhere[word]) {
			return false
		}
	}
	return true
}

// hasUnit reports whether one of `units`, or a percent sign, stands directly behind a number.
func (e *Engine) hasUnit(s string, end int) bool {
	at := end
	if at < len(s) && isBlank(s[at]) {
		at++
	}
	if at < len(s) && s[at] == '%' {
		return true
	}
	return e.context.units.has(s[at:wordStop(s, at)])
}

// hasIDWord reports whether the word, or the last part of the name, directly before a hit owns it.
func (e *Engine) hasIDWord(s string, start int, owned bool) bool {
	word := idWord(s, start)
	return e.context.ids.has(word) || (owned && e.context.owners.has(word))
}

// isOwned is the same for a hit that is believed in a sentence alone.
func (e *Engine) isOwned(s string, start, end int) bool {
	word := idWord(s, start)
	return e.context.owners.has(word) || (areDigits(s[start:end]) && !e.context.connecting.has(word))
}

func idWord(s string, start int) string { return nearestWord(s, start, " \t=:#\"'([-_") }

// isVersion reports whether four numbers with dots are a version, by what stands around them.
func (e *Engine) isVersion(s string, start, end int) bool {
	switch before := before(s, start); {
	case before == 'v', before == 'V':
		first := 0
		for i := start; isDigit(s[i]); i++ {
			first = first*10 + int(s[i]-'0')
		}
		return first < leastAfterV || (start > 1 && isPlainNameChar(s[start-2]))
	case before == '~', end < len(s) && s[end] == '.' && archives.has(s[end+1:wordStop(s, end+1)]):
		return true
	case before == '/' && isProduct(s, start-1):
		return end >= len(s) || s[end] != ':'
	}
	return e.context.versions.has(nearestWord(s, start, " \t=:\"'(-_."))
}

// before is the byte before a place, 0 at the start of the text.
func before(s string, at int) byte {
	if at == 0 {
		return 0
	}
	return s[at-1]
}

// isProduct recognises the name before a slash in a user agent: Name/1.2.3.4.
func isProduct(s string, slash int) bool {
	at := slash
	for at > 0 && slash-at < longestWord && isPlainNameChar(s[at-1]) {
		at--
	}
	if at == slash || !isUpperLetter(s[at]) {
		return false
	}
	return at == 0 || strings.IndexByte(" \t\"'(;", s[at-1]) >= 0
}

// countsBefore decides about a word at s[begin:], before a hit at start.
func (e *Engine) countsBefore(r *rule, word *contextWord, s string, begin, start int) bool {
	stop := begin + len(word.text)
	if !beginsContextWord(s, begin) || e.isMaskName(s, begin) {
		return false
	}
	joined, numbered, at := isJoined(s, begin), false, stop
	if word.text[len(word.text)-1] != '#' {
		if !endsContextWord(s, stop, start) {
			return false
		}
		for at < start && isPlainNameChar(s[at]) {
			at++
		}
		for i := stop; i < at; {
			end := min(wordStop(s, i), at)
			part := s[i:end]
			i = max(end, i+1)
			switch {
			case part == "":
			case e.context.owners.has(part), elsewhere.has(part):
				return false
			case numberWords.has(part):
				numbered = true
			case areDigits(part):
			case len(word.text) <= longestInitials:
				return false
			default:
				joined = true
			}
		}
	}
	gap, ok := e.gapBetween(s, at, start)
	if !ok || (gap.others > 0 && (r.contextDirectly || joined)) {
		return false
	}
	if joined {
		return gap.separated
	}
	return !word.nameOnly || (gap.others == 0 && (gap.separated || gap.numbered || numbered))
}

// gap is what stands between a word and its number: other words, a separator, a word for number.
type gap struct {
	others              int
	separated, numbered bool
}

// gapBetween walks from the end of a word to the hit; it is not ok if the word is not about the hit.
func (e *Engine) gapBetween(s string, at, start int) (g gap, ok bool) {
	bound := false
	for at < start {
		switch c := s[at]; {
		case c == ':' || c == '=':
			if g.separated || g.others > 0 {
				return g, false
			}
			for at < start && (s[at] == ':' || s[at] == '=' || s[at] == '>') {
				// What follows an equals sign is the value, and no sentence.
				bound = bound || s[at] == '='
				at++
			}
			g.separated = true
			continue
		case endsClause(c), c == '/' && at == start-1, c == '.' && g.others > 0 && at+1 < len(s) && isBlank(s[at+1]):
			return g, false
		case c == '[':
			if masked := e.maskEnd(s, at); masked >= 0 {
				g.others++
				at = masked
				continue
			}
		case c == '(':
			if aside := asideEnd(s, at, start); aside > 0 {
				if e.hasOwner(s, at, aside) {
					return g, false
				}
				at = aside
				continue
			}
		case c == '#':
			g.numbered = true
		}
		end := wordStop(s, at)
		if end == at {
			at++
			continue
		}
		word := s[at:end]
		at = end
		switch {
		case e.context.owners.has(word):
			return g, false
		case numberWords.has(word):
			g.numbered = true
		case !e.context.connecting.has(word):
			g.others++
		}
	}
	return g, at <= start && g.others <= mostOthers && (!bound || g.others == 0)
}

// countsBehind decides about a word at s[begin:stop], behind a hit that ends at end.
func (e *Engine) countsBehind(s string, end, begin, stop int) bool {
	if !beginsContextWord(s, begin) || e.isMaskName(s, begin) || !endsContextWord(s, stop, len(s)) || (begin > end && isJoined(s, begin)) {
		return false
	}
	others, linked := 0, false
	for at := end; at < begin; {
		switch c := s[at]; {
		case endsClause(c), c == ':', c == '=', c == '{', c == '/', c == '.' && isBlank(s[at+1]), c == '[' && e.maskEnd(s, at) >= 0:
			return false
		}
		to := wordStop(s, at)
		if to == at {
			at++
			continue
		}
		word := s[at:to]
		at = to
		switch {
		case e.context.owners.has(word):
			return false
		case e.context.linking.has(word):
			linked = true
		case !e.context.connecting.has(word) && !isNumberish(word):
			others++
		}
	}
	if others > mostOthers {
		return false
	}
	for stop < len(s) && isBlank(s[stop]) {
		stop++
	}
	if stop == len(s) {
		return true
	}
	if s[stop] == ':' || s[stop] == '=' {
		return false
	}
	return linked || strings.IndexByte(".,;!?)]}\"'\n\r", s[stop]) >= 0
}

// isMaskName: what stands beside [phone:…] is no phone number for that; but user[phone]= is a name.
func (e *Engine) isMaskName(s string, at int) bool {
	if at == 0 || s[at-1] != '[' {
		return false
	}
	end := e.maskEnd(s, at-1)
	return end >= 0 && !(end < len(s) && s[end] == '=')
}

// hasOwner reports whether one of `owners` is among the words of s[at:end].
func (e *Engine) hasOwner(s string, at, end int) bool {
	for at < end {
		to := min(wordStop(s, at), end)
		if e.context.owners.has(s[at:to]) {
			return true
		}
		at = max(to, at+1)
	}
	return false
}

func isNumberish(word string) bool { return numberWords.has(word) || (word != "" && areDigits(word)) }

func endsClause(c byte) bool {
	switch c {
	case ',', ';', '|', '&', '?', '}', '\n', '\r':
		return true
	}
	return false
}

func isUpperLetter(c byte) bool { return c >= 'A' && c <= 'Z' }

func isLowerLetter(c byte) bool { return c >= 'a' && c <= 'z' }

// beginsContextWord: behind no letter, or where lower case turns to upper.
func beginsContextWord(s string, at int) bool {
	if at == 0 || !isLetter(s[at]) || !isLetter(s[at-1]) {
		return true
	}
	return isLowerLetter(s[at-1]) && isUpperLetter(s[at])
}

// endsContextWord: before no letter, or where lower case turns to upper.
func endsContextWord(s string, at, limit int) bool {
	if at >= limit || !isLetter(s[at]) || !isLetter(s[at-1]) {
		return true
	}
	return isUpperLetter(s[at]) && isLowerLetter(s[at-1])
}

// isJoined reports whether a name has more before a word: letters or digits, perhaps with _, - or a dot.
func isJoined(s string, begin int) bool {
	at := begin
	for at > 0 && begin-at < longestWord && (s[at-1] == '_' || s[at-1] == '.' || s[at-1] == '-') {
		at--
	}
	return at > 0 && isAlnum(s[at-1])
}

// asideEnd returns the end of words in parentheses, as in `phone (work): 1`, or 0.
func asideEnd(s string, at, start int) int {
	end := at + 1
	limit := min(start, end+longestAside)
	for end < limit && (isLetter(s[end]) || s[end] == ' ' || s[end] == '-' || s[end] == '/' || s[end] >= 0x80) {
		end++
	}
	if end < start && s[end] == ')' {
		return end + 1
	}
	return 0
}

// wordStop returns the end of the word that begins at s[at]: letters, digits, all beyond ASCII.
func wordStop(s string, at int) int {
	end, limit := at, min(len(s), at+longestWord)
	for end < limit && (isAlnum(s[end]) || s[end] >= 0x80) {
		if end > at && isUpperLetter(s[end]) && isLowerLetter(s[end-1]) {
			break
		}
		end++
	}
	return end
}

// nearestWord returns the word before s[start:], with up to four of these characters between.
func nearestWord(s string, start int, between string) string {
	const mostBetween = 4
	at := start
	for at > 0 && start-at < mostBetween && strings.IndexByte(between, s[at-1]) >= 0 {
		at--
	}
	begin, limit := at, max(0, at-longestWord)
	for begin > limit && (isAlnum(s[begin-1]) || s[begin-1] >= 0x80) {
		if begin < at && isUpperLetter(s[begin]) && isLowerLetter(s[begin-1]) {
			break
		}
		begin--
	}
	return s[begin:at]
}

// isFraction recognises 0.1234567, wherever the hit begins or ends in it.
func isFraction(s string, start, end int) bool {
	if start > 1 && s[start-1] == '.' && isDigit(s[start-2]) {
		return true
	}
	hit := s[start:end]
	if areDigits(hit) {
		return end+1 < len(s) && s[end] == '.' && isDigit(s[end+1])
	}
	whole, part, dot := strings.Cut(hit, ".")
	if !dot || !areDigits(whole) || !areDigits(part) || len(whole) > longestWhole {
		return false
	}
	return whole == "0" || whole == "" || whole[0] != '0'
}

// isDottedVersion recognises 10.0.19045.3803: three numbers or more, one of a single digit that is no
// prefix 1.
func isDottedVersion(hit string) bool {
	parts, single, length := 1, false, 0
	for i := 0; i <= len(hit); i++ {
		switch {
		case i == len(hit) || hit[i] == '.':
			if length == 0 {
				return false
			}
			single = single || (length == 1 && !(parts == 1 && hit[0] == '1'))
			if i < len(hit) {
				parts++
			}
			length = 0
		case isDigit(hit[i]):
			length++
		default:
			return false
		}
	}
	return single && parts >= fewestVersionParts
}

// behindBlank is what a hit has behind its first blank, up to a dash: amd64 7.88.1-10.
func behindBlank(hit string) string {
	_, rest, _ := strings.Cut(hit, " ")
	rest, _, _ = strings.Cut(rest, "-")
	return rest
}

// isCompactDate recognises 20240601, and the same with a time behind it.
func isCompactDate(hit string) bool {
	if n := len(hit); n != 8 && n != 12 && n != 14 {
		return false
	}
	if !areDigits(hit) || (hit[:2] != "19" && hit[:2] != "20") {
		return false
	}
	return hit[4:6] >= "01" && hit[4:6] <= "12" && hit[6:8] >= "01" && hit[6:8] <= "31"
}
