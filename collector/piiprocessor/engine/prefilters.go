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
	next         string   // … if one of these follows (empty: any) …
	after        side     // … and one of these stands before (0: any)
	endings      []string // at the end of a word that ends so; a blank means a blank or tab after it
	twoLetters   bool     // at each token of two characters with a letter
	numbers      []int    // at tokens of so many digits
	mixed        []int    // at tokens of so many letters and digits
	lettersFirst bool     // at each token of letters and digits that begins with a letter
	test         probeTest
	checked      func(checks []*check, s string, t token) bool // instead of test: asks the rule's checks
}

// of returns the probe as it is for one rule.
func (p *probe) of(r *rule) *probe {
	if p.checked == nil {
		return p
	}
	own := *p
	own.test = func(s string, t token) bool { return p.checked(r.checks, s, t) }
	return &own
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
	text := fmt.Appendf(nil, "%q %q %q %q %q %q %q %t", entry.Pattern, entry.ContextWords,
		entry.NotBefore, entry.NotBeforeDigit, entry.NotAfter, entry.NotAfterDigit, entry.Validate, entry.Rescan)
	if len(entry.Checks) > 0 {
		text = fmt.Appendf(text, " %q", entry.Checks)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}

// userInfo: `://…@`, nothing between that the group excludes.
var userInfo = sharedProbe(probe{sign: ":", next: "/", test: hasUserInfo})

// prefilters is the table, in the order of the policy. What is in it is checked by
// TestPrefiltersMissNothing, and TestPrefilterExamples has an example for each.
var prefilters = map[string]prefilter{
	// Three dashes, and the words PRIVATE KEY somewhere.
	"private_key": {rule: "eccd3e0e6623", facts: threeDashes, whole: mentionsPrivateKey},
	// Both patterns are :// and an @ before any slash, quote or white space.
	"url_credentials": {rule: "041ab11d5329", probes: []*probe{userInfo}},
	"url_token":       {rule: "335b095488d4", probes: []*probe{userInfo}},
	// @tcp( or @unix( after it, or jdbc:oracle: before it.
	"url_short_token": {rule: "e87dfa0421ef", probes: []*probe{userInfo}},
	// A slash between the user and the password, and the @ right after it; of sqlplus the word is enough.
	"oracle_credentials": {rule: "6924d3038367", probes: []*probe{
		sharedProbe(probe{sign: "@", test: isAfterSlashed}),
		sharedProbe(probe{endings: []string{"sqlplus "}}),
	}},
	// The id of the access key ends a token.
	"aws_secret_key": {rule: "4b772e1be101", facts: accessKeyID},
	"dsn_password":   {rule: "84295d55c4d5", probes: []*probe{sharedProbe(probe{endings: []string{"pass"}, test: isBeforeEquals})}},
	"password_hash": {rule: "2ff06dc141ff", probes: []*probe{
		sharedProbe(probe{sign: "$", test: isBeforeHash}),
		sharedProbe(probe{sign: "}", after: afterUpper | afterDigit, test: isAfterScheme}),
	}},
	"pgpass":              {rule: "1c959a92e926", probes: []*probe{sharedProbe(probe{sign: ":", next: "56*", test: isPostgresPort})}},
	"instrumentation_key": {rule: "3e2c53b97036", probes: []*probe{sharedProbe(probe{endings: []string{"key"}, test: isInstrumentationKey})}},
	"private_key_end":     {rule: "ee085b197744", facts: threeDashes, whole: mentionsPrivateKey},
	"redis_auth":          {rule: "d672235d80b9", probes: []*probe{sharedProbe(probe{endings: []string{"auth"}, test: isRedisAuth})}},
	"dsn_credentials": {rule: "14d61524aeb0", probes: []*probe{
		sharedProbe(probe{sign: "@", next: "tu", test: isGoAddress}),
		sharedProbe(probe{sign: ":", next: "o", after: afterLower, test: isAfterJDBC}),
	}},
	// A token that is known by how it begins: `not_preceded_by` forbids a letter or digit before it.
	"jwt":                 {rule: "f5c25ad9bdf6", prefixes: true},
	"wallet_extended_key": {rule: "63f5afb1c811", prefixes: true},
	"wallet_bech32":       {rule: "afeec440d8ea", prefixes: true},
	// A word, then a blank or tab; anything may stand before the word, as in xBasic.
	"auth_digest": {rule: "07792ca6fe9f", probes: []*probe{sharedProbe(probe{endings: []string{
		"digest ", "oauth ", "hawk ", "signature ", "mac ", "sha256 ", "sha512 ", "sha1 ",
	}})}},
	"auth_basic":  {rule: "4db887bdbb46", probes: []*probe{sharedProbe(probe{endings: []string{"basic "}})}},
	"auth_bearer": {rule: "5378c81a3c27", probes: []*probe{sharedProbe(probe{endings: []string{"bearer ", "token ", "negotiate ", "ntlm "}})}},
	// slack.com, a slash, and the first letter of services, workflows or triggers.
	"slack_webhook": {rule: "86bbfc66e2c0", probes: []*probe{sharedProbe(probe{sign: "/", next: "swt", after: afterLower, test: isAfterSlackHost})}},
	// /api/ or office.com/.
	"webhook_url": {rule: "08ec6ba27165", probes: []*probe{
		sharedProbe(probe{sign: "/", next: "a", test: isAPIPath}),
		sharedProbe(probe{sign: "/", after: afterLower, test: isAfterOfficeHost}),
	}},
	// :AA of Telegram's; two dots seven places apart of Discord's.
	"bot_token": {rule: "9fe5b4560511", probes: []*probe{
		sharedProbe(probe{sign: ":", next: "A", test: isTelegramMark}),
		sharedProbe(probe{sign: ".", test: isDiscordMiddle}),
	}},
	// The last of the words before the seed.
	"seed_phrase":  {rule: "6a6357a7fd31", probes: []*probe{sharedProbe(probe{endings: []string{"phrase", "mnemonic"}})}},
	"cli_secret":   {rule: "474593005a19", probes: []*probe{sharedProbe(probe{sign: "-", after: afterBlank | afterOther, test: beginsPassOption})}},
	"cli_mysql":    {rule: "1b358a23d20d", facts: optionP, whole: mentionsMySQL},
	"cli_curl":     {rule: "dcb547ef6a5c", probes: []*probe{sharedProbe(probe{sign: "-", next: "uUab-", after: afterBlank, test: isAfterBlank})}},
	"cli_user":     {rule: "22f9d2581125", probes: []*probe{sharedProbe(probe{sign: "-", next: "u-", after: afterBlank | afterOther, test: beginsUserOption})}},
	"cli_password": {rule: "1d89b91383b8", probes: passwordCommands},
	// Its word before a blank or a bracket.
	"powershell_secret": {rule: "5ef620ff5e2d", probes: []*probe{
		sharedProbe(probe{endings: []string{"securestring ", "pscredential "}}),
		sharedProbe(probe{sign: "(", after: afterLetter, test: isAfterCredential}),
		sharedProbe(probe{endings: []string{"use "}, test: isAfterNet}),
	}},
	"cli_account": {rule: "17782ea43dd2", probes: []*probe{
		sharedProbe(probe{endings: []string{"net ", "exe "}}),
		sharedProbe(probe{sign: "|", next: " \tcps"}),
	}},
	// The word before the password.
	"sql_password": {rule: "a020c9ffdefb", probes: []*probe{
		sharedProbe(probe{endings: []string{"identified", "password"}, test: isBeforeValue}),
		sharedProbe(probe{endings: []string{"crypt", "addlogin"}}),
	}},
	"kubernetes_secret": {rule: "c3093ff81e5d", probes: []*probe{sharedProbe(probe{endings: []string{"data"}, test: isBeforeColon})}},
	// Of these a secret's name stands in the text, too.
	"cli_option":      {rule: "d5b3bb8a16fe", probes: []*probe{sharedProbe(probe{sign: "-", after: afterStart | afterBlank | afterOther, test: beginsOption})}},
	"cli_setting":     {rule: "44d88cc5c3a5", probes: []*probe{sharedProbe(probe{endings: []string{"set ", "add ", "put "}, test: isWordOfThree})}},
	"named_argument":  {rule: "8f545571de83", probes: []*probe{sharedProbe(probe{sign: ",", after: afterBlank | afterOther, test: isAfterQuoted})}},
	"named_attribute": {rule: "912a8aa99a4f", probes: []*probe{isValueAttribute}},
	"attribute_named": {rule: "1d32fd15fcba", probes: []*probe{isValueAttribute}},
	"rejected_value":  {rule: "1955d3ed296b", probes: []*probe{sharedProbe(probe{endings: []string{"value"}, test: isRejectedValue})}},
	"named_element":   {rule: "906b173c7a5e", probes: []*probe{sharedProbe(probe{sign: "<", next: "/"})}},
	"named_member":    {rule: "07ad7d26d968", probes: []*probe{sharedProbe(probe{endings: []string{"value", "input"}})}},
	"form_part":       {rule: "9ae05832d5f1", probes: []*probe{sharedProbe(probe{sign: "=", next: "\"", after: afterLower, test: isAfterName})}},
	"php_value":       {rule: "d885597e1686", probes: []*probe{sharedProbe(probe{sign: "\"", next: ":;]"})}},
	// The end tag.
	"xml_secret": {rule: "eaf49baa5ebe", probes: []*probe{sharedProbe(probe{sign: "<", next: "/"})}},
	// The words before the code.
	"cvv": {rule: "9652f57ab62a", probes: []*probe{
		sharedProbe(probe{endings: []string{"cvv", "cvc", "cvv2", "cvc2"}}),
		sharedProbe(probe{endings: []string{"code"}, test: isSecurityCode}),
	}},
	// The word is.
	"spoken_secret": {rule: "da2f023c91a0", probes: []*probe{sharedProbe(probe{twoLetters: true, test: isIs})}},
	"encoded":       {rule: "84a92ee65613", prefixes: true},
	// @ with something before it, and a dot or a closing bracket after it.
	"email":      {rule: "fc72e7021345", facts: atSign, whole: hasHostAfterAt},
	"email_near": {rule: "e76edd844e94", beside: atSign},
	// Two letters and two digits begin a token, and the validator holds from there.
	"iban": {rule: "f682a387c099", probes: []*probe{sharedProbe(probe{lettersFirst: true, test: beginsIBAN})}},
	// A token of 26 to 52 characters in which `mixed_case` holds.
	"wallet_base58": {rule: "f15fac5ca852", facts: keyLike},
	// 0x and forty digits are one token.
	"wallet_evm": {rule: "690a5fc09ebd", probes: []*probe{sharedProbe(probe{mixed: []int{42}, test: beginsHex})}},
	// Tokens of these three lengths.
	"wallet_other": {rule: "9489bd461e28", facts: otherWallet},
	// A token of 32 to 50 characters in which `mixed_case` holds.
	"wallet_near": {rule: "02e93ceee53b", beside: keyLike},
	// Digits in groups divided by up to three blanks or one other sign, of which the first begins with 2 to 6, 8, 9 or 18.
	"card": {rule: "6b997c3895c8", facts: manyCardDigits},
	// Digits in groups divided by up to three blanks or one other sign.
	"card_near": {rule: "5ee0a132b61b", beside: manyGroupedDigits},
	// Two colons with at most four hex digits before them; or seven groups with a colon between.
	"ipv6": {rule: "841356732e64", facts: sevenColonHex, probes: []*probe{sharedProbe(probe{sign: ":", next: ":", test: isIPv6Gap})}},
	// Four numbers with dots between, of which the validator does not say that it is private; perhaps with
	// a v before them.
	"ipv4": {rule: "9b2d626d80d0", facts: dottedAddress, probes: []*probe{sharedProbe(probe{lettersFirst: true, test: isAddressAfterV})}},
	// One of the words before a dash and a digit.
	"ipv4_host": {rule: "63bd8d6c212a", probes: []*probe{sharedProbe(probe{sign: "-", next: "0123456789", after: afterLetter | afterDigit, test: isAfterHostWord})}},
	// Six pairs, or three groups of four.
	"mac": {rule: "2957bf2bc33d", facts: sixDashedHex | sixColonHex | threeDottedHex},
	// Groups of digits, whatever divides them.
	"ssn":     {rule: "2c204354eb1a", groups: [][]int{{3, 2, 4}}},
	"aadhaar": {rule: "5f7bf5d71867", groups: [][]int{{4, 4, 4}}},
	"rrn":     {rule: "ed58a1fa9be1", groups: [][]int{{6, 7}}},
	"cpf":     {rule: "2dd7f698e1fa", groups: [][]int{{3, 3, 3, 2}}},
	"cnpj":    {rule: "a1443ab4ec52", groups: [][]int{{2, 3, 3, 4, 2}}},
	"nhs":     {rule: "e4862eaa21ce", groups: [][]int{{3, 3, 4}}},
	"sin":     {rule: "54582042a53f", groups: [][]int{{3, 3, 3}}},
	"aba":     {rule: "5a4f006eb09e", groups: [][]int{{4, 4, 1}}},
	// + and a digit that is not 0, or a parenthesis.
	"phone": {rule: "15a9b980908f", probes: []*probe{sharedProbe(probe{sign: "+", next: "(123456789"})}},
	// A token that begins with 00 and another digit.
	"phone_prefix": {rule: "0b89f5928449", probes: []*probe{sharedProbe(probe{
		numbers: []int{3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}, mixed: []int{12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28}, test: beginsWithPrefix,
	})}},
	// Three digits between others, as the exchange of a number of North America stands.
	"phone_us": {rule: "36f352d90bd6", probes: []*probe{sharedProbe(probe{numbers: []int{3}, test: isExchange})}},
	// Nine digits or more, in groups of which the first begins with 0, up to two characters apart.
	"phone_trunk": {rule: "db2c919d213a", facts: manyTrunkDigits},
	// The lengths of its groups.
	"phone_grouped": {rule: "fa76800cb3ca", groups: [][]int{
		{1, 3, 3, 2, 2}, {1, 3, 3, 4}, {2, 9}, {3, 9}, {2, 3, 3, 3}, {3, 3, 3, 3}, {2, 3, 4}, {2, 4, 4}, {2, 5, 4}, {3, 3, 2, 2}, {2, 1, 3, 4}, {3, 2, 2},
	}},
	// Eleven digits beginning with 1; or the last of groups with blanks between.
	"phone_sentence": {rule: "c42181b07a20", probes: []*probe{
		sharedProbe(probe{numbers: []int{11}, test: beginsWithOne}),
		sharedProbe(probe{numbers: []int{2, 3}, test: isSpacedGroup}),
	}},
	// Ten or eleven digits beginning with 0: `not_preceded_by` and `not_followed_by` let no other digit stand beside them.
	"phone_bare": {rule: "78b3816be570", probes: []*probe{sharedProbe(probe{numbers: []int{10, 11}, test: beginsWithZero})}},
	// The whole id with its letter, as the validator wants it, begins a token: seven or eight digits
	// with a dash before the letter, or with the letter in the same token.
	"nif": {rule: "906c336d1c6c", probes: []*probe{{numbers: []int{7, 8}, mixed: []int{8, 9}, checked: isWholeNIF}}},
	// Six digits and a sign; or all eleven characters in one token, the seventh a letter.
	"hetu": {rule: "1406f7de7b20", probes: []*probe{
		sharedProbe(probe{numbers: []int{6}, test: isBeforeCentury}),
		sharedProbe(probe{mixed: []int{11}, test: hasLetterSeventh}),
	}},
	// A token of 16 characters with seven digits.
	"codice_fiscale": {rule: "c137acdfdb0a", probes: []*probe{sharedProbe(probe{mixed: []int{16}, test: hasSevenDigits})}},
	// A token of 18 upper-case letters and digits.
	"curp": {rule: "42a3680b833e", probes: []*probe{sharedProbe(probe{mixed: []int{18}, test: isUpperCase})}},
	// The whole pattern, from a token that begins with two letters: up to the first blank these are
	// two, four, six, eight or nine characters.
	"nino": {rule: "9b26c8582e87", probes: []*probe{sharedProbe(probe{twoLetters: true, mixed: []int{4, 6, 8, 9}, test: beginsNINO})}},
	// Four characters between a token's start and a dash, three between two dashes; or eleven with
	// digits where the pattern has them.
	"mbi": {rule: "71b12a4f6304", probes: []*probe{
		sharedProbe(probe{mixed: []int{4}, test: isBeforeGroupOfThree}),
		sharedProbe(probe{mixed: []int{11}, test: hasDigitsOfMBI}),
	}},
	// A token of nine or ten characters for which a check holds.
	"nric": {rule: "0bc5f045f2d9", probes: []*probe{{mixed: []int{9, 10}, checked: isWholeUpperCaseID}}},
	// A token of ten characters with four digits, the sixth to the ninth.
	"in_pan": {rule: "54e171cf800f", probes: []*probe{sharedProbe(probe{mixed: []int{10}, test: hasDigitsOfPAN})}},
	// A token of one of these lengths for which a check holds: digits, but for the last of 18 and for a
	// letter in the 15 of Corsica.
	"national_id_run": {rule: "c5595c7d6fb1", probes: []*probe{{numbers: []int{10, 11, 12, 13, 15, 18}, mixed: []int{15, 18}, checked: isWholeID}}},
	// A number of 9 to 12 digits of which a check holds, behind a character that a sentence has.
	"national_id_sentence": {rule: "8d6b88eb800f", probes: []*probe{{numbers: []int{9, 10, 11, 12}, checked: isInSentence}}},
	// Groups of digits, whatever divides them; eight and four, as UUIDs have, only with their dash and a check that holds.
	"national_id_dated": {rule: "02bf43abfc0e", groups: [][]int{{6, 4}, {6, 5}, {6, 2, 4}, {4, 6}, {1, 6, 4}}, probes: []*probe{
		{numbers: []int{4}, checked: isAfterDay},
	}},
	// Groups of digits; or the K at the end of a Chilean number. Corsica's letter is before the last three groups.
	"national_id_grouped": {
		rule: "67a47469313f", probes: []*probe{
			sharedProbe(probe{sign: "-", next: "Kk", after: afterDigit, test: isAfterDigit}), {mixed: []int{13}, checked: isPersonInMexicoOrCorsica},
			sharedProbe(probe{sign: "-", next: "0123456789", after: afterUpper, test: isAfterFourLetters}),
		},
		groups: [][]int{
			{3, 4, 4, 2}, {2, 2, 2, 3, 2}, {6, 3, 2}, {2, 8, 1}, {1, 3, 3, 1}, {2, 3, 3, 1}, {7, 1}, {8, 1}, {9, 1}, {3, 3, 3, 2},
			{1, 4, 5, 2, 1}, {3, 3, 2}, {3, 3, 3, 1}, {3, 7, 1}, {3, 7, 2}, {4, 2, 3}, {2, 3, 3, 3},
			{13, 2}, {3, 3, 2, 2}, {3, 2, 2, 3}, {3, 4, 7, 1}, {4, 4, 4}, {4, 3, 3},
		},
	},
	// Groups of digits; a letter and a dash; a token of fifteen upper-case letters and digits; a digit before a bracket.
	"national_id_form": {
		rule: "ae4684bd358e", groups: [][]int{{5, 7, 1}, {4, 7, 1}, {4, 6, 3, 1}, {2, 3, 3, 1, 3, 3}},
		probes: []*probe{
			sharedProbe(probe{sign: "-", next: "0123456789", after: afterUpper, test: isAfterVenezuelan}), sharedProbe(probe{mixed: []int{15}, test: isUpperCase}),
			sharedProbe(probe{sign: "(", next: "0123456789A", after: afterDigit, test: isAfterDigit}),
		},
	},
	// A token of 16 characters with digits where the pattern has them.
	"uk_driving_licence": {rule: "2b0b9e0b386e", probes: []*probe{sharedProbe(probe{mixed: []int{16}, test: hasDigitsOfLicence})}},
}

func isInSentence(checks []*check, s string, t token) bool {
	return t.start > 0 && strings.IndexByte("_./:=#@+-", s[t.start-1]) < 0 && holdsAny(checks, s[t.start:t.end])
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

// isDiscordMiddle is the first dot: 24 to 28 characters before it, six and another dot behind it, then 27 or more.
func isDiscordMiddle(s string, t token) bool {
	const first, spare, middle, last = 24, 4, 6, 27
	if t.start < first || t.end+middle+1+last > len(s) || s[t.end+middle] != '.' {
		return false
	}
	for i := t.start - first + 1; i < t.start; i++ {
		if !isAlnum(s[i]) && s[i] != '_' && s[i] != '-' {
			return false
		}
	}
	return strings.ContainsAny(s[max(0, t.start-first-spare):t.start-first+1], "MNO")
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
	const leastStart, word = 4, "iban" // the country and the check digits are in one token, perhaps behind the word
	if t.length() > len(word) && equalFoldASCII(s[t.start:t.start+len(word)], word) {
		t.start += len(word)
	}
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

// hostWords are those that ipv4_host begins with.
var hostWords = []string{"ec2", "ip", "host", "cpe", "pool", "static", "dynamic", "dyn", "dhcp", "dsl", "ppp", "client", "cable", "vps", "nat", "customer"}

// hostWordEnds are their last two characters.
var hostWordEnds = func() (ends [1 << 10 / 64]uint64) {
	for _, word := range hostWords {
		pair := trigram(word[len(word)-2], word[len(word)-1], 0)
		ends[pair>>6] |= 1 << (pair & 63)
	}
	return ends
}()

func isAfterHostWord(s string, t token) bool {
	if t.start < 2 {
		return false
	}
	if pair := trigram(s[t.start-2], s[t.start-1], 0); hostWordEnds[pair>>6]&(1<<(pair&63)) == 0 {
		return false
	}
	for _, word := range hostWords {
		if from := t.start - len(word); from >= 0 && equalFoldASCII(s[from:t.start], word) {
			return true
		}
	}
	return false
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

func beginsWithOne(s string, t token) bool { return s[t.start] == '1' }

// isSpacedGroup: before it stand two digits and a blank, and others before these.
func isSpacedGroup(s string, t token) bool {
	const before = 6 // of the shortest, three groups
	return t.start >= before && s[t.start-1] == ' ' && areDigits(s[t.start-3:t.start-1]) && (s[t.start-4] == ' ' || isDigit(s[t.start-4]))
}

func beginsWithZero(s string, t token) bool { return s[t.start] == '0' }

// isWholeNIF: eight digits, in seven of ten ids of other kinds, would be worth a look otherwise.
func isWholeNIF(checks []*check, s string, t token) bool {
	if t.digits < fewestIDDigits {
		return false
	}
	start, end := t.start, t.end
	if start > 1 && s[start-1] == '-' && lower(s[start-2]) >= 'x' && lower(s[start-2]) <= 'z' {
		start -= 2
	}
	if end+1 < len(s) && s[end] == '-' && isLetter(s[end+1]) {
		end += 2
	}
	return holdsAny(checks, s[start:end])
}

func isWholeUpperCaseID(checks []*check, s string, t token) bool {
	return t.digits >= fewestIDDigits && t.seen&classLower == 0 && holdsAny(checks, s[t.start:t.end])
}

func isWholeID(checks []*check, s string, t token) bool {
	return t.digits >= fewestIDDigits && holdsAny(checks, s[t.start:t.end])
}

// fewestIDDigits are in every id that isWholeNIF, isWholeID and isWholeUpperCaseID are asked about.
const fewestIDDigits = 7

func isAfterDigit(s string, t token) bool { return t.start > 0 && isDigit(s[t.start-1]) }

func isAfterDay(checks []*check, s string, t token) bool {
	const day = len("20260101-")
	return t.start >= day && s[t.start-1] == '-' && areDigits(s[t.start-day:t.start-1]) && holdsAny(checks, s[t.start-day:t.end])
}

// isPersonInMexicoOrCorsica: the whole RFC, or a NIR whose key follows after a blank.
func isPersonInMexicoOrCorsica(checks []*check, s string, t token) bool {
	return (t.digits == 12 && next(s, t) == ' ') || isWholeUpperCaseID(checks, s, t)
}

func isAfterFourLetters(s string, t token) bool {
	const letters = 4
	if t.start < letters {
		return false
	}
	for _, c := range []byte(s[t.start-letters : t.start]) {
		if classes[c]&classUpper == 0 {
			return false
		}
	}
	return true
}

// isAfterVenezuelan: these are the letters before the dash of Venezuela's numbers.
func isAfterVenezuelan(s string, t token) bool {
	return t.start > 0 && strings.IndexByte("VEJPG", s[t.start-1]) >= 0
}

func isBeforeCentury(s string, t token) bool { return next(s, t) == '-' || next(s, t) == '+' }

func hasLetterSeventh(s string, t token) bool { return isLetter(s[t.start+6]) }

func hasSevenDigits(_ string, t token) bool { return t.digits == 7 }

func isUpperCase(_ string, t token) bool { return t.seen&classLower == 0 }

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
	return i < len(s) && (lower(s[i]) >= 'a' && lower(s[i]) <= 'd' || lower(s[i]) == 't')
}

func isBeforeGroupOfThree(s string, t token) bool {
	const group = 3
	return next(s, t) == '-' && t.end+1+group < len(s) && s[t.end+1+group] == '-'
}

func hasDigitsOfMBI(s string, t token) bool { return digitsAt(s, t, 0, 3, 6, 9, 10) }

func hasDigitsOfPAN(s string, t token) bool { return t.digits == 4 && digitsAt(s, t, 5, 8) }

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
