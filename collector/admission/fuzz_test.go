// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"math/rand/v2"
	"testing"
)

// Whatever decodes as OTLP must not break a check, must come out acceptable, and must pass a second
// time as it is.

func FuzzLogs(f *testing.F)    { fuzz(f, signalLogs) }
func FuzzTraces(f *testing.F)  { fuzz(f, signalTraces) }
func FuzzMetrics(f *testing.F) { fuzz(f, signalMetrics) }

func fuzz(f *testing.F, signal string) {
	o := odd{rand.New(rand.NewPCG(11, 0))}
	for range 100 {
		request, err := o.request(signal)
		must(f, err)
		if len(request) < 4096 { // the mutator is slow with larger ones
			f.Add(request)
		}
	}
	r := newRig(f, narrow())
	f.Fuzz(func(t *testing.T, in []byte) {
		if _, _, err := look(r.config, signal, in); err != nil {
			return
		}
		if problem := r.trial(t, signal, in); problem != "" {
			t.Error(problem)
		}
		if n := r.counted(t)["set_aside reason=broken"]; n > 0 {
			t.Error("a check broke")
		}
	})
}
