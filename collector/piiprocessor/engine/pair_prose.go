// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"regexp"
	"strings"
)

const (
	proseWindow = 64
	// A pin of a circuit has no more digits, a PIN no less than one more.
	mostDigitsInProse = 2
	longestPlainWord  = 12
	longestPlainCode  = 4
	longestSentence   = 200
	fewestMixed       = 6
	fewestMixedCase   = 16
)

var (
	sourceFile = regexp.MustCompile(`\.(?:am|bash|c|cc|clj|cpp|cs|css|cxx|erl|ex|exs|go|h|hh|hpp|hs|html|in|java|js|jsx|kt|lua|m4|md|mjs|mk|php|pl|pm|po|proto|py|rb|rs|rst|scala|sh|swift|tex|ts|tsx|txt|vue|ya?ml)$`)
	directory  = regexp.MustCompile(`^(?:[/~\\.]|[A-Za-z]:[/\\])`)
	version    = regexp.MustCompile(`^[vV]?[0-9]+(?:[._-][0-9]+)*$`)
	wordAfter  = regexp.MustCompile(`^[ \t]{1,3}["']?([A-Za-z'/_-]{1,24})`)
	calledOnly = regexp.MustCompile(`^([A-Za-z_][A-Za-z_.]*)\([A-Za-z_.]*\)?$`)
	typeOnly   = regexp.MustCompile(`^([A-Za-z]+)(?:\[[A-Za-z, |]*\]|<[A-Za-z, ]*>)?[?;]?$`)
	fraction   = regexp.MustCompile(`^[0-9]{1,12}\.[0-9]{1,6}$`)
	testResult = regexp.MustCompile(`^(?:[0-9]{1,4}|[0-9]{1,6}(?:\.[0-9]{1,6})?(?:%|ms|s|/[0-9]{1,6})[.)]?)$`)
	file       = regexp.MustCompile(`^(?:~|/(?:etc|run|var|home|root|usr|opt|tmp|srv|app|mnt|secrets|dev|proc))(?:/[A-Za-z0-9._-]+)+$`)
	isCode     = newWords("await yield return lambda async function typeof not")
	numbered   = regexp.MustCompile(`^(?:0x[0-9a-f]{1,16}|[0-9]{1,10})(?:[, ]|$)`)
	// A handle of the process or cluster, a name in a name space of domains.
	handle   = regexp.MustCompile(`^(?:0x[0-9a-f]{1,16}[.)]?|(?:com|org|net|io|dev|java|javax|android|system)(?:\.[A-Za-z_-]+)+(?:/[0-9]+)?:?)$`)
	resource = regexp.MustCompile(`(?:^|[^A-Za-z])(?:arn|urn):[^ \t\r\n"',]*$`)
)

func hasDigit(s string) bool {
	for i := range len(s) {
		if isDigit(s[i]) {
			return true
		}
	}
	return false
}

// looksSecret reports whether a value that stands in a sentence can be believed to be a secret.
func looksSecret(s string) bool {
	if isMixed(s) {
		return len(s) >= fewestMixed && !version.MatchString(s)
	}
	if len(s) < fewestMixedCase {
		return false
	}
	upper, lower := false, false
	for i := range len(s) {
		c := s[i]
		if !isAlnum(c) && strings.IndexByte("+/=_-", c) < 0 {
			return false
		}
		upper = upper || c >= 'A' && c <= 'Z'
		lower = lower || c >= 'a' && c <= 'z'
	}
	return upper && lower
}

// isProse reports whether what stands after the separator is no value.
func isProse(s string, name *pairName, operator string, v pairValue) bool {
	content := s[v.start:v.end]
	weak, colon := name.rule.proseDigit, operator == ":"
	if weak && colon && v.spaced && !v.quoted && !hasDigit(content) && (name.single || beginsSubject(s, v.end, content)) {
		return true
	}
	if colon && sourceFile.MatchString(name.text) {
		return true
	}
	if !v.quoted && isSmall(content, weak) {
		return true
	}
	if weak && !v.quoted && handle.MatchString(content) {
		return true
	}
	if weak && v.many && !hasDigit(content) {
		return true
	}
	if weak && colon && isParsed.has(plainWordBefore(s, name.start)) {
		return true
	}
	if name.rule.query && isWordOfQuery(name, content) {
		return true
	}
	if isFile(name, content) || isResult(name, operator, content) || ((v.quoted || v.many) && isSentenceAbout(content)) {
		return true
	}
	if colon && !v.spaced && name.start > 0 && s[name.start-1] == ':' &&
		resource.MatchString(s[max(0, name.start-4*proseWindow):name.start]) {
		return true
	}
	if v.quoted {
		return weak && isAboutThing(s, name, v)
	}
	if name.rule.line && isNoHeader(operator, content) {
		return true
	}
	if isStateOf(content) || isExpression(content) || (colon && isTypeOnly(content)) {
		return true
	}
	return isItself(name, operator, v, content) || (v.spaced && beginsSentence(s, name, operator, v))
}

// beginsSubject: pre_shared_key: limit the size, a word of small letters before another.
func beginsSubject(s string, end int, content string) bool {
	return strings.Trim(content, "abcdefghijklmnopqrstuvwxyz") == "" && end+1 < len(s) && s[end] == ' ' && s[end+1] >= 'a' && s[end+1] <= 'z'
}

// believedApart reports whether a value is believed although something stands between it and its name.
func believedApart(s string, v pairValue) bool {
	if v.quoted || looksSecret(s[v.start:v.end]) {
		return true
	}
	return v.spaced && (v.end == len(s) || s[v.end] == '\r' || s[v.end] == '\n')
}

func plainWordBefore(s string, start int) string {
	end := start - 1
	if end < 1 || s[end] != ' ' {
		return ""
	}
	i := end
	for i > 0 && (isAlnum(s[i-1]) || s[i-1] == '/') && end-i < longestPlainWord {
		i--
	}
	return s[i:end]
}

// isWordOfQuery: ?key=lat names a column, ?code=404 an answer.
func isWordOfQuery(name *pairName, content string) bool {
	if len(name.text) == len("pass") && equalFoldASCII(name.text, "pass") {
		return false
	}
	if len(content) <= longestPlainCode && areDigits(content) {
		return true
	}
	if len(content) > longestPlainWord {
		return false
	}
	for i := range len(content) {
		if c := content[i]; (c < 'a' || c > 'z') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// isNoHeader: cookies: disabled, authorization: not sent, cookie=0x1f in a flow of packets.
func isNoHeader(operator, content string) bool {
	first, rest, _ := strings.Cut(content, " ")
	return isStateOf(first) || (rest != "" && isSentence.has(first)) || (operator == "=" && numbered.MatchString(content))
}

func isStateOf(content string) bool {
	return isState.has(strings.TrimRight(content, ".!?)(:"))
}

func isTypeOnly(content string) bool {
	found := typeOnly.FindStringSubmatchIndex(content)
	return found != nil && isType.has(content[:found[3]])
}

// isExpression: get_token() is no literal.
func isExpression(content string) bool {
	found := calledOnly.FindStringSubmatchIndex(content)
	return found != nil && !isWrapper[normalise(content[:found[3]])]
}

func beginsSentence(s string, name *pairName, operator string, v pairValue) bool {
	content := s[v.start:v.end]
	found, word := matchAt(wordAfter, s, v.end, proseWindow)
	if found < 0 {
		return false
	}
	if operator != ":" {
		return isCode[content]
	}
	if len(content) < longestPlainCode && areDigits(content) {
		return isUnit.has(word)
	}
	if len(content) == len(name.text) && lowerASCII(content) == lowerASCII(name.text) && isSentence.has(word) {
		return true
	}
	return isSentence.has(content) || (name.rule.proseDigit && len(content) <= longestPlainWord && areLetters(content))
}

func areLetters(s string) bool {
	for i := range len(s) {
		if !isLetter(s[i]) {
			return false
		}
	}
	return s != ""
}

// isSmall: one or two digits are no secret, one is a flag; nor is a fraction.
func isSmall(content string, weak bool) bool {
	if !weak {
		return len(content) == 1 && isDigit(content[0])
	}
	return len(content) <= mostDigitsInProse || fraction.MatchString(content)
}

// isFile: PWD is the shell's directory; of a key, /etc/ssl/key.pem says where it is.
func isFile(name *pairName, content string) bool {
	if (name.text == "PWD" || name.text == "OLDPWD") && directory.MatchString(content) {
		return true
	}
	return file.MatchString(content)
}

// isResult: PASS: TestLogin, pass=12, pass: 98.2% are of tests.
func isResult(name *pairName, operator, content string) bool {
	if len(name.text) != len("pass") || !equalFoldASCII(name.text, "pass") {
		return false
	}
	return (operator == ":" && name.text == "PASS") || testResult.MatchString(content)
}

// isSentenceAbout: several words without a digit in them, one of them a verb.
func isSentenceAbout(content string) bool {
	if strings.Count(content, " ") < 2 || len(content) > longestSentence {
		return false
	}
	verb := false
	for word := range strings.SplitSeq(content, " ") {
		word = strings.TrimLeft(strings.TrimRight(word, ".,:'\""), "'\"")
		if isMixed(word) {
			return false
		}
		verb = verb || isVerb.has(word)
	}
	return verb
}

// isItself: self.password = password names a variable twice; PublicKeyToken is not secret.
func isItself(name *pairName, operator string, v pairValue, content string) bool {
	if name.text == "PublicKeyToken" {
		return true
	}
	dot := strings.LastIndexByte(name.text, '.')
	return operator == "=" && v.spaced && dot >= 0 && strings.TrimRight(content, ";") == name.text[dot+1:]
}

// isAboutThing: a Kubernetes secret has a name, as in secret: "tls" not found.
func isAboutThing(s string, name *pairName, v pairValue) bool {
	if !isNamed[normalise(name.text)] {
		return false
	}
	rest := s[min(len(s), v.end+1):]
	for _, words := range aboutThings {
		if strings.HasPrefix(rest, words) {
			return true
		}
	}
	return false
}
