// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "strings"

// edit puts mask in the place of s[start:end].
type edit struct {
	start, end int
	mask       string
}

// spliced returns the text with all edits made; they stand in order and do not overlap.
func spliced(s string, edits []edit) string {
	var out strings.Builder
	kept := 0
	for _, one := range edits {
		out.WriteString(s[kept:one.start])
		out.WriteString(one.mask)
		kept = one.end
	}
	out.WriteString(s[kept:])
	return out.String()
}
