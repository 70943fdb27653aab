// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "strings"

// genericScan is what `triggers` in the policy mean. The engine uses it for rules that scan.go
// knows nothing of, and tests hold scan.go to it.
func genericScan(r *rule, s string, f *features) bool {
	for _, t := range r.triggers {
		hit := false
		switch t.class {
		case "digits":
			hit = f.digits >= t.count
		case "colons":
			hit = f.colons >= t.count
		case "dashes":
			hit = f.dashes >= t.count
		case "dots":
			hit = f.dots >= t.count
		case "word":
			hit = f.longest >= t.count
		default:
			hit = strings.Contains(s, t.literal)
		}
		if hit {
			return true
		}
	}
	return false
}
