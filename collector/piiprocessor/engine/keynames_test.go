// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestWordsOfNames(t *testing.T) {
	for name, want := range map[string]string{
		"http.request.header.X-APIKey": "http_request_header_x_api_key",
		"userIDs":                      "user_ids",
		"APIs":                         "apis",
		"IDsOfUsers":                   "ids_of_users",
		"password1":                    "password_1",
		"oauth2Token":                  "oauth_2_token",
		"ABCdef":                       "ab_cdef",
		"__Secure-sid__":               "secure_sid",
		"Contraseña":                   "contrasena",
		"contrasen\u0303a":             "contrasena",
		"MATKHẨU":                      "matkhau",
		"ПарольБД":                     "пароль_бд",
		"pass\u200bword":               "password",
		"ｐａｓｓＷｏｒｄ２":                    "pass_word_2",
		"a×b\u00a0c—d\ufffde\xfff":     "a_b_c_d_e_f",
		"密码":                           "密码",
		"":                             "",
		"--":                           "",
	} {
		if got := normalise(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
		if got := normalise(want); got != want {
			t.Errorf("%q is no fixed point: %q", want, got)
		}
		if len(normalise(name)) > 2*len(name) {
			t.Errorf("%q grows to more than twice its size", name)
		}
	}
}

// TestScanMissesNoName writes every entry of the policy in many spellings before a separator: the
// pass over a text must see each that the key rules know.
func TestScanMissesNoName(t *testing.T) {
	e := loadEngine(t, Options{})
	if e.scan.names.always != 0 {
		t.Error("an entry is too short for the scan to look for: every text with a separator is searched")
	}
	random := rand.New(rand.NewPCG(5, 6))
	found := 0
	for _, r := range e.keys {
		for i := range r.entries {
			words := r.entries[i].words()
			for range 12 {
				name := spelled(random, words)
				text := []string{"", "x ", "?", "a=1&", "é"}[random.IntN(5)] + name + "=tulip77tulip77tulip77"
				if known := e.nameBefore(text, strings.LastIndexByte(text, '='), false); known.rule == nil {
					continue
				}
				found++
				if wanted := e.scan.scan(text, noKey); !wanted.has(e.scan.pairs) {
					t.Fatalf("%q: the name is known, and the scan does not see it", text)
				}
			}
		}
	}
	if found < 5_000 {
		t.Errorf("only %d names were known", found)
	}
}

// spelled joins words in one of the ways that names are written in.
func spelled(random *rand.Rand, words []string) string {
	style := random.IntN(5)
	var name strings.Builder
	name.WriteString([]string{"", "", "my_", "db", "X-"}[random.IntN(5)])
	for i, word := range words {
		switch {
		case i > 0 && style == 0:
			name.WriteString("_")
		case i > 0 && style == 1:
			name.WriteString(".")
		case i > 0 && style == 2 && random.IntN(2) == 0:
			name.WriteString("-")
		case style == 3 && word[0] < 0x80:
			word = strings.ToUpper(word[:1]) + word[1:]
		case style == 4:
			word = strings.ToUpper(word)
		}
		name.WriteString(word)
	}
	name.WriteString([]string{"", "", "s", "S", "2", "_value", "_old", "Raw"}[random.IntN(8)])
	return name.String()
}

// words are those of the entry.
func (entry *nameEntry) words() []string {
	var words []string
	from := 0
	for k := 1; k < len(entry.letters); k++ {
		if entry.joints&(1<<k) != 0 {
			words, from = append(words, entry.letters[from:k]), k
		}
	}
	return append(words, entry.letters[from:])
}
