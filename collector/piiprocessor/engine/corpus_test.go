// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"testing"
)

// TestCorpus holds the bars of the labelled texts; what has no bar is printed by -v.
func TestCorpus(t *testing.T) {
	e := loadEngine(t, Options{})
	type figure struct{ good, all int }
	gates, table := map[string]figure{}, map[string]figure{}
	everything := map[string]bool{"CREDIT_CARD": true, "IBAN": true}
	for _, row := range loadLines[corpusRow](t, corpusPath) {
		out, changed := e.String("", row.Text, nil)
		good := !changed
		if len(row.Values) > 0 {
			good = true
			for _, value := range row.Values {
				good = good && !strings.Contains(out, value)
			}
		}
		for where, key := range map[*map[string]figure]string{&gates: row.Gate, &table: row.Gate + " " + row.Entity} {
			f := (*where)[key]
			f.all++
			if good {
				f.good++
			}
			(*where)[key] = f
		}
		if !good && (row.Gate == "must_survive" || row.Gate == "should_survive" || (row.Gate == "must_redact" && everything[row.Entity])) {
			t.Errorf("%s %s: %q became %q", row.Gate, row.Entity, row.Text, out)
		}
	}
	for gate, bar := range map[string]float64{"must_redact": 0.99, "must_survive": 1, "should_survive": 0.98} {
		if f := gates[gate]; f.all == 0 || float64(f.good) < bar*float64(f.all) {
			t.Errorf("%s: %d of %d, the bar is %v", gate, f.good, f.all, bar)
		}
	}
	for key, f := range table {
		t.Logf("%-32s %d of %d", key, f.good, f.all)
	}
}
