// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"math/rand/v2"
	"regexp"
	"testing"
)

// TestEmailsAreFoundAsThePatternsMean holds the search by hand to the patterns that it stands for.
func TestEmailsAreFoundAsThePatternsMean(t *testing.T) {
	pieces := []string{
		"jane", "@", "example.com", ".", "..", "<", ">", `"`, `\"`, "{x}", "!", "é", "ü@", "@[192.0.2.1]", "[IPv6:", "]", "-", "_", " ", "a@b",
		"@localhost", "\xff", "0123456789012345678901234567890123456789", "Foo@6d06d69c", "::", "\n", "x.y.z",
	}
	random := rand.New(rand.NewPCG(7, 8))
	for pattern, find := range emailFinders {
		compiled := regexp.MustCompile(pattern)
		for range 20_000 {
			text := ""
			for range 1 + random.IntN(8) {
				text += pieces[random.IntN(len(pieces))]
			}
			for pos := 0; pos < len(text); {
				want := span{}
				if m := compiled.FindStringSubmatchIndex(text[pos:]); m != nil {
					want = span{pos + m[0], pos + m[1], pos + m[0], pos + m[1], true}
					for g := 2; g < len(m); g += 2 {
						if m[g] >= 0 {
							want.start, want.end = pos+m[g], pos+m[g+1]
						}
					}
				}
				got := find(text, pos)
				if got != want {
					t.Fatalf("%q from %d: %v, the pattern %v", text, pos, got, want)
				}
				if !got.ok {
					break
				}
				pos = got.matchEnd
			}
		}
	}
}
