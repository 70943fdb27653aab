// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "testing"

// TestPrefiltersFitThePolicy: a prefilter that fits no rule is never used.
func TestPrefiltersFitThePolicy(t *testing.T) {
	e := loadEngine(t, Options{})
	rules := map[string]*rule{}
	for _, r := range e.rules {
		rules[r.name] = r
	}
	for name, filter := range prefilters {
		r := rules[name]
		if r == nil {
			t.Errorf("there is no rule %q: remove its prefilter", name)
		} else if r.digest != filter.rule {
			t.Errorf("rule %q has changed: see whether its prefilter still sees every match, then set its digest to %q", name, r.digest)
		}
	}
}
