// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"

	"glasshouse.example/collector/casetest"
)

// TestCases runs testdata/cases: one file a case, whose form casetest describes. The section
// dead_letters has all that was set aside.
func TestCases(t *testing.T) { casetest.Run(t, "testdata/cases", runCase) }

func runCase(t *testing.T, c *casetest.Case) {
	config := testConfig()
	c.Configure(t, config)
	must(t, config.Validate())
	telemetry := componenttest.NewTelemetry()
	letters := &recorder{}
	left, err := signals(t, config, testSettings(telemetry), letters)[c.Signal](t.Context(), c.Request(t))
	must(t, err)
	c.Compare(t, "out", left)
	c.Compare(t, "dead_letters", letters.all())
	c.CompareLines(t, "telemetry", c.Lines(t, telemetry, counters))
}
