// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

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

func validateE164(_ *Engine, s string, start, end int) (int, string, bool) {
	if end < len(s) && isDigit(s[end]) {
		for end > start && isDigit(s[end-1]) {
			end--
		}
		for end > start && !isDigit(s[end-1]) {
			end--
		}
		if end <= start {
			return end, "", false
		}
	}
	g := collectDigits(s, start, end)
	if g.n < 2 {
		return end, "", false
	}
	d := g.digits[:g.n]
	two := int(d[0]-'0')*10 + int(d[1]-'0')
	code := 2
	switch {
	case d[0] == '1':
		if g.n < 11 || !isNANPDigits(d[1:11]) {
			return end, "", false
		}
		return g.ends[10], "", true
	case d[0] == '7':
		code = 1
	case callingCodes2[two]:
	case callingCodes3[two]:
		code = 3
	default:
		return end, "", false
	}
	return end, "", g.n-code >= 4 && g.n-code <= 12 && g.n >= 7 && g.n <= 15
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
	n := len(onlyDigits(hit))
	return n >= 9 && n <= 12 && !startsWithDate(hit) && !isSSNShape(hit)
}

func isPhoneDigits(hit string) bool {
	digits := onlyDigits(hit)
	if len(digits) < 7 || len(digits) > 15 || allSame([]byte(digits)) {
		return false
	}
	return len(hit) < 10 || !isDate(hit[:10])
}

// isSSNShape recognises the groups 3-2-4, which are no phone number.
func isSSNShape(hit string) bool {
	return len(hit) == 11 && areDigits(hit[:3]) && !isDigit(hit[3]) && areDigits(hit[4:6]) && !isDigit(hit[6]) && areDigits(hit[7:])
}
