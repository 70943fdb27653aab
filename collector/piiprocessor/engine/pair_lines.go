// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"regexp"
	"strings"
)

// lineWindow is how much of a line counts for a pair without a separator.
const lineWindow = 200

// commands are the words that a secret follows without its name.
var commands = []string{"pass", "auth"}

var (
	lineNamed = regexp.MustCompile("^[ \t]{0,32}(\\|[ \t]{0,32})?[\"'`]?((?:[A-Za-z0-9_.-]|[^\\x00-\\x7f])+)[\"'`]?([ \t]{1,64})(\\|[ \t]{1,32})?" +
		"([^ \t\r\n|]+)([ \t]{0,64}\\|?[ \t]{0,8};?)(\r?\n|$)")
	lineDirective = regexp.MustCompile(`^[ \t]{0,32}(?:env|ENV|ARG|export|setenv|SetEnv|set|proxy_set_header|add_header|more_set_headers` +
		`|fastcgi_param|uwsgi_param|RequestHeader set)(?: -[A-Za-z]{1,3})?[ \t]{1,8}` +
		`[$"']?([A-Za-z0-9_.-]{2,64})["']?[ \t]{1,32}(["']?)([^ \t\r\n"';]+)`)
	lineCommand = regexp.MustCompile(`^(PASS|AUTH)[ ](?:(LOGIN|PLAIN|XOAUTH2|NTLM|EXTERNAL|CRAM-MD5|SCRAM-SHA-1|SCRAM-SHA-256)[ ])?` +
		`([A-Za-z_][A-Za-z0-9_.-]{0,31}[ ])?["']?([^ \t\r\n"']+)["']?(?:[\r\n]|$)`)
	mechanism = regexp.MustCompile(`^[A-Z][A-Z-]*[0-9]?$`)
	// A value that is a pair or an address of its own.
	otherPair = regexp.MustCompile(`^[A-Za-z_.-]{2,64}[=:]`)
	// The first letters of what lineDirective takes.
	directiveLetters = "eEAsSpamfuR"
)

// pairInLine finds a pair that is the whole line which begins at `at`.
func (e *Engine) pairInLine(s string, at int) (name pairName, start, end int) {
	i := at
	for i < len(s) && i-at < lineWindow && isBlank(s[i]) {
		i++
	}
	if i == len(s) {
		return pairName{}, 0, 0
	}
	if c := s[i]; isNameChar(c) || isQuote(c) || c == '|' {
		if name, start, end = e.cellInLine(s, at); name.rule != nil {
			return name, start, end
		}
	}
	if strings.IndexByte(directiveLetters, s[i]) < 0 {
		return pairName{}, 0, 0
	}
	window := s[at:min(len(s), at+lineWindow)]
	m := lineDirective.FindStringSubmatchIndex(window)
	if m == nil {
		return pairName{}, 0, 0
	}
	name = e.nameOf(s, window[m[2]:m[3]], at+m[2], false)
	if name.rule == nil || isStateOrType(window[m[6]:m[7]]) {
		return pairName{}, 0, 0
	}
	return name, at + m[6], at + m[7]
}

func (e *Engine) cellInLine(s string, at int) (name pairName, start, end int) {
	window := s[at:min(len(s), at+lineWindow)]
	m := lineNamed.FindStringSubmatchIndex(window)
	if m == nil || (m[1] == lineWindow && at+lineWindow < len(s)) {
		return pairName{}, 0, 0
	}
	framed, barred := m[2] >= 0, m[8] >= 0
	closed := strings.IndexByte(window[m[12]:m[13]], '|') >= 0
	if (framed && !(barred && closed)) || (!framed && closed) {
		return pairName{}, 0, 0
	}
	value := window[m[10]:m[11]]
	name = e.nameOf(s, window[m[4]:m[5]], at+m[4], false)
	if name.rule == nil || isStateOrType(value) || otherPair.MatchString(value) {
		return pairName{}, 0, 0
	}
	tabbed := strings.IndexByte(window[m[6]:m[7]], '\t') >= 0
	if ((!barred && !tabbed) || name.rule.proseDigit) && !looksSecret(value) {
		return pairName{}, 0, 0
	}
	start, end = at+m[10], at+m[11]
	if c := value[0]; (c == '"' || c == '\'') && value[len(value)-1] == c {
		start, end = start+1, end-1
	}
	return name, start, end
}

func isStateOrType(value string) bool {
	value = strings.TrimRight(value, ".:;,")
	before, _, _ := strings.Cut(value, "(")
	return isState.has(value) || isType.has(before)
}

// pairInCommand finds the value of PASS or AUTH, as FTP, POP3, Redis and SMTP send it.
func pairInCommand(s string, at int) (start, end int) {
	if at > 0 && strings.IndexByte("\r\n\"'", s[at-1]) < 0 {
		switch s[max(0, at-2):at] {
		case "> ", ": ", "] ", "$ ":
		default:
			return 0, 0
		}
	}
	window := s[at:min(len(s), at+lineWindow)]
	m := lineCommand.FindStringSubmatchIndex(window)
	if m == nil || (m[1] == lineWindow && at+lineWindow < len(s)) {
		return 0, 0
	}
	value, auth := window[m[8]:m[9]], s[at] == 'A'
	low := lowerASCII(value)
	beforeDot, _, _ := cutLast(value, '.')
	if isState.has(value) || strings.Contains(low, "test") || strings.Contains(low, "spec") || strings.IndexByte(beforeDot, '/') >= 0 {
		return 0, 0
	}
	if auth && mechanism.MatchString(value) {
		return 0, 0
	}
	if m[6] >= 0 && (!auth || !looksSecret(value)) {
		return 0, 0
	}
	return at + m[8], at + m[9]
}

// cutLast cuts s around the last c; without one, before is empty.
func cutLast(s string, c byte) (before, after string, found bool) {
	i := strings.LastIndexByte(s, c)
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}
