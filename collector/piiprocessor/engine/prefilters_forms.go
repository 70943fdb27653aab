// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "strings"

// The probes of rules for forms: command lines, files, names and values apart.

// isValueAttribute: value=, val= or content=, perhaps with blanks before the sign.
var isValueAttribute = sharedProbe(probe{sign: "=", test: func(s string, t token) bool {
	word := strings.TrimRight(s[max(0, t.start-longestBlank-len("content")):t.start], " \t")
	for _, name := range [...]string{"value", "val", "content"} {
		if len(word) >= len(name) && equalFoldASCII(word[len(word)-len(name):], name) {
			return true
		}
	}
	return false
}})

// longestBlank is how many blanks the patterns take before and after a sign.
const longestBlank = 8

func isAfterBlank(s string, t token) bool { return t.start > 0 && isBlank(s[t.start-1]) }

func beginsOption(s string, t token) bool {
	if t.start > 0 && (isPlainNameChar(s[t.start-1]) || s[t.start-1] == '/') {
		return false
	}
	rest := strings.TrimPrefix(s[t.end:], "-")
	return rest != "" && isLetter(rest[0])
}

// beginsPassOption: an option with pass in its name, or one of the short ones.
func beginsPassOption(s string, t token) bool {
	const longest = 24
	if t.start == 0 || strings.IndexByte("- \t\r\n\"'(,[", s[t.start-1]) < 0 {
		return false
	}
	option := s[t.end:min(len(s), t.end+longest)]
	n := 0
	for n < len(option) && isAlnum(option[n]) {
		n++
	}
	option = lowerASCII(option[:n])
	return option == "pw" || option == "k" || option == "kdfopt" || strings.Contains(option, "pass")
}

// isWordOfThree: of these endings that are words themselves.
func isWordOfThree(_ string, t token) bool { return t.length() == 3 }

func isMySQLOption(s string, t token) bool {
	before := s[:t.start]
	return isAfterBlank(s, t) && (strings.Contains(before, "mysql") || strings.Contains(before, "mariadb") || strings.Contains(before, "mycli"))
}

func beginsUserOption(s string, t token) bool {
	if t.start == 0 || !isBlank(s[t.start-1]) && s[t.start-1] != '"' && s[t.start-1] != '\'' {
		return false
	}
	rest, short := strings.CutPrefix(s[t.end:], "u")
	return strings.HasPrefix(rest, "-user") || short && rest != "" && strings.IndexByte(" \t=\"'\\", rest[0]) >= 0
}

// isBeforeValue: a password stands after white space, or one of these signs.
func isBeforeValue(s string, t token) bool {
	switch next(s, t) {
	case ' ', '\t', '\r', '\n', '=', '(':
		return true
	}
	return false
}

func isBeforeColon(s string, t token) bool { return next(s, t) == ':' }

func isBeforeEquals(s string, t token) bool { return next(s, t) == '=' }

func isAfterQuoted(s string, t token) bool {
	before := strings.TrimRight(s[max(0, t.start-longestBlank-1):t.start], " \t")
	return before != "" && (before[len(before)-1] == '"' || before[len(before)-1] == '\'')
}

func isRejectedValue(s string, t token) bool { return strings.HasSuffix(s[:t.start], "rejected ") }

func isAfterName(s string, t token) bool { return strings.HasSuffix(s[:t.start], "name") }

func hasSlashBeforeAt(s string) bool {
	slash := strings.IndexByte(s, '/')
	return slash >= 0 && strings.LastIndexByte(s, '@') > slash
}

const (
	shortestHash    = 16 // that of MD5 in base64
	longestHashName = 20 // of what stands between the first two $
)

// isBeforeHash: the $ after a name, as in md5$, or before an id that the next one ends, as in $2b$.
func isBeforeHash(s string, t token) bool {
	if len(s)-t.end < shortestHash {
		return false
	}
	if t.start > 0 && (isAlnum(s[t.start-1]) || s[t.start-1] == ':') {
		return true
	}
	for i := t.end; i < t.end+longestHashName && i < len(s); i++ {
		if s[i] == '$' {
			return i > t.end
		}
		if !isAlnum(s[i]) && s[i] != '-' {
			return false
		}
	}
	return false
}

// isAfterScheme: the } of {SSHA} and the like.
func isAfterScheme(s string, t token) bool {
	if len(s)-t.end < shortestHash || t.start == 0 {
		return false
	}
	return classes[s[t.start-1]]&(classUpper|classDigit) != 0
}

func isPostgresPort(s string, t token) bool {
	for _, port := range [...]string{"5432:", "5433:", "6432:", "6543:", "*:"} {
		if strings.HasPrefix(s[t.end:], port) {
			return true
		}
	}
	return false
}

func isInstrumentationKey(s string, t token) bool {
	const word = "instrumentation_key"
	start := max(0, t.end-len(word))
	return strings.Contains(lowerASCII(s[start:t.end]), "tation")
}

func isRedisAuth(s string, t token) bool { return strings.HasSuffix(s[:t.end], "AUTH") }
