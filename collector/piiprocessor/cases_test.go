// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package piiprocessor

import (
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"

	"glasshouse.example/collector/casetest"
)

// TestCases runs testdata/cases: one file a case, whose form casetest describes.
func TestCases(t *testing.T) { casetest.Run(t, "testdata/cases", runCase) }

func runCase(t *testing.T, c *casetest.Case) {
	cfg := testConfig()
	c.Configure(t, cfg)
	fatal(t, cfg.Validate())
	telemetry := componenttest.NewTelemetry()
	for _, one := range pipelines(t, testSettings(telemetry), cfg, "") {
		if one.signal != c.Signal {
			continue
		}
		left, err := one.run(c.Request(t))
		fatal(t, err)
		c.Compare(t, "out", left)
	}
	c.CompareLines(t, "telemetry", c.Lines(t, telemetry, map[string]string{
		"redacted":  "otelcol_processor_pii_redacted",
		"unscanned": "otelcol_processor_pii_unscanned",
	}))
}
