// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "strings"

// callingCodes2 and callingCodes3 are the assigned country calling codes (ITU-T E.164): whole
// codes of two digits, and the first two digits of those of three.
var callingCodes2 = digitSet("20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98")
var callingCodes3 = digitSet("21 22 23 24 25 26 29 35 37 38 42 50 59 67 68 69 80 85 87 88 96 97 99")

func digitSet(list string) (set [100]bool) {
	for i := 0; i < len(list); i += 3 {
		set[int(list[i]-'0')*10+int(list[i+1]-'0')] = true
	}
	return set
}

// numberOf is a number without its extension, and without the (0) that those who dial within the
// country would dial.
func numberOf(hit string) string {
	return strings.ReplaceAll(hit[:numberEnd(hit, 0, len(hit))], "(0)", "")
}

// numberEnd is where the number in s[start:end] ends and its extension begins.
func numberEnd(s string, start, end int) int {
	for i := start; i < end; i++ {
		if isLetter(s[i]) || s[i] == '#' || s[i] == ';' || s[i] == ',' {
			for i > start && !isDigit(s[i-1]) {
				i--
			}
			return i
		}
	}
	return end
}

func validateE164(_ *Engine, s string, start, end int) (int, string, bool) {
	stop := numberEnd(s, start, end)
	if stop == end && end < len(s) && isDigit(s[end]) {
		for end > start && isDigit(s[end-1]) {
			end--
		}
		for end > start && !isDigit(s[end-1]) {
			end--
		}
		stop = end
	}
	digits := onlyDigits(numberOf(s[start:stop]))
	prefix := 0
	if strings.HasPrefix(digits, "00") {
		prefix, digits = 2, digits[2:]
	}
	const nanp = 11 // digits, with the code
	if strings.HasPrefix(digits, "1") {
		if len(digits) < nanp || !isNANPDigits([]byte(digits[1:nanp])) {
			return end, "", false
		}
		if len(digits) > nanp {
			end = afterDigits(s, start, prefix+nanp)
		}
		return end, "", true
	}
	code := codeLength(digits)
	n := len(digits)
	return end, "", code > 0 && n-code >= 4 && n-code <= 12 && n >= 7 && n <= 15
}

// codeLength is the length of the calling code that digits begin with, or 0.
func codeLength(digits string) int {
	if strings.HasPrefix(digits, "7") {
		return 1
	}
	if len(digits) < 2 {
		return 0
	}
	switch two := int(digits[0]-'0')*10 + int(digits[1]-'0'); {
	case callingCodes2[two]:
		return 2
	case callingCodes3[two]:
		return 3
	}
	return 0
}

// afterDigits is the place behind so many digits.
func afterDigits(s string, start, count int) int {
	for ; count > 0; start++ {
		if isDigit(s[start]) {
			count--
		}
	}
	return start
}

func isNANPDigits(d []byte) bool {
	return d[0] >= '2' && d[3] >= '2' && !(d[4] == '1' && d[5] == '1')
}

func isNANP(hit string) bool {
	g := collectDigits(hit, 0, len(hit))
	d := g.digits[:g.n]
	if len(d) == 11 && d[0] == '1' {
		d = d[1:]
	}
	return len(d) == 10 && isNANPDigits(d)
}

// startsWithDate recognises 31-12-2026 and the like.
func startsWithDate(s string) bool {
	return len(s) >= 10 && areDigits(s[:2]) && areDigits(s[3:5]) && areDigits(s[6:10]) && s[2] == s[5] && (s[2] == '-' || s[2] == '/' || s[2] == ' ')
}

func isTrunkPhone(hit string) bool {
	number := numberOf(hit)
	n := len(onlyDigits(number))
	return n >= 9 && n <= 13 && !startsWithDate(number) && !isSSNShape(number) && !startsWithDay(number)
}

func isPhoneDigits(hit string) bool {
	number := numberOf(hit)
	digits := onlyDigits(number)
	if len(digits) < 7 || len(digits) > 15 || allSame([]byte(digits)) {
		return false
	}
	return len(number) < 10 || !isDate(number[:10])
}

// startsWithDay recognises a hit that begins with a day as in 01/02, and goes on in another way.
func startsWithDay(hit string) bool {
	return len(hit) > 5 && hit[2] == '/' && !isDigit(hit[5]) && hit[5] != '/'
}

// isSSNShape recognises the groups 3-2-4, which are no phone number.
func isSSNShape(hit string) bool {
	return len(hit) == 11 && areDigits(hit[:3]) && !isDigit(hit[3]) && areDigits(hit[4:6]) && !isDigit(hit[6]) && areDigits(hit[7:])
}
