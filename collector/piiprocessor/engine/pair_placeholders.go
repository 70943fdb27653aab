// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"regexp"
	"strings"
)

// longestPlaceholder: a longer one is a value.
const longestPlaceholder = 200

var (
	placeholderWords  = newWords("null none nil undefined true false yes no empty n/a redacted filtered masked hidden")
	placeholderInside = newWords("unset sensitive unknown omitted removed protected secret password blank default", placeholderWords).
				with("not set", "sensitive value", "known after apply", "not shown")
	placeholderForm = regexp.MustCompile(`^(?:[?-]|[A-Za-z_-]{1,8}(?:\.{3}|\*{3,})|\$[0-9]+|\$[A-Z_][A-Z0-9_]*|\$env:[A-Za-z_][A-Za-z0-9_]*` +
		`|%(?:\[[0-9]\]|[+#])?[svdqr@]|%\([A-Za-z_][A-Za-z0-9_]*\)s|%\{[A-Za-z_][A-Za-z0-9_]*\}` +
		`|%{1,2}[A-Z_][A-Z0-9_]*%{1,2}|__[A-Z][A-Z0-9_]*__|@@[A-Z_][A-Z0-9_]*@@|#\{[A-Za-z_@][A-Za-z0-9_.@]*\}` +
		`|\$\{[A-Za-z_][A-Za-z0-9_.-]*\}|\{[0-9]{0,2}\})$`)
	placeholderName    = regexp.MustCompile(`^[:@$][A-Za-z_][A-Za-z0-9_]*$`)
	placeholderDefault = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_.-]*?)(:[-=?+]?|-)`)
	placeholderPath    = regexp.MustCompile(`^([A-Za-z_$][A-Za-z0-9_]*)(?:\??\.[A-Za-z_][A-Za-z0-9_-]*|\[[A-Za-z0-9_*]*\]|\(\))+$`)
	placeholderObject  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.$]*@[0-9a-f]{5,8}$`)
	defaultLiteral     = regexp.MustCompile(`default[ (]{1,2}["'][^"'}]`)
	anyLiteral         = regexp.MustCompile(`["']([^"']*)["']`)
	boundName          = regexp.MustCompile(`^(?:p|v|x|arg|value|param|parameter|user)[0-9]$`)
	// Resolvers that a placeholder may name: ${env:DB_PASSWORD}.
	isResolver = newWords("env vault secret secrets ssm file sys self param cf opt secretsmanager aws gcp azure sm base64" +
		" java main prop docker k8s system")
)

// isRun reports whether s is one sign repeated, as in **** and xxxx.
func isRun(s string) bool {
	if s == "" {
		return false
	}
	if s == "…" || strings.Trim(s, "*") == "" || strings.Trim(s, "•") == "" || strings.Trim(s, "●") == "" {
		return true
	}
	if len(s) < 2 {
		return false
	}
	for _, sign := range []string{"xX", ".", "-", "_", "#"} {
		if strings.Trim(s, sign) == "" {
			return true
		}
	}
	return false
}

// isMixed reports whether a letter and a digit are in s.
func isMixed(s string) bool {
	letter, digit := false, false
	for i := range len(s) {
		letter = letter || isLetter(s[i])
		digit = digit || isDigit(s[i])
	}
	return letter && digit
}

// anyWord reports whether a word of letters and digits in s is as wanted.
func anyWord(s string, wanted func(string) bool) bool {
	for i := 0; i < len(s); {
		end := i
		for end < len(s) && isAlnum(s[end]) {
			end++
		}
		if end > i && wanted(s[i:end]) {
			return true
		}
		i = end + 1
	}
	return false
}

// describes reports whether s is a name or a description: no word in it mixes letters and digits.
// So does "your token here", and not "hunter2".
func describes(s string) bool {
	if s == "" {
		return false
	}
	letters := false
	for i := range len(s) {
		c := s[i]
		if !isAlnum(c) && c < 0x80 && strings.IndexByte("_ .:/|,-", c) < 0 {
			return false
		}
		letters = letters || isLetter(c) || c >= 0x80
	}
	return letters && !anyWord(s, func(word string) bool { return isMixed(word) && !isAlgorithm.has(word) })
}

// onlyRefers reports whether a template only refers to a secret: no literal in it could be one.
func onlyRefers(inner string) bool {
	if defaultLiteral.MatchString(inner) {
		return false
	}
	for _, found := range anyLiteral.FindAllStringSubmatch(inner, -1) {
		if literal := found[1]; isMixed(literal) && strings.IndexByte(literal, '/') < 0 && literal != upperASCII(literal) {
			return false
		}
	}
	return true
}

func upperASCII(s string) string {
	out := []byte(s)
	for i, c := range out {
		if c >= 'a' && c <= 'z' {
			out[i] = c - 'a' + 'A'
		}
	}
	return string(out)
}

// isDollarPlaceholder knows ${NAME:-default}, ${env:NAME}, ${{ secrets.NAME }} and $(command).
func isDollarPlaceholder(s string) bool {
	if len(s) < 2 {
		return false
	}
	if s[1] == '(' {
		return strings.HasSuffix(s, ")") && !strings.HasPrefix(s, "$(echo ") && !strings.HasPrefix(s, "$(printf ")
	}
	if s[1] != '{' || !strings.HasSuffix(s, "}") {
		return false
	}
	found := placeholderDefault.FindStringSubmatch(s)
	if found == nil {
		return onlyRefers(s[2:max(2, len(s)-1)])
	}
	if found[2] == ":?" || found[2] == ":+" || (found[2] == ":" && isResolver[found[1]]) {
		return true
	}
	fallback := s[len(found[0]) : len(s)-1]
	return fallback == "" || isPlaceholder(fallback)
}

// isPlaceholder reports whether a value stands for a secret and is none.
func isPlaceholder(s string) bool {
	if isRun(s) {
		return true
	}
	if s == "" || len(s) > longestPlaceholder {
		return false
	}
	if placeholderWords.has(s) || placeholderForm.MatchString(s) {
		return true
	}
	first, last := s[0], s[len(s)-1]
	inner := ""
	if len(s) > 2 {
		inner = s[1 : len(s)-1]
	}
	switch {
	case first == '<' && last == '>':
		return strings.IndexByte(inner, '>') < 0 && (describes(inner) || strings.Contains(inner, " object at 0x"))
	case (first == '(' || first == '[') && (last == ')' || last == ']'):
		return placeholderInside.has(inner)
	case first == '{' && last == '}':
		if len(s) > 2 && (s[1] == '{' && s[len(s)-2] == '}' || s[1] == '%' && s[len(s)-2] == '%') {
			return onlyRefers(inner)
		}
		return describes(inner)
	case first == '$' && isDollarPlaceholder(s):
		return true
	}
	if placeholderName.MatchString(s) {
		name := s[1:]
		if first == ':' && (!isMixed(name) || boundName.MatchString(name)) {
			return true
		}
		return mentionsSecret(lowerASCII(name)) && (!isMixed(name) || describes(name))
	}
	if path := placeholderPath.FindStringSubmatch(s); path != nil {
		head := normalise(path[1])
		word, _, _ := strings.Cut(head, "_")
		return (isSource[head] || isSource[word]) && !anyWord(s, isMixed)
	}
	return placeholderObject.MatchString(s)
}

func mentionsSecret(name string) bool {
	for _, word := range secretive {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

func isWord(s string) bool {
	if s == "" || isDigit(s[0]) {
		return false
	}
	for i := range len(s) {
		if !isAlnum(s[i]) && s[i] != '_' {
			return false
		}
	}
	return true
}
