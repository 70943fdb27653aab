// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "strings"

// wholeHits are the validators that see more than the hit, or shorten it. A pattern that finds a
// name and its value takes none of them.
var wholeHits = map[string]bool{"card": true, "luhn": true, "iban": true, "ipv4": true, "ipv6": true, "e164": true, "kubernetes_secret": true}

func init() {
	validators["not_words"] = plain(isNotWords)
	validators["option_value"] = plain(isOptionValue)
	validators["lower_and_digit"] = plain(isLowerAndDigit)
	validators["not_path"] = plain(isNotPath)
	validators["not_name"] = plain(isNotName)
	validators["not_placeholder"] = plain(isNotPlaceholder)
	validators["user_password"] = plain(isUserAndPassword)
}

// mostWordLetters is how many letters a word has at most; a longer run is random.
const mostWordLetters = 20

// isNotWords reports whether a value is more than words: letters in a case that words have, with
// blanks and marks between.
func isNotWords(s string) bool {
	s = withoutSize(s)
	for i := 0; i < len(s); {
		if !isLetter(s[i]) {
			if strings.IndexByte(` _-.,:;!?'"/()*&`, s[i]) < 0 {
				return true
			}
			i++
			continue
		}
		start := i
		for i < len(s) && isLetter(s[i]) {
			i++
		}
		if longestPart(s[start:i]) > mostWordLetters || !isCasedAsWord(s[start:i]) {
			return true
		}
	}
	return false
}

// withoutSize cuts a size in brackets off, as of varchar(255).
func withoutSize(s string) string {
	if open := strings.LastIndexByte(s, '('); open > 0 && s[len(s)-1] == ')' && strings.Trim(s[open+1:len(s)-1], "0123456789, ") == "" {
		return s[:open]
	}
	return s
}

// longestPart is the length of the longest part that begins with a capital, or of all capitals.
func longestPart(s string) int {
	longest, start := 0, 0
	for i := 1; i <= len(s); i++ {
		if i == len(s) || (isUpper(s[i]) && !isUpper(s[i-1])) {
			longest, start = max(longest, i-start), i
		}
	}
	return longest
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// isCasedAsWord: lower, UPPER, Capital or camelCase of at most four parts.
func isCasedAsWord(s string) bool {
	const mostParts = 3
	parts, upper := 0, 0
	for i := range len(s) {
		if !isUpper(s[i]) {
			continue
		}
		upper++
		if i > 0 {
			parts++
		}
		if i+1 == len(s) || isUpper(s[i+1]) { // a part of one letter
			parts = mostParts + 1
		}
	}
	return upper == len(s) || parts <= mostParts
}

// notValues are words that follow an option where it is spoken of or explained.
var notValues = func() map[string]bool {
	words := map[string]bool{}
	for _, word := range strings.Fields(`
		a an and are argument arguments as at be been but by can cannot could does env fd file flag flags for from given has have
		http https if in instead is it may missing must need needed needs nor not of on only or option options parameter path prompt
		provided required requires set setting should specified ssh stdin str string text that the then this to used using value
		values via was were when which will with without would`) {
		words[word] = true
	}
	return words
}()

// isOptionValue reports whether what follows an option is its value: no word of a sentence, no
// NAME in capitals, no reference to where the value is.
func isOptionValue(s string) bool {
	if !isNotPlaceholder(s) {
		return false
	}
	word := strings.TrimRight(s, ".,:;)]}")
	if len(word) == 1 && isDigit(word[0]) {
		return false
	}
	if len(word) <= 16 && notValues[lowerASCII(word)] {
		return false
	}
	if strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "" {
		return false
	}
	for _, prefix := range [...]string{"$(", "${", "$env:", "`", "env:", "file:", "fd:", "@/", "/dev/"} {
		if strings.HasPrefix(s, prefix) {
			return false
		}
	}
	return len(s) < 3 || s[0] != '%' || s[len(s)-1] != '%'
}

// isUserAndPassword reports whether user:password is no user:group, which are numbers or names.
func isUserAndPassword(s string) bool {
	_, password, _ := strings.Cut(s, ":")
	if strings.Trim(password, "0123456789") == "" {
		return false
	}
	for i := range len(password) {
		if c := password[i]; !(c >= 'a' && c <= 'z') && c != '-' && c != '_' {
			return isNotPlaceholder(s)
		}
	}
	return false
}

// isNotPlaceholder reports whether a value, or what stands behind its colon, is no placeholder.
func isNotPlaceholder(s string) bool {
	if _, password, found := strings.Cut(s, ":"); found {
		s = password
	}
	return s == "" || !isPlaceholder(s)
}

// isNotPath reports whether a value is no path of words: what a name holds there is where the secret is.
func isNotPath(s string) bool { return s[0] != '/' || isNotWords(s) }

// isLowerAndDigit: a password of any kind, and no name of a method, which is in capitals.
func isLowerAndDigit(s string) bool {
	lower, digit := false, false
	for i := range len(s) {
		lower = lower || s[i] >= 'a' && s[i] <= 'z'
		digit = digit || isDigit(s[i])
	}
	return lower && digit
}

// isNotName reports whether a value is no name of a user: words, perhaps with a number at the end.
func isNotName(s string) bool {
	return isNotWords(strings.TrimRight(s, "0123456789"))
}
