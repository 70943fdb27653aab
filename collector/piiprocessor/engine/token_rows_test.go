// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const goodRow = `  - {vendor: acme, prefix: acme_, length: 40, alphabet: alnum, docs: "https://example.com"}`

// withRow is the shipped policy with one more row at the end of the table.
func withRow(t *testing.T, row string) string {
	t.Helper()
	text, err := os.ReadFile(policyPath)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, append(text, row+"\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestOneRowIsEnough: a new vendor needs no code.
func TestOneRowIsEnough(t *testing.T) {
	e, err := Load(withRow(t, goodRow), []byte(testKey), Options{})
	if err != nil {
		t.Fatal(err)
	}
	const token = "acme_0123456789abcdefghijABCDEFGHIJ0123456789"
	for text, want := range map[string]string{
		"with " + token + " sent":    "with [acme_token] sent",
		"with " + token + "0 sent":   "with " + token + "0 sent",
		"with x" + token + " sent":   "with x" + token + " sent",
		"with " + token[:44] + " se": "with " + token[:44] + " se",
	} {
		if got, _ := e.String("", text, nil); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
	for _, off := range []string{"acme", "acme_token", "token", "vendor_tokens"} {
		e, err := Load(withRow(t, goodRow), []byte(testKey), Options{Disable: []string{off}})
		if err != nil {
			t.Fatal(err)
		}
		if got, changed := e.String("", "with "+token+" sent", nil); changed {
			t.Errorf("%s disabled, yet %q", off, got)
		}
	}
}

// TestBadTokenRows: one line with file, line and vendor.
func TestBadTokenRows(t *testing.T) {
	for _, c := range []struct{ old, with, want string }{
		{", length: 40", "", "needs length, alphabet and docs"},
		{", alphabet: alnum", "", "needs length, alphabet and docs"},
		{`, docs: "https://example.com"`, "", "needs length, alphabet and docs"},
		{"length: 40", "length: forty", `"forty" is neither a number`},
		{"length: 40", "length: 40-20", `"40-20" is not between`},
		{"alphabet: alnum", "alphabet: alnums", `unknown alphabet "alnums": use alnum,`},
		{"alphabet: alnum", "alphabet: uuid", "a uuid has 36 characters"},
		{"prefix: acme_", "prefixes: acme_", `unknown field "prefixes"`},
		{"prefix: acme_, ", "", "needs prefix, or beside"},
		{"prefix: acme_", "prefix: a", `"a" is too short to be believed alone`},
		{"prefix: acme_, length: 40", "prefix: ac, length: 20", `"ac" is too short to be believed alone`},
		{"length: 40", "length: 4", "a token of 9 characters is too short"},
		{"prefix: acme_", "prefix: -acme", "does not begin with a letter or digit"},
		{"prefix: acme_", "prefix: acme, lead: 4 hex", "needs a character that is no letter or digit"},
		{"prefix: acme_", "prefix: acme_, lead: 4 hexa", `lead: unknown alphabet "hexa"`},
		{"prefix: acme_", "prefix: acme_, then: '.{8 hex'", "has no }"},
		{"prefix: acme_", "prefix: acme_, then: '.{8 hexa}'", `then: unknown alphabet "hexa"`},
		{"length: 40", "length: 40-50, then: 'x{8 hex}'", `then: the run before "x" takes its first character`},
		{"prefix: acme_", "prefix: acme_, needs: luck", `needs: unknown "luck"`},
		{"prefix: acme_", "prefix: acme_, beside: Acme", `beside: "Acme" is not a lower-case word`},
		{"prefix: acme_", "prefix: acme_, beside: acme, keeps_prefix: true", "do not go with beside"},
		{"vendor: acme", "vendor: Acme", "vendor and mask must match"},
	} {
		path := withRow(t, strings.Replace(goodRow, c.old, c.with, 1))
		_, err := Load(path, []byte(testKey), Options{})
		if err == nil {
			t.Errorf("%s: loaded", c.with)
			continue
		}
		for _, want := range []string{"policy " + path + ":", `vendor token "`, c.want} {
			if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q does not say %q", err, want)
			}
		}
	}
}

// randomToken is a token of the row's form, and the same with a last run that is one character short.
func randomToken(random *rand.Rand, r *tokenRow) (token, short string) {
	piece := func(p *tokenPart, n int) string {
		const hex = "0123456789abcdef"
		if p.uuid {
			one := make([]byte, uuidLength)
			for i := range one {
				one[i] = hex[random.IntN(len(hex))]
			}
			for _, at := range []int{8, 13, 18, 23} {
				one[at] = '-'
			}
			return string(one[:n])
		}
		if p.alphabet == nil {
			return p.literal
		}
		var plain []byte
		for c := range byte(128) {
			if p.alphabet.has(c) {
				plain = append(plain, c)
			}
		}
		one := make([]byte, n)
		for i := range one {
			for one[i] = plain[random.IntN(len(plain))]; (i == 0 || i == n-1) && !isAlnum(one[i]); {
				one[i] = plain[random.IntN(len(plain))]
			}
		}
		return string(one)
	}
	length := func(p *tokenPart) int {
		if p.uuid {
			return uuidLength
		}
		return p.min + random.IntN(min(p.max-p.min, 9)+1)
	}
	lead, prefix, rest := "", "", ""
	if r.lead.alphabet != nil {
		lead = piece(&r.lead, length(&r.lead))
	}
	if len(r.prefixes) > 0 {
		prefix = r.prefixes[random.IntN(len(r.prefixes))]
	}
	for !r.needs.holds(rest) || rest == "" {
		rest = ""
		for i := range r.parts {
			p := &r.parts[i]
			n := length(p)
			if i < len(r.parts)-1 {
				rest += piece(p, n)
				continue
			}
			one := piece(p, n)
			least := max(p.min, len(p.literal))
			if p.uuid {
				least = uuidLength
			}
			if least > 0 {
				short = lead + prefix + rest + one[:least-1]
			}
			rest += one
		}
		if rest == "" {
			break
		}
	}
	return lead + prefix + rest, short
}

// TestEveryTokenRow makes tokens of each row's form: they are found wherever texts have them, and
// what is one character short is not found by that row.
func TestEveryTokenRow(t *testing.T) {
	chosen := *seed
	if chosen == 0 {
		chosen = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d; again with: go test ./engine -run TestEveryTokenRow -seed %d", chosen, chosen)
	random := rand.New(rand.NewPCG(chosen, 2))
	e := loadEngine(t, Options{})
	all := e.tokenRows
	for _, r := range all {
		for range 5 {
			token, short := randomToken(random, r)
			secret := token
			for _, prefix := range r.prefixes {
				if _, rest, has := strings.Cut(token, prefix); has && r.keepsPrefix {
					secret = rest
				}
			}
			for _, form := range tokenForms {
				text := strings.ReplaceAll(form, "V", token)
				if len(r.words) > 0 {
					text = r.words[random.IntN(len(r.words))] + "_token=" + token
				}
				if out, _ := e.String("", text, nil); strings.Contains(out, secret) {
					t.Errorf("%s: %q became %q", r.masked, text, out)
				}
			}
			if len(r.words) > 0 {
				for _, form := range besideForms {
					text := strings.NewReplacer("W", r.words[0], "V", token).Replace(form)
					if found := e.findTokens(nil, text, nil); len(found) == 0 {
						t.Errorf("%s: nothing is found in %q", r.masked, text)
					}
				}
			}
			alone := loneRow(e, r)
			if text := "sent " + short + " twice"; short != "" && len(alone.findTokens(nil, text, nil)) > 0 {
				t.Errorf("%s: %q is too short", r.masked, text)
			}
			found := alone.findTokens(nil, "x"+token, nil)
			if r.lead.alphabet == nil && len(found) > 0 && found[0].start == 1 {
				t.Errorf("%s: %q begins within a word", r.masked, "x"+token)
			}
			if text := "sent " + token; len(r.words) > 0 && len(alone.findTokens(nil, text, nil)) > 0 {
				t.Errorf("%s: %q is beside no word", r.masked, text)
			}
		}
	}
}

var tokenForms = []string{
	"V", "upstream said no to V (401)", `"V"`, "'V'", "key=V", "key:V", `{"k": "V"}`, "https://example.com/a?k=V&x=1", "a=V;", "(V)", "V.", "V, then", "`V`", "x\tV\n",
}

// besideForms are what names a vendor's token.
var besideForms = []string{
	"W_token=V", `W_TOKEN = "V"`, "W-api-key: V", `"WToken" => "V"`, `var WToken string = "V"`, `WToken := "V"`, `setProperty("W_TOKEN", "V")`, "W token - 'V'",
	"<WToken>\n    V\n</WToken>", "W_TOKEN ?= `V`",
}

// loneRow is an engine that knows one row.
func loneRow(e *Engine, r *tokenRow) *Engine {
	lone := &Engine{rules: e.rules, names: e.names, masks: e.masks, tokenRows: []*tokenRow{r}}
	lone.scan = newScanner(lone, prefilters)
	return lone
}

// TestTokenNames: what looks like an id is a token only under a name of one.
func TestTokenNames(t *testing.T) {
	e := loadEngine(t, Options{})
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	for text, found := range map[string]bool{
		"fastly_key=" + id: true, "facebook secret: " + id: true, "facebook: " + id: false, "facebook trace_id=" + id: false,
		"facebook token_id=" + id: false, "linear commit: " + id: false, "myfacebook_token=" + id: false,
	} {
		if got := len(e.findTokens(nil, text, nil)) > 0; got != found {
			t.Errorf("%q: found %t", text, got)
		}
	}
	if names := e.Rules(); !slices.Contains(names, "github_token") || slices.Contains(names, "vendor_tokens") {
		t.Errorf("hits are counted under %v", names)
	}
}
