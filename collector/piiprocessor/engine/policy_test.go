// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestBadPolicy changes one line of the real policy; the error must name the file, the line of the
// rule and the rule.
func TestBadPolicy(t *testing.T) {
	good, err := os.ReadFile(policyPath)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, old, with string
		want            []string
	}{
		{"pattern", "pattern: '0[xX][0-9a-fA-F]{40}'", "pattern: '0[xX'", []string{`rule "wallet_evm"`, "pattern: at character 2: a [ without its ]"}},
		{"anchor", "pattern: '0[xX][0-9a-fA-F]{40}'", `pattern: '\b0x'`, []string{`rule "wallet_evm"`, "use not_preceded_by"}},
		{"validator", "validate: mac", "validate: mack", []string{`rule "mac"`, `unknown validator "mack"`}},
		{"field", "validate: mac", "validat: mac", []string{`unknown field "validat"`}},
		{"trigger", "validate: mac", "validate: mac\n    triggers: [{stars: 3}]", []string{`unknown trigger class "stars"`}},
		{"version", "version: 1", "version: 2", []string{"version is 2"}},
		{"checks", "checks: [us_aba]", "checks: [us_abba]", []string{`rule "aba"`, `unknown check "us_abba"`}},
		{"length of a check", "name: us_aba, length: 9", "name: us_aba, length: 99", []string{`check "us_aba"`, "length: must be 2 to 32"}},
		{"field of a check", "name: us_aba, length: 9", "name: us_aba, size: 9", []string{`check "us_aba"`, `unknown field "size"`}},
		{"check without its length", "name: us_aba, length: 9,", "name: us_aba,", []string{`check "us_aba"`, "length: must be 2 to 32"}},
		{"groups of a check", "groups: [[9, 1]]", "groups: [[9, 2]]", []string{`check "ec_ci"`, "groups: each must be as long as the number"}},
		{"scheme", "name: ca_sin, length: 9, scheme: luhn", "name: ca_sin, length: 9, scheme: lune", []string{`check "ca_sin"`, `unknown scheme "lune"`}},
		{"check of nothing", "name: ca_sin, length: 9, scheme: luhn", "name: ca_sin, length: 9", []string{`check "ca_sin"`, "checks nothing"}},
		{"remainders", "check: 'TRWAGMYFPDXBNJZSQVHLCKE'}], letters", "check: 'TRWAG'}], letters", []string{`check "es_dni"`, "a character for each of 23"}},
		{"date", "date: yymmdd, years: [20, 99]", "date: yymd, years: [20, 99]", []string{`check "pl_pesel"`, "as in .yymmdd"}},
		{"years", "date: yymmdd, years: [20, 99]", "date: yymmdd, years: [20]", []string{`check "pl_pesel"`, "years: must be the first and the last"}},
		{"twice", "name: ca_sin,", "name: us_aba,", []string{`check "us_aba"`, "used twice"}},
		{"word", "[passportnumber,", "[Passportnumber,", []string{`rule "passport_number"`, "is not lower-case"}},
		{"limit too small", "max_passes: 4", "max_passes: 1", []string{":{line}: limits: max_passes is \"1\", must be a whole number from 2 to 16"}},
		{"limit of words", "max_bytes: 1048576", "max_bytes: 1 MiB", []string{":{line}: limits: max_bytes is \"1 MiB\", must be"}},
		{"limit unknown", "max_passes: 4", "max_pases: 4", []string{`:{line}: limits: unknown field "max_pases"`}},
		{"limit missing", "  context_after: 32 #", "  #", []string{": limits: context_after is missing"}},
		{"limit twice", "context_after: 32", "context_before: 32", []string{":{line}: limits: context_before is there twice"}},
		{"key", "suffix: [cookie, set_cookie", "suffix: [Cookie, set_cookie", []string{`key rule "cookie"`, `write "cookie"`}},
		{"rows without a rule", "builtin: vendor_tokens", "builtin: pairs", []string{"vendor_tokens: no rule looks for them"}},
		{"no rules", "\nrules:", "\nrulez:", []string{"has no rules"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := string(good)
			at := strings.Index(text, c.old)
			if at < 0 {
				t.Fatalf("the policy no longer holds %q", c.old)
			}
			path := filepath.Join(t.TempDir(), "rules.yaml")
			if err := os.WriteFile(path, []byte(text[:at]+c.with+text[at+len(c.old):]), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Load(path, []byte(testKey), Options{})
			if err == nil {
				t.Fatal("loaded")
			}
			line := strconv.Itoa(1 + strings.Count(text[:at], "\n"))
			for _, want := range append(c.want, path) {
				want = strings.ReplaceAll(want, "{line}", line)
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if (strings.Contains(c.want[0], "rule ") || strings.Contains(c.want[0], "check ")) && !strings.Contains(err.Error(), path+":") {
				t.Errorf("%q names no line", err)
			}
		})
	}
}

// TestRenamedFields: a policy of an earlier version says what to write now.
func TestRenamedFields(t *testing.T) {
	good, err := os.ReadFile(policyPath)
	if err != nil {
		t.Fatal(err)
	}
	for old, now := range map[string]string{
		"weak": "require_digit_in_prose", "loose": "suppress_on_id_keys", "near": "context_words", "before": "not_preceded_by",
		"before_digit": "not_preceded_by_digit_and", "after": "not_followed_by", "after_digit": "not_followed_by_and_digit", "as": "replacement",
	} {
		path := filepath.Join(t.TempDir(), "rules.yaml")
		if err := os.WriteFile(path, []byte(strings.Replace(string(good), " "+now+":", " "+old+":", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path, []byte(testKey), Options{})
		if want := `the field "` + old + `" is now called "` + now + `"`; err == nil || !strings.HasSuffix(err.Error(), want) || !strings.HasPrefix(err.Error(), "policy "+path+":") {
			t.Errorf("%s: %v", old, err)
		} else if strings.Contains(err.Error(), `rule ""`) {
			t.Errorf("%s: %v names no rule", old, err)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	if _, err := Load(policyPath, []byte("short"), Options{}); err == nil || !strings.Contains(err.Error(), "at least 16") {
		t.Errorf("a short key: %v", err)
	}
	if _, err := Load("nowhere.yaml", []byte(testKey), Options{}); err == nil || !strings.Contains(err.Error(), "nowhere.yaml") {
		t.Errorf("no file: %v", err)
	}
	if _, err := Load(policyPath, []byte(testKey), Options{Disable: []string{"emial"}}); err == nil || !strings.Contains(err.Error(), `"emial"`) {
		t.Errorf("an unknown entity: %v", err)
	}
}

func TestSwitches(t *testing.T) {
	const text = "jane@example.com from 10.0.0.1"
	for name, c := range map[string]struct {
		opts Options
		want string
	}{
		"default":     {Options{}, "[email:c9d80746e7cbb19a] from 10.0.0.1"},
		"private too": {Options{MaskPrivateIPs: true}, "[email:c9d80746e7cbb19a] from [ip:10.0.0.*]"},
		"entity off":  {Options{Disable: []string{"email"}}, text},
	} {
		e := loadEngine(t, c.opts)
		if got, _ := e.String("", text, nil); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
