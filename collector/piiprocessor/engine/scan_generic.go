// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "strings"

// genericScan asks for what a rule needs, in the whole text. The engine uses it for rules of which the
// pass sees nothing, and tests hold the pass to it.
func genericScan(r *rule, s string, counts *[countedKinds]int) bool {
	if !r.needs.metBy(counts) {
		return false
	}
	if reached(r.needs.anyOf, counts) {
		return true
	}
	for _, one := range r.needs.anyOf {
		if one.text != "" && one.isIn(s) {
			return true
		}
	}
	return false
}

// reached reports whether one of the counts is reached, or nothing is asked.
func reached(anyOf []need, counts *[countedKinds]int) bool {
	for _, one := range anyOf {
		if one.text == "" && counts[one.kind] >= one.least {
			return true
		}
	}
	return len(anyOf) == 0
}

func (n need) isIn(s string) bool {
	if !n.folded {
		return strings.Contains(s, n.text)
	}
	for i := 0; i+len(n.text) <= len(s); i++ {
		if equalFoldASCII(s[i:i+len(n.text)], n.text) {
			return true
		}
	}
	return false
}
