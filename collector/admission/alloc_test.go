// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import "testing"

// batchAllocations is what a batch may allocate, of any number of records.
const batchAllocations = 12

func TestAnOrdinaryRecordAllocatesNothing(t *testing.T) {
	config := free()
	allocations := map[string]float64{}
	allocations[signalLogs] = allocationsOf(t, ordinaryLogs(), logs, config, config.Logs.part())
	allocations[signalTraces] = allocationsOf(t, ordinaryTraces(), traces, config, config.Traces.part())
	allocations[signalMetrics] = allocationsOf(t, ordinaryMetrics(), metrics, config, config.Metrics.part())
	for signal, n := range allocations {
		if n == 0 || n > batchAllocations {
			t.Errorf("%s: a batch of %d records allocates %.0f times", signal, batchRecords, n)
		}
	}
}

func allocationsOf[B any, R resource](t *testing.T, data B, one signal[B, R], config *Config, own part) float64 {
	p, err := newAdmission(settings(), config, one, own)
	must(t, err)
	return testing.AllocsPerRun(20, func() {
		if _, err := p.process(t.Context(), data); err != nil {
			t.Error(err)
		}
	})
}
