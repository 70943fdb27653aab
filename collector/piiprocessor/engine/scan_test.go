// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// exhaustive is the engine without any triggers: every rule is tried on every text.
func exhaustive(e *Engine, k *keyInfo, s string) string {
	for range e.limits.maxPasses {
		changed := false
		for _, r := range e.rules {
			if r.skips(k, s) {
				continue
			}
			var seen view
			seen.of(s)
			if edits := e.find(nil, r, k, seen.text, nil); len(edits) > 0 {
				if r.pairs {
					edits = seen.unbroken(edits)
				}
				seen.back(edits)
				s, changed = spliced(s, edits), true
			}
		}
		if !changed {
			break
		}
	}
	return s
}

// agree holds the engine, which tries only what its scan wants, to the one that tries everything.
func agree(t testing.TB, e *Engine, key, s string) {
	t.Helper()
	if looksLikeJSON(s) || len(s) > e.limits.maxBytes {
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

// TestDerivedConditionsMissNothing: a policy without a single prefilter finds what every rule finds.
func TestDerivedConditionsMissNothing(t *testing.T) {
	e := unfiltered(t, Options{})
	for _, text := range joined(testTexts(t)) {
		agree(t, e, "", text)
	}
	chosen := chosenSeed(t)
	random := rand.New(rand.NewPCG(chosen, 2))
	texts := testTexts(t)
	for range 3_000 {
		agree(t, e, "customer.phone", randomText(random, texts))
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

// idSeeds are texts of the rules that scan.go looks for by hand rather than by a count.
var idSeeds = []string{
	"id 12345678Z or 1234567-L", "X1234567L", "(y0123456-w)", "12345678-z.", "AB 12 34 56 C", "ab123456c", "TN1234 56 d", "S1234567D",
	"cvv2: 123", "xCVC2=1234", "cvv 123", "security code is 123", "Security Code: 1234", "credit card 6250-9412 3456 7890", "cc 123456789012",
	"visa 4000 0566 5566 5556", "0b6f1f4e-3cc7-4a63-9a5c-6f1f0f6f2d11", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "xSKab AC12", "a.sk-key-1",
}

// TestScanMissesNothingNearby changes single characters of ids, where a test by hand would be too
// sharp if it were wrong.
func TestScanMissesNothingNearby(t *testing.T) {
	e := loadEngine(t, Options{})
	random := rand.New(rand.NewPCG(1, 2))
	const spare = " -_.:+xzAC09é"
	for range 8_000 {
		text := []rune(idSeeds[random.IntN(len(idSeeds))])
		for range random.IntN(4) {
			at, c := random.IntN(len(text)), []rune(spare)[random.IntN(len([]rune(spare)))]
			switch random.IntN(3) {
			case 0:
				text[at] = c
			case 1:
				text = slices.Insert(text, at, c)
			case 2:
				text = slices.Delete(text, at, at+1)
			}
		}
		agree(t, e, "", string(text))
	}
}

// TestIdsAreNotWorthALook: ids that services make up by chance are most of what a log holds, and a
// rule that is tried on them costs more than the whole scan.
func TestIdsAreNotWorthALook(t *testing.T) {
	e := loadEngine(t, Options{})
	random := rand.New(rand.NewPCG(3, 4))
	const texts, most = 5_000, 150 // one rule in a hundred ids
	tried := map[string]int{}
	sum := 0
	for range texts {
		high, low := random.Uint64(), random.Uint64()
		id := fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", high>>32, high>>16&0xffff, high&0xfff, low>>48&0xfff, low&0xffffffffffff)
		for _, text := range []string{
			id, fmt.Sprintf("%016x%016x", high, low), "HTTP request GET /payments/" + id + " returned 200 in 12 ms",
		} {
			wanted := e.scan.scan(text, noKey)
			for i, r := range e.rules {
				if wanted.has(i) {
					tried[r.name]++
					sum++
				}
			}
		}
	}
	if sum > most {
		t.Errorf("%d rules tried on %d ids: %v", sum, 3*texts, tried)
	}
}
