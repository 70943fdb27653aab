// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"math/rand/v2"
	"testing"
)

// timeSeeds have each form of timePattern.
var timeSeeds = []string{
	"2026-11-25T06:12:49.123456Z", "2026/11/25 06:12", "2005-06-03-15.42.50.363779", "20261125T061249,5+0100", "17/May/2015:10:05:40 +0000",
	"Nov 25 06:12:49 2026", "I1125 06:12:49.123456    7", "1125/061249.123:", "25.11.26 06:12:49", "6:12:49", "2026.11.25", "1/1/2026", "25-11-1999",
	"0b6f1f4e-3c57-4a63-9a5c-6f1f0f6f2d11",
}

// TestMayHoldTimeMissesNothing changes single characters of times.
func TestMayHoldTimeMissesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	const spare = "0129:-/. T_fZ"
	times := 0
	for range 20_000 {
		text := []byte(timeSeeds[random.IntN(len(timeSeeds))])
		for range random.IntN(4) {
			text[random.IntN(len(text))] = spare[random.IntN(len(spare))]
		}
		if timePattern.Match(text) {
			times++
			if !mayHoldTime(string(text)) {
				t.Fatalf("%q holds a time", text)
			}
		}
	}
	if times < 5_000 {
		t.Errorf("only %d of the texts hold a time", times)
	}
}
