// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// A prefilter decides sooner than a pattern, and more sharply than the policy's triggers, whether a
// rule could match a text. It is written for the text of one rule: `rule` is the digest of that text,
// and a rule that reads differently in the loaded policy is left to its triggers. Whatever a
// prefilter does not want must be impossible for the rule; what it wants in vain only costs time.
//
// To change a rule that has one: check that the prefilter still sees every match, fix it or remove
// it, then put the digest here that TestPrefiltersFitThePolicy prints.
type prefilter struct {
	rule     string            // digest of the rule it was written for
	prefixes bool              // a match begins with one of the triggers, where a token begins
	probes   []*probe          // any of them agrees
	groups   [][]int           // numbers of these lengths stand close together
	facts    fact              // any of them was found …
	whole    func(string) bool // … and this holds for the text
	beside   fact              // of a rule with context words: what must stand beside these
}

// probeTest checks one place of a text.
type probeTest func(s string, t token) bool

// probe is a test, and the places where it is made.
type probe struct {
	sign         string   // at these characters …
	next         string   // … if one of these follows (empty: any)
	endings      []string // at the end of a word that ends so; a blank means a blank or tab after it
	twoLetters   bool     // at each token of two characters with a letter
	numbers      []int    // at tokens of so many digits
	mixed        []int    // at tokens of so many letters and digits
	lettersFirst bool     // at each token of letters and digits that begins with a letter
	test         probeTest
}

// always is for probes whose place says enough.
func always(string, token) bool { return true }

func sharedProbe(p probe) *probe {
	if p.test == nil {
		p.test = always
	}
	return &p
}

// digestOf names the text of a rule, as far as it decides what the rule finds.
func digestOf(entry *ruleEntry) string {
	text := fmt.Appendf(nil, "%q %v %q %q %q %q %q %q %t", entry.Pattern, entry.Triggers, entry.ContextWords,
		entry.NotBefore, entry.NotBeforeDigit, entry.NotAfter, entry.NotAfterDigit, entry.Validate, entry.Rescan)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}

// userInfo: `://…@`, nothing between that the group excludes.
var userInfo = sharedProbe(probe{sign: ":", next: "/", test: hasUserInfo})

// prefilters is the table, in the order of the policy. What is in it is checked by
// TestPrefiltersMissNothing, and TestPrefilterExamples has an example for each.
var prefilters = map[string]prefilter{
	// Three dashes, and the words PRIVATE KEY somewhere.
	"private_key": {rule: "bc6011360320", facts: threeDashes, whole: mentionsPrivateKey},
	// Both patterns are :// and an @ before any slash, quote or white space.
	"url_credentials": {rule: "6dd507f6b168", probes: []*probe{userInfo}},
	"url_token":       {rule: "078e0cab169b", probes: []*probe{userInfo}},
	// @tcp( or @unix( after it, or jdbc:oracle: before it.
	"url_short_token":    {rule: "3ed3b953d6ba", probes: []*probe{userInfo}},
	"oracle_credentials": {rule: "9cbfb44cbbbd", facts: atSign, whole: hasSlashBeforeAt},
	"dsn_password":       {rule: "678c532031b8", probes: []*probe{sharedProbe(probe{endings: []string{"pass"}, test: isBeforeEquals})}},
	"password_hash": {rule: "df835d47e4d0", probes: []*probe{
		sharedProbe(probe{sign: "$", test: isBeforeHash}),
		sharedProbe(probe{sign: "}", test: isAfterScheme}),
	}},
	"pgpass":              {rule: "c8d291b20db8", probes: []*probe{sharedProbe(probe{sign: ":", next: "56*", test: isPostgresPort})}},
	"instrumentation_key": {rule: "ec318b8c2932", probes: []*probe{sharedProbe(probe{endings: []string{"key"}, test: isInstrumentationKey})}},
	"private_key_end":     {rule: "591460e1517d", facts: threeDashes, whole: mentionsPrivateKey},
	"redis_auth":          {rule: "1223812c4093", probes: []*probe{sharedProbe(probe{endings: []string{"auth"}, test: isRedisAuth})}},
	"dsn_credentials": {rule: "94c7d669ac48", probes: []*probe{
		sharedProbe(probe{sign: "@", next: "tu", test: isGoAddress}),
		sharedProbe(probe{sign: ":", next: "o", test: isAfterJDBC}),
	}},
	// A token that is known by how it begins: `not_preceded_by` forbids a letter or digit before it.
	"jwt":                 {rule: "a5ea0e8f2c5a", prefixes: true},
	"wallet_extended_key": {rule: "0b85456e9cc3", prefixes: true},
	"wallet_bech32":       {rule: "5aa54a12b537", prefixes: true},
	// A word, then a blank or tab; anything may stand before the word, as in xBasic.
	"auth_digest": {rule: "e995719ea294", probes: []*probe{sharedProbe(probe{endings: []string{
		"digest ", "oauth ", "hawk ", "signature ", "mac ", "sha256 ", "sha512 ", "sha1 ",
	}})}},
	"auth_basic":  {rule: "7037eaa78a8c", probes: []*probe{sharedProbe(probe{endings: []string{"basic "}})}},
	"auth_bearer": {rule: "9327c34ab43f", probes: []*probe{sharedProbe(probe{endings: []string{"bearer ", "token ", "negotiate ", "ntlm "}})}},
	// slack.com, a slash, and the first letter of services, workflows or triggers.
	"slack_webhook": {rule: "e7adc8f54434", probes: []*probe{sharedProbe(probe{sign: "/", next: "swt", test: isAfterSlackHost})}},
	// /api/ or office.com/.
	"webhook_url": {rule: "2dfcf1dd1a6a", probes: []*probe{
		sharedProbe(probe{sign: "/", next: "a", test: isAPIPath}),
		sharedProbe(probe{sign: "/", test: isAfterOfficeHost}),
	}},
	// :AA of Telegram's; two dots seven places apart of Discord's.
	"bot_token": {rule: "39fa271c8956", probes: []*probe{
		sharedProbe(probe{sign: ":", next: "A", test: isTelegramMark}),
		sharedProbe(probe{sign: ".", test: isDiscordMiddle}),
	}},
	// The last of the words before the seed.
	"seed_phrase": {rule: "1ea739d92097", probes: []*probe{sharedProbe(probe{endings: []string{"phrase", "mnemonic"}})}},
	"cli_secret":  {rule: "933d893ceb04", probes: []*probe{sharedProbe(probe{sign: "-", test: beginsPassOption})}},
	"cli_password": {rule: "55dd2e948319", probes: []*probe{
		sharedProbe(probe{sign: "-", next: "pPawUuAXch", test: isAfterBlank}),
		sharedProbe(probe{sign: "/", next: "prRP", test: isSlashOption}),
		sharedProbe(probe{endings: []string{"rabbitmqctl", "htpasswd"}}),
	}},
	"cli_mysql": {rule: "f074f65c48d0", probes: []*probe{sharedProbe(probe{sign: "-", next: "p", test: isMySQLOption})}},
	"cli_curl":  {rule: "e653913fdce2", probes: []*probe{sharedProbe(probe{sign: "-", next: "uUab-", test: isAfterBlank})}},
	"cli_user":  {rule: "cb43878e3f6d", probes: []*probe{sharedProbe(probe{sign: "-", next: "u-", test: beginsUserOption})}},
	"cli_account": {rule: "8e6af385ae53", probes: []*probe{
		sharedProbe(probe{endings: []string{"net ", "exe "}}),
		sharedProbe(probe{sign: "|", next: " \tcps"}),
	}},
	// The word before the password.
	"sql_password": {rule: "a2acf3d67b04", probes: []*probe{
		sharedProbe(probe{endings: []string{"identified", "password"}, test: isBeforeValue}),
		sharedProbe(probe{endings: []string{"crypt", "addlogin"}}),
	}},
	"kubernetes_secret": {rule: "9b804679cbdc", probes: []*probe{sharedProbe(probe{endings: []string{"data"}, test: isBeforeColon})}},
	// Of these a secret's name stands in the text, too.
	"cli_option":      {rule: "9370739cefa4", probes: []*probe{sharedProbe(probe{sign: "-", test: beginsOption})}},
	"cli_setting":     {rule: "f6bda30e73bb", probes: []*probe{sharedProbe(probe{endings: []string{"set ", "add ", "put "}, test: isWordOfThree})}},
	"named_argument":  {rule: "bfada3c9627d", probes: []*probe{sharedProbe(probe{sign: ",", test: isAfterQuoted})}},
	"named_attribute": {rule: "4ad753686be4", probes: []*probe{isValueAttribute}},
	"attribute_named": {rule: "d4b20582f68e", probes: []*probe{isValueAttribute}},
	"rejected_value":  {rule: "c10b7371b342", probes: []*probe{sharedProbe(probe{endings: []string{"value"}, test: isRejectedValue})}},
	"named_element":   {rule: "43137675ffa5", probes: []*probe{sharedProbe(probe{sign: "<", next: "/"})}},
	"named_member":    {rule: "de8ea69c8293", probes: []*probe{sharedProbe(probe{endings: []string{"value", "input"}})}},
	"form_part":       {rule: "f9c795cb0ec1", probes: []*probe{sharedProbe(probe{sign: "=", next: "\"", test: isAfterName})}},
	"php_value":       {rule: "395b57931a77", probes: []*probe{sharedProbe(probe{sign: "\"", next: ":;]"})}},
	// The end tag.
	"xml_secret": {rule: "cda46b4eef88", probes: []*probe{sharedProbe(probe{sign: "<", next: "/"})}},
	// The words before the code.
	"cvv": {rule: "e6e177a417ea", probes: []*probe{
		sharedProbe(probe{endings: []string{"cvv", "cvc", "cvv2", "cvc2"}}),
		sharedProbe(probe{endings: []string{"code"}, test: isSecurityCode}),
	}},
	// The word is.
	"spoken_secret": {rule: "731e1824a418", probes: []*probe{sharedProbe(probe{twoLetters: true, test: isIs})}},
	"encoded":       {rule: "78901d859337", prefixes: true},
	// @ with something before it, and a dot or a closing bracket after it.
	"email":      {rule: "ed181ec8d6f0", facts: atSign, whole: hasHostAfterAt},
	"email_near": {rule: "60f3da14ee1a", beside: atSign},
	// Two letters and two digits begin a token, and the validator holds from there.
	"iban": {rule: "194c6a3eaaec", probes: []*probe{sharedProbe(probe{lettersFirst: true, test: beginsIBAN})}},
	// A token of 26 to 52 characters in which `mixed_case` holds.
	"wallet_base58": {rule: "195732f8854d", facts: keyLike},
	// 0x and forty digits are one token.
	"wallet_evm": {rule: "d9bf2be942c9", probes: []*probe{sharedProbe(probe{mixed: []int{42}, test: beginsHex})}},
	// Tokens of these three lengths.
	"wallet_other": {rule: "3c6768763413", facts: otherWallet},
	// A token of 32 to 50 characters in which `mixed_case` holds.
	"wallet_near": {rule: "77bd7b48fefe", beside: keyLike},
	// Digits in groups divided by up to three blanks or one other sign, of which the first begins with 2 to 6, 8, 9 or 18.
	"card": {rule: "5838f6155313", facts: manyCardDigits},
	// Digits in groups divided by up to three blanks or one other sign.
	"card_near": {rule: "bd1061c686c7", beside: manyGroupedDigits},
	// Two colons with at most four hex digits before them; or seven groups with a colon between.
	"ipv6": {rule: "b8aa2ef74484", facts: sevenColonHex, probes: []*probe{sharedProbe(probe{sign: ":", next: ":", test: isIPv6Gap})}},
	// Four numbers with dots between, of which the validator does not say that it is private; perhaps with
	// a v before them.
	"ipv4": {rule: "38614c7721be", facts: dottedAddress, probes: []*probe{sharedProbe(probe{lettersFirst: true, test: isAddressAfterV})}},
	// The words before the address, a dash and a digit.
	"ipv4_host": {rule: "60884e0f93c5", probes: []*probe{
		sharedProbe(probe{endings: []string{"ec2", "host", "cpe", "pool", "static", "dynamic", "dyn", "dhcp", "dsl", "ppp", "client", "cable", "vps", "nat", "customer"}, test: isBeforeDashedNumber}),
		sharedProbe(probe{twoLetters: true, test: isBeforeDashedNumber}),
	}},
	// Six pairs, or three groups of four.
	"mac": {rule: "e47382571106", facts: sixDashedHex | sixColonHex | threeDottedHex},
	// Groups of digits, whatever divides them.
	"ssn":     {rule: "eebd7f0eb24a", groups: [][]int{{3, 2, 4}}},
	"aadhaar": {rule: "e71e44c7bba7", groups: [][]int{{4, 4, 4}}},
	"rrn":     {rule: "d9e84ac71687", groups: [][]int{{6, 7}}},
	"cpf":     {rule: "b429f6810363", groups: [][]int{{3, 3, 3, 2}}},
	"cnpj":    {rule: "87df4f047a91", groups: [][]int{{2, 3, 3, 4, 2}}},
	"nhs":     {rule: "93a61f3da6b4", groups: [][]int{{3, 3, 4}}},
	"sin":     {rule: "85c2c28019d6", groups: [][]int{{3, 3, 3}}},
	"aba":     {rule: "04b2fd5dd881", groups: [][]int{{4, 4, 1}}},
	// + and a digit that is not 0, or a parenthesis.
	"phone": {rule: "110c9e744739", probes: []*probe{sharedProbe(probe{sign: "+", next: "(123456789"})}},
	// A token that begins with 00 and another digit.
	"phone_prefix": {rule: "36cd67450b96", probes: []*probe{sharedProbe(probe{
		numbers: []int{3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}, mixed: []int{12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28}, test: beginsWithPrefix,
	})}},
	// Three digits between others, as the exchange of a number of North America stands.
	"phone_us": {rule: "cf4e7ab76482", probes: []*probe{sharedProbe(probe{numbers: []int{3}, test: isExchange})}},
	// Nine digits or more, in groups of which the first begins with 0, up to two characters apart.
	"phone_trunk": {rule: "733ae7fb29f7", facts: manyTrunkDigits},
	// The lengths of its groups.
	"phone_grouped": {rule: "ed4fc7cdfd8d", groups: [][]int{
		{1, 3, 3, 2, 2}, {1, 3, 3, 4}, {2, 9}, {3, 9}, {2, 3, 3, 3}, {3, 3, 3, 3}, {2, 3, 4}, {2, 4, 4}, {2, 5, 4}, {3, 3, 2, 2}, {2, 1, 3, 4}, {3, 2, 2},
	}},
	// Ten or eleven digits beginning with 0: `not_preceded_by` and `not_followed_by` let no other digit stand beside them.
	"phone_bare": {rule: "036285b745a8", probes: []*probe{sharedProbe(probe{numbers: []int{10, 11}, test: beginsWithZero})}},
	// The whole id with its letter, as the validator wants it, begins a token: seven or eight digits
	// with a dash before the letter, or with the letter in the same token.
	"nif": {rule: "d946321c40a2", probes: []*probe{sharedProbe(probe{numbers: []int{7, 8}, mixed: []int{8, 9}, test: isWholeNIF})}},
	// Six digits and a sign; or all eleven characters in one token, the seventh a letter.
	"hetu": {rule: "ee9e394ed8e8", probes: []*probe{
		sharedProbe(probe{numbers: []int{6}, test: isBeforeCentury}),
		sharedProbe(probe{mixed: []int{11}, test: hasLetterSeventh}),
	}},
	// A token of 16 characters with seven digits.
	"codice_fiscale": {rule: "e4ed06e33809", probes: []*probe{sharedProbe(probe{mixed: []int{16}, test: hasSevenDigits})}},
	// A token of 18 upper-case letters and digits.
	"curp": {rule: "03f2105bfe38", probes: []*probe{sharedProbe(probe{mixed: []int{18}, test: isUpperCase})}},
	// The whole pattern, from a token that begins with two letters: up to the first blank these are
	// two, four, six, eight or nine characters.
	"nino": {rule: "97c22e5ff5fc", probes: []*probe{sharedProbe(probe{twoLetters: true, mixed: []int{4, 6, 8, 9}, test: beginsNINO})}},
	// Four characters between a token's start and a dash, three between two dashes; or eleven with
	// digits where the pattern has them.
	"mbi": {rule: "30fd19fc6885", probes: []*probe{
		sharedProbe(probe{mixed: []int{4}, test: isBeforeGroupOfThree}),
		sharedProbe(probe{mixed: []int{11}, test: hasDigitsOfMBI}),
	}},
	// A token of nine characters, upper case, two of them letters.
	"nric": {rule: "1b881643fd12", probes: []*probe{sharedProbe(probe{mixed: []int{9}, test: isUpperCaseWithSevenDigits})}},
	// A token of ten characters with four digits, the sixth to the ninth.
	"in_pan": {rule: "8a65d1eabed0", probes: []*probe{sharedProbe(probe{mixed: []int{10}, test: hasDigitsOfPAN})}},
	// A number of eleven digits for which the validator holds.
	"tckn": {rule: "e2aab7481596", probes: []*probe{sharedProbe(probe{numbers: []int{11}, test: isValidTCKN})}},
	// A token of 16 characters with digits where the pattern has them.
	"uk_driving_licence": {rule: "a4bd2102f475", probes: []*probe{sharedProbe(probe{mixed: []int{16}, test: hasDigitsOfLicence})}},
}

func mentionsPrivateKey(s string) bool { return strings.Contains(s, "PRIVATE KEY") }

func hasUserInfo(s string, t token) bool {
	rest, isURL := strings.CutPrefix(s[t.start:], "://")
	if !isURL {
		return false
	}
	for i := range len(rest) {
		switch rest[i] {
		case '/', '"', '\'', '<', '>', ' ', '\t', '\r', '\n', '\f':
			return false
		case '@':
			return true
		}
	}
	return false
}

func isGoAddress(s string, t token) bool {
	return strings.HasPrefix(s[t.end:], "tcp(") || strings.HasPrefix(s[t.end:], "unix(")
}

func isAfterJDBC(s string, t token) bool { return strings.HasSuffix(s[:t.start], "jdbc") }

func isAfterSlackHost(s string, t token) bool { return strings.HasSuffix(s[:t.start], "slack.com") }

func isAPIPath(s string, t token) bool { return strings.HasPrefix(s[t.end:], "api/") }

func isAfterOfficeHost(s string, t token) bool { return strings.HasSuffix(s[:t.start], "office.com") }

func isTelegramMark(s string, t token) bool { return strings.HasPrefix(s[t.end:], "AA") }

func isDiscordMiddle(s string, t token) bool {
	const middle = 6 // characters between the dots
	return t.end+middle < len(s) && s[t.end+middle] == '.'
}

func isSecurityCode(s string, t token) bool {
	const word = len("code")
	return t.length() == word && t.start > 1 && s[t.start-1] == ' ' && lower(s[t.start-2]) == 'y'
}

func isIs(s string, t token) bool { return lower(s[t.start]) == 'i' && lower(s[t.start+1]) == 's' }

func hasHostAfterAt(s string) bool {
	at := strings.IndexByte(s[1:], '@') + 1
	return at > 0 && strings.LastIndexAny(s, ".>]") > at
}

func beginsIBAN(s string, t token) bool {
	const leastStart = 4 // the country and the check digits are in one token
	if t.length() < leastStart || !isLetter(s[t.start]) || !isLetter(s[t.start+1]) || !areDigits(s[t.start+2:t.start+leastStart]) {
		return false
	}
	_, _, ok := validateIBAN(nil, s, t.start, min(len(s), t.start+longestIBAN))
	return ok
}

// longestIBAN bounds the bytes of an IBAN in groups.
const longestIBAN = 72

func beginsHex(s string, t token) bool { return s[t.start] == '0' && lower(s[t.start+1]) == 'x' }

func isIPv6Gap(s string, t token) bool {
	const longestGroup = 4
	left := t.start
	for left > 0 && t.start-left <= longestGroup && classes[s[left-1]]&classHex != 0 {
		left--
	}
	return left == 0 || classes[s[left-1]]&classAlnum == 0
}

func isAddressAfterV(s string, t token) bool {
	const longest = 4 // v and three digits
	if t.length() > longest || lower(s[t.start]) != 'v' || next(s, t) != '.' {
		return false
	}
	return t.digits == t.length()-1
}

func isBeforeDashedNumber(s string, t token) bool {
	return next(s, t) == '-' && t.end+1 < len(s) && isDigit(s[t.end+1])
}

// beginsWithPrefix: 00 and digits, and in the same token nothing but an extension.
func beginsWithPrefix(s string, t token) bool {
	if !strings.HasPrefix(s[t.start:], "00") || s[t.start+2] == '0' {
		return false
	}
	i := t.start
	for i < t.end && isDigit(s[i]) {
		i++
	}
	return i == t.end || lower(s[i]) == 'x' || (lower(s[i]) == 'e' && lower(next(s, token{end: i + 1})) == 'x')
}

// isExchange: what stands before and behind is as close as in (415)555-0132.
func isExchange(s string, t token) bool {
	const area, line = 3, 4 // digits
	before := t.start - 1
	if before < area || t.end+line >= len(s) || !isPhoneSeparator(s[t.end]) || !areDigits(s[t.end+1:t.end+1+line]) {
		return false
	}
	if isPhoneSeparator(s[before]) {
		before--
	}
	if s[before] == ')' {
		before--
	}
	return before >= area-1 && areDigits(s[before-area+1:before+1])
}

func isPhoneSeparator(c byte) bool { return c == ' ' || c == '.' || c == '-' }

func beginsWithZero(s string, t token) bool { return s[t.start] == '0' }

// isWholeNIF: eight digits, in seven of ten ids of other kinds, would be worth a look otherwise.
func isWholeNIF(s string, t token) bool {
	if t.start > 0 && s[t.start-1] == '-' {
		return false
	}
	i := t.start
	if c := lower(s[i]); c >= 'x' && c <= 'z' {
		i++
	}
	first := i
	for i < len(s) && i < first+8 && isDigit(s[i]) {
		i++
	}
	if i-first < 7 || (first > t.start && i-first > 7) {
		return false
	}
	if i < len(s) && s[i] == '-' {
		i++
	}
	if i >= len(s) || !isLetter(s[i]) {
		return false
	}
	i++
	return (i == len(s) || (!isAlnum(s[i]) && s[i] != '-')) && isNIF(s[t.start:i])
}

func isBeforeCentury(s string, t token) bool { return next(s, t) == '-' || next(s, t) == '+' }

func hasLetterSeventh(s string, t token) bool { return isLetter(s[t.start+6]) }

func hasSevenDigits(_ string, t token) bool { return t.digits == 7 }

func isUpperCase(_ string, t token) bool { return t.seen&classLower == 0 }

func isUpperCaseWithSevenDigits(_ string, t token) bool {
	return t.digits == 7 && t.seen&classLower == 0
}

// ninoLetters are those a National Insurance number may have in its first and second place.
var ninoLetters = [2]asciiSet{letterSet("abceghjklmnoprstwxyz"), letterSet("abceghjklmnprstwxyz")}

func letterSet(letters string) (set asciiSet) {
	for _, c := range []byte(letters) {
		set[c], set[c-'a'+'A'] = true, true
	}
	return set
}

func beginsNINO(s string, t token) bool {
	const shortest = len("AB123456C")
	s = s[t.start:]
	if len(s) < shortest || !ninoLetters[0].has(s[0]) || !ninoLetters[1].has(s[1]) {
		return false
	}
	i := 2
	for range 3 {
		if s[i] == ' ' {
			i++
		}
		if i+2 >= len(s) || !isDigit(s[i]) || !isDigit(s[i+1]) {
			return false
		}
		i += 2
	}
	if s[i] == ' ' {
		i++
	}
	return i < len(s) && lower(s[i]) >= 'a' && lower(s[i]) <= 'd'
}

func isBeforeGroupOfThree(s string, t token) bool {
	const group = 3
	return next(s, t) == '-' && t.end+1+group < len(s) && s[t.end+1+group] == '-'
}

func hasDigitsOfMBI(s string, t token) bool { return digitsAt(s, t, 0, 3, 6, 9, 10) }

func hasDigitsOfPAN(s string, t token) bool { return t.digits == 4 && digitsAt(s, t, 5, 8) }

func isValidTCKN(s string, t token) bool { return isTCKN(s[t.start:t.end]) }

func hasDigitsOfLicence(s string, t token) bool {
	return t.digits >= 7 && digitsAt(s, t, 5, 9) && !isDigit(s[t.end-1])
}

// digitsAt reports whether digits stand at these places of a token.
func digitsAt(s string, t token, places ...int) bool {
	for _, at := range places {
		if !isDigit(s[t.start+at]) {
			return false
		}
	}
	return true
}
