// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"testing"
)

const (
	policyPath  = "../../../redaction/rules.yaml"
	vectorsPath = "../../../redaction/vectors.jsonl"
	testKey     = "glasshouse-test-key-0123456789abcdef"
)

type vector struct {
	Name     string          `json:"name"`
	Rule     string          `json:"rule"`
	Key      string          `json:"key"`
	Value    json.RawMessage `json:"value"`
	Bytes    *string         `json:"bytes"`
	Expected json.RawMessage `json:"expected"`
}

func loadEngine(t testing.TB, opts Options) *Engine {
	t.Helper()
	e, err := Load(policyPath, []byte(testKey), opts)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func loadLines[T any](t testing.TB, path string) []T {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []T
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var row T
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatalf("%s: %v: %s", path, err, lines.Text())
		}
		rows = append(rows, row)
	}
	return rows
}

// asJSON is a value as the encoder writes it, so that two spellings of one value are equal.
func asJSON(t testing.TB, v any) string {
	t.Helper()
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func (v vector) redact(t testing.TB, e *Engine, in json.RawMessage, hits *Hits) string {
	t.Helper()
	if v.Bytes == nil {
		redacted, err := e.Value(v.Key, in, hits)
		if err != nil {
			t.Fatal(err)
		}
		return respelt(t, redacted)
	}
	var text string
	if err := json.Unmarshal(in, &text); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	redacted, _ := e.Bytes(v.Key, raw, hits)
	return asJSON(t, base64.StdEncoding.EncodeToString(redacted))
}

// respelt is JSON as the encoder writes it: a file may spell a letter by its code.
func respelt(t testing.TB, raw json.RawMessage) string {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return asJSON(t, value)
}

func TestVectors(t *testing.T) {
	e := loadEngine(t, Options{})
	rules := map[string]bool{}
	for _, rule := range e.Rules() {
		rules[rule] = true
	}
	seen := map[string]bool{}
	positive := map[string]bool{}
	for _, v := range loadLines[vector](t, vectorsPath) {
		if seen[v.Name] {
			t.Errorf("%s: the name is used twice", v.Name)
		}
		seen[v.Name] = true
		in := v.Value
		if v.Bytes != nil {
			in = json.RawMessage(asJSON(t, *v.Bytes))
		}
		if !rules[v.Rule] {
			t.Errorf("%s: there is no rule %q", v.Name, v.Rule)
		}
		var hits Hits
		got := v.redact(t, e, in, &hits)
		if want := respelt(t, v.Expected); got != want {
			t.Errorf("%s:\n in   %s\n got  %s want %s", v.Name, in, got, want)
			continue
		}
		stays := respelt(t, in) == got
		if stays != (hits.Total() == 0) {
			t.Errorf("%s: changed is %v, but %d hits were counted", v.Name, !stays, hits.Total())
		}
		if !stays {
			hits.Each(func(rule string, _ int) {
				if rule == v.Rule {
					positive[rule] = true
				}
			})
		}
		var again Hits
		if twice := v.redact(t, e, json.RawMessage(got), &again); twice != got || again.Total() != 0 {
			t.Errorf("%s: redacted twice\n once  %s twice %s", v.Name, got, twice)
		}
	}
	for rule := range rules {
		ofLimits := rule == "unchecked" || rule == "unsettled" // of values too long for a vector: scan_test.go
		if !positive[rule] && !ofLimits {
			t.Errorf("no vector has something that the rule %q finds", rule)
		}
	}
}
