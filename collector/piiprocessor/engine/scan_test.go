package engine

import (
	"strings"
	"testing"
)

// exhaustive is the engine without any triggers: every rule is tried on every text.
func exhaustive(e *Engine, k *keyInfo, s string) string {
	for range e.limits.MaxPasses {
		changed := false
		for _, r := range e.rules {
			if r.loose && k.exempt {
				continue
			}
			if out, did := e.apply(r, k, s, nil); did {
				s, changed = out, true
			}
		}
		if !changed {
			return s
		}
	}
	return unsettled
}

// agree holds the engine, which tries only what its scan wants, to the one that tries everything.
func agree(t testing.TB, e *Engine, key, s string) {
	t.Helper()
	if looksLikeJSON(s) || len(s) > e.limits.MaxBytes {
		return
	}
	k := e.lookup(key)
	got, _ := e.text(k, s, nil, 0)
	if want := exhaustive(e, k, s); got != want {
		t.Errorf("key %q, text %q:\n scanned    %q\n exhaustive %q", key, s, got, want)
	}
}

type corpusRow struct {
	Text   string   `json:"text"`
	Values []string `json:"values"`
	Entity string   `json:"entity"`
	Gate   string   `json:"gate"`
	Key    string   `json:"key"`
}

const corpusPath = "../../../tests/data/redaction-corpus.jsonl"

func TestScanMissesNothing(t *testing.T) {
	for _, opts := range []Options{{}, {MaskPrivateIPs: true}} {
		e := loadEngine(t, opts)
		for _, text := range joined(testTexts(t)) {
			agree(t, e, "", text)
			agree(t, e, "customer.phone", text)
		}
	}
}

// testTexts are all texts of the vectors and the corpus.
func testTexts(t testing.TB) []string {
	var texts []string
	for _, v := range loadLines[vector](t, vectorsPath) {
		if len(v.Value) > 0 && v.Value[0] == '"' {
			texts = append(texts, unescape(string(v.Value[1:len(v.Value)-1])))
		}
	}
	for _, row := range loadLines[corpusRow](t, corpusPath) {
		texts = append(texts, row.Text)
	}
	return texts
}

// joined adds each text joined with another, and in upper case.
func joined(texts []string) []string {
	for i, n := 0, len(texts); i+1 < n; i++ {
		texts = append(texts, texts[i]+[]string{" ", ", ", "-", "_", "x", "1", ":", "="}[i%8]+texts[(i*7+1)%n])
		texts = append(texts, strings.ToUpper(texts[i]))
	}
	return texts
}
