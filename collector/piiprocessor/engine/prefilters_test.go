// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPrefiltersFitThePolicy: a prefilter that fits no rule is never used.
func TestPrefiltersFitThePolicy(t *testing.T) {
	e := loadEngine(t, Options{})
	rules := rulesByName(e)
	for name, filter := range prefilters {
		if r := rules[name]; r == nil {
			t.Errorf("there is no rule %q: remove its prefilter", name)
		} else if r.digest != filter.rule {
			t.Errorf("rule %q has changed: see whether its prefilter still sees every match, then set its digest to %q", name, r.digest)
		}
	}
	if names := e.Unfiltered(); len(names) > 0 {
		t.Errorf("rules without their prefilters: %v", names)
	}
}

func rulesByName(e *Engine) map[string]*rule {
	rules := map[string]*rule{}
	for _, r := range e.rules {
		rules[r.name] = r
	}
	return rules
}

// nearMisses are texts that a rule's triggers, or for rules that are known by a prefix its trigger
// within a word, make possible, and its prefilter does not want.
var nearMisses = map[string]string{
	"private_key": "-- PRIVATE KEY --", "url_credentials": "https://example.com/@jane", "url_token": "see https://example.com '@'",
	"dsn_credentials": "@ tcp(, jdbc:mysql:, @tcp", "auth_digest": "digests of 3", "auth_basic": "basically 3", "auth_bearer": "bearers, tokens 3",
	"slack_webhook": "hooks.slack.com/docs", "webhook_url": "office.com and /apis/webhooks",
	"bot_token": "1:AB 0.12345.1", "seed_phrase": "Phrases, nemonics", "xml_secret": "a < / b",
	"cvv": "code 123, a qr code 123", "spoken_secret": "this isn't", "email": "@example.com", "email_near": "mail to jane",
	"iban": "DE00370400440532013000", "wallet_base58": "abcdefghijklmnopqrstuvwxyz012345", "wallet_evm": "0x1234", "wallet_other": "A123456789012345678901234567890123456789012",
	"wallet_near": "wallet abcdefghijklmnopqrstuvwxyz0123456789", "card": "1111 1111 1111 1111", "card_near": "card 1234.5678.9012", "ipv6": "xa1234::b, 1:2:3:4:5:6",
	"ipv4": "10.0.0.1 1.2.3", "mac": "00-11-22-33-44 aa:bb:cc:dd:ee", "ssn": "123-456-789", "phone": "+0123 a+b", "phone_us": "212 55 50123 4", "phone_prefix": "0001234567890", "phone_grouped": "12-34 5678", "phone_sentence": "12:34 56:78 21234567890", "ipv4_host": "host 1-2-3-4.example",
	"phone_trunk": "030 12 34", "phone_bare": "11234567890", "nif": "12345678 1234567-", "hetu": "010101 1234", "codice_fiscale": "abcdefghijklmn12",
	"curp": "abcdefghijklmnop12", "nino": "DA123456C", "mbi": "1A23-456", "nric": "s1234567d", "in_pan": "ABCD12345F", "aadhaar": "1234 5678 901 2",
	"rrn": "900101 234567", "cpf": "123.456.789.012", "cnpj": "12.345.678/9012-345", "national_id_sentence": "of 111222334 and id=111222333", "national_id_run": "12345678901 1717243200123", "national_id_dated": "211062.562", "national_id_grouped": "1234-56 K-1",
	"national_id_form": "v-1234567 abc(d)", "nhs": "943 476 59190", "sin": "046 454 2866",
	"uk_driving_licence": "morga65705sm9ij3", "aba": "0210 0002 12",
	"url_short_token": "https://example.com/@jane", "dsn_password": "a bypass:x", "password_hash": "cost $5",
	"pgpass": "a:5000:b", "instrumentation_key": "a key: x", "private_key_end": "-- PRIVATE KEY --", "redis_auth": "Auth hunter2", "php_value": `"password" => "x"`,
	"cli_option": "the password x-y - z", "cli_setting": "a reset token", "named_argument": "token, secret", "named_attribute": "password=x", "attribute_named": "password=x",
	"rejected_value": "the value of a password", "named_element": "password < 3 / 4", "named_member": "password: x",
	"form_part": `password="x"`, "cli_secret": "a -force x-y", "cli_mysql": "mysql -u -x", "cli_curl": "curl -x y-u", "cli_user": "x -U a:b -us",
	"oracle_credentials": "connect to //a/b c/@d", "aws_secret_key": "AKIA123456789012345", "cli_password": "mongod logins: -p x, a cli shell 7z-p",
	"powershell_secret": "I use(a), because net x",
	"cli_account":       "network x", "sql_password": "passwords, identified", "kubernetes_secret": "data 1, metadatas: 2",
}

// vectorTexts are the texts of the vectors, by rule.
func vectorTexts(t testing.TB) map[string][]string {
	texts := map[string][]string{}
	for _, v := range loadLines[vector](t, vectorsPath) {
		if len(v.Value) > 0 && v.Value[0] == '"' {
			texts[v.Rule] = append(texts[v.Rule], unescape(string(v.Value[1:len(v.Value)-1])))
		}
	}
	return texts
}

// TestPrefilterExamples: each prefilter wants what its rule's vectors hold, and not a near miss.
func TestPrefilterExamples(t *testing.T) {
	e := loadEngine(t, Options{})
	matches := vectorTexts(t)
	for i, r := range e.rules {
		filter, known := prefilters[r.name]
		if !known {
			continue
		}
		found := 0
		for _, text := range matches[r.name] {
			if len(e.find(nil, r, noKey, text, nil)) == 0 || looksLikeJSON(text) {
				continue
			}
			found++
			if wanted := e.scan.scan(text, noKey); !wanted.has(i) {
				t.Errorf("%s: %q is not wanted", r.name, text)
			}
		}
		if found == 0 {
			t.Errorf("%s: vectors.jsonl has no text in which it hits", r.name)
		}
		miss := nearMisses[r.name]
		if miss == "" && filter.prefixes {
			miss = "x" + witnessesOf(r)[0].text
		}
		if wanted := e.scan.scan(miss, noKey); miss == "" || wanted.has(i) {
			t.Errorf("%s: the near miss %q is wanted", r.name, miss)
		}
	}
}

// unfiltered is the engine that has only what follows from the patterns.
func unfiltered(t testing.TB, opts Options) *Engine {
	e := loadEngine(t, opts)
	e.scan = newScanner(e, nil)
	return e
}

var seed = flag.Uint64("seed", 0, "of the random texts; by default the time")

func chosenSeed(t *testing.T) uint64 {
	chosen := *seed
	if chosen == 0 {
		chosen = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d; again with: go test ./engine -run %s -seed %d", chosen, t.Name(), chosen)
	return chosen
}

// TestPrefiltersMissNothing holds each rule's prefilter to its pattern: what the pattern finds, the
// prefilter must want.
func TestPrefiltersMissNothing(t *testing.T) {
	chosen := chosenSeed(t)
	e, plain := loadEngine(t, Options{}), unfiltered(t, Options{})
	random := rand.New(rand.NewPCG(chosen, 1))
	texts, byRule := testTexts(t), vectorTexts(t)
	rules := slices.Sorted(maps.Keys(byRule))
	hit := map[string]bool{}
	const count = 8_000
	for n := range count {
		text := randomText(random, texts)
		if n%2 == 0 { // each rule as often as any other
			text = randomText(random, byRule[rules[n/2%len(rules)]])
		}
		if looksLikeJSON(text) {
			continue
		}
		filtered, derived := e.scan.scan(text, noKey), plain.scan.scan(text, noKey)
		for i, r := range e.rules {
			if !derived.has(i) { // held to the patterns by TestDerivedConditionsMissNothing
				continue
			}
			did := len(e.find(nil, r, noKey, text, nil)) > 0
			if did {
				hit[r.name] = true
			}
			if did && !filtered.has(i) {
				t.Errorf("rule %s hits in %q, and its prefilter does not want it", r.name, text)
			}
		}
	}
	for name := range prefilters {
		if !hit[name] {
			t.Errorf("rule %s was hit in none of %d texts", name, count)
		}
	}
}

// randomText is a text of the vectors and the corpus, joined with another and with a few characters
// changed, or nothing but random characters.
func randomText(random *rand.Rand, texts []string) string {
	const spare = " -_.:/+@=x\tzXsSACE0159é~%<"
	pick := func() rune { return []rune(spare)[random.IntN(len([]rune(spare)))] }
	text := []rune(texts[random.IntN(len(texts))])
	switch random.IntN(4) {
	case 0:
		text = append(append(text, pick()), []rune(texts[random.IntN(len(texts))])...)
	case 1:
		text = text[:0]
		for range random.IntN(80) {
			text = append(text, pick())
		}
	}
	for range random.IntN(3) {
		if at := random.IntN(len(text) + 1); random.IntN(2) == 0 {
			text = slices.Insert(text, at, pick())
		} else if at < len(text) {
			text[at] = pick()
		}
	}
	return string(text)
}

// editedRules widen shipped rules of each kind of prefilter.
var editedRules = []struct {
	rule         string
	old, changed []string
	text, want   string
}{
	{
		"sin", []string{`[1-9][0-9]{2}-[0-9]{3}-[0-9]{3}'`, `checks: [ca_sin], mask`},
		[]string{`[1-9][0-9]{2}[-/][0-9]{3}[-/][0-9]{3}(?:/[0-9])?'`, `validate: has_digit, mask`},
		"no 146/454/286/7", "no [national_id]",
	},
	{
		"auth_basic", []string{`(?i)basic[ \t]+(`}, []string{`(?i)(?:basic|plain)[ \t]+(`},
		"sent plain amFuZTpzZWNyZXQ= today", "sent plain [authorization] today",
	},
	{
		"webhook_url", []string{`(?:/api/webhooks/|`}, []string{`(?:/api/webhooks/|hook\.example\.net/|`},
		"to hook.example.net/0123456789abcdefghijABCDEFGHIJ", "to hook.example.net/[webhook_url]",
	},
	{
		"wallet_evm", []string{`'0[xX][0-9a-fA-F]{40}'`}, []string{`'(?:0[xX]|xdc)[0-9a-fA-F]{40}'`},
		"to xdc0123456789abcdefABCDEF0123456789abcdefAB", "to [wallet]",
	},
}

// TestEditedRulesAreFound: a prefilter that was written for another text of its rule must not decide.
func TestEditedRulesAreFound(t *testing.T) {
	shipped, err := os.ReadFile(policyPath)
	if err != nil {
		t.Fatal(err)
	}
	for _, edit := range editedRules {
		t.Run(edit.rule, func(t *testing.T) {
			text := string(shipped)
			for i := range edit.old {
				if strings.Count(text, edit.old[i]) != 1 {
					t.Fatalf("the policy holds %q %d times", edit.old[i], strings.Count(text, edit.old[i]))
				}
				text = strings.Replace(text, edit.old[i], edit.changed[i], 1)
			}
			path := filepath.Join(t.TempDir(), "rules.yaml")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			e, err := Load(path, []byte(testKey), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := e.String("", edit.text, nil); got != edit.want {
				t.Errorf("%q became %q, want %q", edit.text, got, edit.want)
			}
			if got := e.Unfiltered(); fmt.Sprint(got) != fmt.Sprint([]string{edit.rule}) {
				t.Errorf("without prefilters: %v", got)
			}
		})
	}
}

// TestContextWordsOfAnyForm: a policy may name context words that no token begins with.
func TestContextWordsOfAnyForm(t *testing.T) {
	shipped, err := os.ReadFile(policyPath)
	if err != nil {
		t.Fatal(err)
	}
	const before = "[passport, passports,"
	for _, word := range []string{"no", "№", "#id", "2fa", "p", "p#", "pass-zz", "x1"} {
		path := filepath.Join(t.TempDir(), "rules.yaml")
		text := strings.Replace(string(shipped), before, `["`+word+`", passport, passports,`, 1)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := Load(path, []byte(testKey), Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{word + " C01X00T47", "12" + word + ": C01X00T47", "C01X00T47 " + word} {
			agree(t, e, "", text)
			if out, _ := e.String("", text, nil); !strings.Contains(out, "[passport]") {
				t.Errorf("%q became %q", text, out)
			}
		}
	}
}
