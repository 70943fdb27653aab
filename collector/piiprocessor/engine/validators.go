// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// validator decides about s[start:end]. It may shorten the hit at its end; form is what
// `as: network` writes.
type validator func(e *Engine, s string, start, end int) (newEnd int, form string, ok bool)

// plain makes a validator of a test that sees the hit alone.
func plain(test func(hit string) bool) validator {
	return func(_ *Engine, s string, start, end int) (int, string, bool) {
		return end, "", test(s[start:end])
	}
}

var validators = map[string]validator{}

func init() {
	for name, check := range map[string]validator{
		"card":         validateCard,
		"luhn":         validateLuhn,
		"iban":         validateIBAN,
		"ssn":          plain(isSSN),
		"dsn":          plain(isDSN),
		"email":        validateEmail,
		"encoded":      validateEncoded,
		"email_near":   validateNearEmail,
		"jwt":          plain(isJWT),
		"basic_auth":   plain(isBasicAuth),
		"tokenish":     plain(isTokenish),
		"has_digit":    plain(hasDigit),
		"mixed_case":   plain(isMixedCase),
		"base58check":  plain(isBase58Check),
		"bech32":       plain(isBech32),
		"wallet_other": plain(isOtherWallet),
		"ipv4":         validateIPv4,
		"ipv6":         validateIPv6,
		"mac":          plain(isMAC),
		"e164":         validateE164,
		"nanp":         plain(isNANP),
		"trunk":        plain(isTrunkPhone),
		"phone_digits": plain(isPhoneDigits),
	} {
		validators[name] = check
	}
}

// luhn checks ISO/IEC 7812-1 over a string of digits.
func luhn(digits []byte) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

func allSame(digits []byte) bool {
	for _, d := range digits {
		if d != digits[0] {
			return false
		}
	}
	return true
}

func number(digits []byte) int {
	n := 0
	for _, d := range digits {
		n = n*10 + int(d-'0')
	}
	return n
}

// sixDigitIssuers are those of cards of 16 digits that isCardIssuer does not check otherwise, by
// their first six digits.
var sixDigitIssuers = cardRanges(
	// Elo, Hipercard, Verve, RuPay, Meeza, Cabal, Naranja, Shopping, InstaPayment, mada
	`504175 506699-506778 509000-509999 627780 636297 636368 606282 506099-506198 507865-507964 606985-607984 608001-608500 508500-508999
	507803-507808 604201-604219 589657 589562 603488 637000-639999 588845-588851`,
	// Troy, Humo, Uzcard, Belkart, ArCa
	"979200-979289 986000-986099 860000-860099 911200-911299 905100-905199",
	// the banks of Iran
	`502206 502229 502806 502908 502938 504172 505416 505785 505801 507677 585983 589210
	589463 603761 603769-603770 603799 606256 606373 610433 636214 636949`,
	// Maestro of 16
	"501600-501699 670000-679999",
)

type cardRange struct{ first, last int }

func cardRanges(lists ...string) (ranges []cardRange) {
	for _, part := range strings.Fields(strings.Join(lists, " ")) {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		ranges = append(ranges, cardRange{number([]byte(first)), number([]byte(last))})
	}
	return ranges
}

// isCardIssuer checks prefix and length, by the issuers' published ranges. alone: in one run and in no
// sentence, where many ids are as long.
func isCardIssuer(d []byte, alone bool) bool {
	n := len(d)
	if alone && (n == 12 || n >= 17) {
		return false
	}
	two, three, four := number(d[:2]), number(d[:3]), number(d[:4])
	switch {
	case d[0] == '4':
		return n == 13 || n == 16 || n == 19
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720:
		return n == 16
	case two == 34, two == 37, four == 1800, four == 2131:
		return n == 15
	case four == 6011, three >= 644 && three <= 649, two == 65, two == 62, four >= 3528 && four <= 3589, four >= 2200 && four <= 2204,
		four >= 8110 && four <= 8171:
		return n >= 16 && n <= 19
	case three >= 300 && three <= 305, four == 3095:
		return n == 14 || n == 16
	case two == 36, two == 38, two == 39:
		return n >= 14 && n <= 19
	}
	switch four {
	case 5018, 5020, 5038, 5893, 6304, 6390, 6759, 6761, 6762, 6763:
		return n >= 12 && n <= 19
	}
	if four == 5019 {
		return n == 16
	}
	if alone || n != 16 {
		return false
	}
	if two == 35 {
		return true
	}
	six := number(d[:6])
	return slices.ContainsFunc(sixDigitIssuers, func(r cardRange) bool { return r.first <= six && six <= r.last })
}

// digitGroups collects the digits of a hit and the lengths of its groups.
type digitGroups struct {
	digits [19]byte
	ends   [19]int // position after each digit
	n      int
}

func collectDigits(s string, start, end int) (g digitGroups) {
	for i := start; i < end && g.n < len(g.digits); i++ {
		if isDigit(s[i]) {
			g.digits[g.n], g.ends[g.n] = s[i], i+1
			g.n++
		}
	}
	return g
}

// shortestCard and longestCard are lengths in digits.
const (
	shortestCard = 12
	longestCard  = 19
)

func validateCard(_ *Engine, s string, start, end int) (int, string, bool) {
	g := collectDigits(s, start, end)
	for n := g.n; n >= shortestCard; n-- {
		stop := g.ends[n-1]
		if stop < len(s) && isAlnum(s[stop]) {
			continue
		}
		d := g.digits[:n]
		alone := stop-start == n && !inSentence(s, start)
		if !isCardIssuer(d, alone) || !isCardGrouping(s[start:stop]) {
			continue
		}
		if luhn(d) && !allSame(d) {
			return stop, "", true
		}
	}
	return end, "", false
}

// inSentence reports whether a number stands by itself: first in the text, or behind a blank.
func inSentence(s string, start int) bool {
	if start < 2 {
		return start == 0
	}
	return s[start-1] == ' ' && s[start-2] != '=' && s[start-2] != ':'
}

func validateLuhn(_ *Engine, s string, start, end int) (int, string, bool) {
	g := collectDigits(s, start, end)
	for n := g.n; n >= shortestCard; n-- {
		stop := g.ends[n-1]
		if stop < len(s) && isAlnum(s[stop]) {
			continue
		}
		if d := g.digits[:n]; luhn(d) && !allSame(d) {
			return stop, "", true
		}
	}
	return end, "", false
}

// isCardGrouping accepts one group, 4-4-4-k, 4-4-4-4-3, 4-6-5, 4-6-4, with equal separators, and 8-8 with blanks.
func isCardGrouping(hit string) bool {
	var groups [longestCard]int
	count, separator := 0, ""
	for i := 0; i < len(hit); {
		if isDigit(hit[i]) {
			groups[count]++
			i++
			continue
		}
		from := i
		for i < len(hit) && !isDigit(hit[i]) {
			i++
		}
		if separator != "" && hit[from:i] != separator {
			return false
		}
		separator = hit[from:i]
		if count++; count == len(groups) {
			return false
		}
	}
	switch g := groups[:count+1]; len(g) {
	case 1:
		return true
	case 2:
		return g[0] == 8 && g[1] == 8 && separator[0] == ' '
	case 3:
		return g[0] == 4 && g[1] == 6 && (g[2] == 5 || g[2] == 4)
	case 4:
		return g[0] == 4 && g[1] == 4 && g[2] == 4 && g[3] <= 4
	case 5:
		return g[0] == 4 && g[1] == 4 && g[2] == 4 && g[3] == 4 && g[4] == 3
	}
	return false
}

// ibanLengths are the lengths of the SWIFT IBAN registry and of the countries that use IBANs
// outside it.
var ibanLengths = map[string]int{
	"AD": 24, "AE": 23, "AL": 28, "AO": 25, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BF": 28, "BG": 22, "BH": 22, "BI": 27, "BJ": 28,
	"BR": 29, "BY": 28, "CF": 27, "CG": 27, "CH": 21, "CI": 28, "CM": 27, "CR": 22, "CV": 25, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27,
	"DK": 18, "DO": 28, "DZ": 26, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GA": 27, "GB": 22, "GE": 22,
	"GI": 23, "GL": 18, "GQ": 27, "GR": 27, "GT": 28, "GW": 25, "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IR": 26,
	"IS": 26, "IT": 27, "JO": 30, "KM": 27, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25,
	"MA": 28, "MC": 27, "MD": 24, "ME": 22, "MG": 27, "MK": 19, "ML": 28, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "MZ": 25, "NE": 28,
	"NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24,
	"SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SN": 28, "SO": 23, "ST": 25, "SV": 28, "TD": 27, "TG": 28, "TL": 23,
	"TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}

// shortestIBAN is that of Norway.
const shortestIBAN = 15

func validateIBAN(_ *Engine, s string, start, end int) (int, string, bool) {
	if end-start < shortestIBAN {
		return end, "", false
	}
	country := [2]byte{s[start] &^ 0x20, s[start+1] &^ 0x20}
	length, known := ibanLengths[string(country[:])]
	if !known {
		return end, "", false
	}
	var chars [34]byte
	n, uppers, lowers := 0, false, false
	stop := start
	for i := start; i < end && n < length; i++ {
		c := s[i]
		if !isAlnum(c) {
			continue
		}
		uppers = uppers || (c >= 'A' && c <= 'Z')
		lowers = lowers || (c >= 'a' && c <= 'z')
		chars[n] = c
		n++
		stop = i + 1
	}
	if n < length || (uppers && lowers) {
		return end, "", false
	}
	remainder := 0
	for i := range n {
		c := lower(chars[(i+4)%n])
		if isDigit(c) {
			remainder = (remainder*10 + int(c-'0')) % 97
		} else {
			remainder = (remainder*100 + int(c-'a') + 10) % 97
		}
	}
	return stop, "", remainder == 1
}

func isSSN(hit string) bool {
	var d [9]byte
	n := 0
	var seps []byte
	for i := range len(hit) {
		if isDigit(hit[i]) {
			if n == len(d) {
				return false
			}
			d[n] = hit[i]
			n++
		} else {
			seps = append(seps, hit[i])
		}
	}
	if n != len(d) || len(seps) == 1 || (len(seps) == 2 && seps[0] != seps[1]) {
		return false
	}
	area, group, serial := number(d[:3]), number(d[3:5]), number(d[5:])
	if area == 0 || area == 666 || group == 0 || serial == 0 {
		return false
	}
	if area >= 900 { // an individual taxpayer number
		return group >= 50 && group <= 65 || group >= 70 && group <= 88 || group >= 90 && group <= 92 || group >= 94
	}
	return true
}

// decodeBase64 takes both alphabets and ignores padding and unused bits.
func decodeBase64(s string) ([]byte, bool) {
	s = strings.TrimRight(s, "=")
	if strings.ContainsAny(s, "\r\n") { // which the decoder would pass over
		return nil, false
	}
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(s)
	out, err := base64.RawStdEncoding.DecodeString(standard)
	return out, err == nil
}

func isJWT(hit string) bool {
	first, _, _ := strings.Cut(hit, ".")
	header, ok := decodeBase64(first)
	if !ok || !strings.HasPrefix(string(header), `{"`) {
		return false
	}
	for _, name := range [...]string{`"alg"`, `"enc"`, `"typ"`, `"kid"`} {
		if strings.Contains(string(header), name) {
			return true
		}
	}
	return false
}

// isDSN reports whether the last of user and password, as divided by colons or a slash, is real: no
// variable such as $(PASS) or $PASS, and not masked already.
func isDSN(hit string) bool {
	password := hit[strings.LastIndexAny(hit, ":/")+1:]
	if name, isVariable := strings.CutPrefix(password, "$"); isVariable {
		return !(strings.HasPrefix(name, "(") && strings.HasSuffix(name, ")")) && !(isWord(name) && name == strings.ToUpper(name))
	}
	return !strings.HasSuffix(password, "[credentials]")
}

func isBasicAuth(hit string) bool {
	decoded, ok := decodeBase64(hit)
	if !ok {
		return false
	}
	colon := false
	for _, c := range decoded {
		if c < 0x20 {
			return false
		}
		colon = colon || c == ':'
	}
	return colon
}

// numberedWords are words of one case each, with single signs between them, perhaps a short number at
// the end: validation-error-12, protocol2.
var numberedWords = regexp.MustCompile(`^(?:[A-Z]?[a-z]+|[A-Z]+)((?:[-_./:|](?:[A-Z]?[a-z]+|[A-Z]+))*)((?:[-_./:|]?[0-9]{1,5})?)[.:]*$`)

func isTokenish(hit string) bool {
	if strings.Contains(hit, "://") {
		return false
	}
	low, innerUpper, digit := false, false, false
	for i := range len(hit) {
		c := hit[i]
		digit = digit || isDigit(c)
		low = low || (c >= 'a' && c <= 'z')
		innerUpper = innerUpper || (i > 0 && c >= 'A' && c <= 'Z')
	}
	const longest = 20 // of one word
	if words := numberedWords.FindStringSubmatchIndex(hit); words != nil {
		several, numbered := words[2] < words[3], words[4] < words[5]
		if several || (numbered && len(hit) < longest) {
			return false
		}
	}
	return digit || utf8.RuneCountInString(hit) >= longest || (low && innerUpper)
}

func isMixedCase(hit string) bool {
	digit, upper, low := false, false, false
	for i := range len(hit) {
		c := hit[i]
		digit = digit || isDigit(c)
		upper = upper || (c >= 'A' && c <= 'Z')
		low = low || (c >= 'a' && c <= 'z')
	}
	return digit && upper && low
}

func isMAC(hit string) bool {
	digits := strings.NewReplacer(":", "", "-", "", ".", "").Replace(hit)
	return strings.Trim(digits, "0") != "" && strings.Trim(digits, "Ff") != ""
}
