// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
	"unicode/utf8"
)

// slowest bounds the time for one fuzzed input, which is short; the machine may be busy.
const slowest = 2 * time.Second

// growth bounds the output: a hit has at least one byte, and the longest mask of the policy 40.
const growth = 48

// FuzzString: no panic, no waiting, bounded output, the same when redacted twice, and the same as
// with every rule tried.
func FuzzString(f *testing.F) {
	e := loadEngine(f, Options{})
	for _, text := range testTexts(f) {
		f.Add("", text)
	}
	for _, unit := range worstTexts {
		f.Add("customer.phone", unit+unit+unit)
	}
	f.Fuzz(func(t *testing.T, key, s string) {
		if len(s) > 4096 || len(key) > 256 {
			return
		}
		start := time.Now()
		out, changed := e.String(key, s, nil)
		if took := time.Since(start); took > slowest {
			t.Fatalf("%q took %v", s, took)
		}
		if !changed && out != s {
			t.Fatalf("%q became %q and was called unchanged", s, out)
		}
		if len(out) > (len(s)+1)*growth {
			t.Fatalf("%q grew to %d bytes", s, len(out))
		}
		if again, changed := e.String(key, out, nil); changed || again != out {
			t.Fatalf("%q once %q twice %q", s, out, again)
		}
		if k := e.lookup(key); k.secret == nil && !k.user {
			agree(t, e, key, s)
		}
	})
}

// FuzzJSON: what was JSON is still JSON, and what was not changed is byte for byte the same.
func FuzzJSON(f *testing.F) {
	e := loadEngine(f, Options{})
	f.Add(`{"a":[1,{"password":"x"}],"b":"jane\u0040example.com"}`)
	f.Add(`[4111111111111111, -1e5, null, "\ud83d\ude00"]`)
	for unit := range worstTexts {
		f.Add(`{"` + unit + `":"x"}`)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) || len(s) > 4096 || !looksLikeJSON(s) {
			return
		}
		out, _, walked := e.json(s, nil, 0)
		if valid := json.Valid([]byte(s)); walked && !valid {
			t.Fatalf("walked what is no JSON: %q", s)
		} else if !walked && valid {
			var deep any
			if err := json.NewDecoder(bytes.NewReader([]byte(s))).Decode(&deep); err == nil && depth(deep) <= e.limits.maxJSONDepth {
				t.Fatalf("did not walk %q", s)
			}
		}
		if walked && !json.Valid([]byte(out)) {
			t.Fatalf("%q became %q", s, out)
		}
		if again, _, _ := e.json(out, nil, 0); walked && again != out {
			t.Fatalf("%q once %q twice %q", s, out, again)
		}
	})
}

func depth(v any) int {
	deepest := 0
	switch v := v.(type) {
	case map[string]any:
		for _, item := range v {
			deepest = max(deepest, depth(item))
		}
		return deepest + 1
	case []any:
		for _, item := range v {
			deepest = max(deepest, depth(item))
		}
		return deepest + 1
	}
	return 0
}

// FuzzBytes: no panic, and the same when redacted twice.
func FuzzBytes(f *testing.F) {
	e := loadEngine(f, Options{})
	f.Add([]byte("\xff\x00jane@example.com\xfe"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4096 {
			return
		}
		out, _ := e.Bytes("", b, nil)
		if again, changed := e.Bytes("", out, nil); changed || !bytes.Equal(again, out) {
			t.Fatalf("%q once %q twice %q", b, out, again)
		}
	})
}
