// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package casetest

import (
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Counted returns what a counter shows, by its labels. Zeros are left out.
func Counted(t testing.TB, telemetry *componenttest.Telemetry, name string) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	metric, err := telemetry.GetMetric(name)
	if err != nil {
		return found
	}
	sum, ok := metric.Data.(metricdata.Sum[int64])
	if !ok {
		t.Fatalf("%s is no counter", name)
	}
	for _, point := range sum.DataPoints {
		if point.Value != 0 {
			found[point.Attributes.Encoded(attribute.DefaultEncoder())] = point.Value
		}
	}
	return found
}

// Lines returns counters, named as a case names them, in the form of the section telemetry. The
// label signal is left out: a case has one.
func (c *Case) Lines(t testing.TB, telemetry *componenttest.Telemetry, counters map[string]string) []string {
	t.Helper()
	var lines []string
	for name, counter := range counters {
		for labels, n := range Counted(t, telemetry, counter) {
			var kept []string
			for _, label := range strings.Split(labels, ",") {
				if label != "signal="+c.Signal {
					kept = append(kept, label)
				}
			}
			lines = append(lines, fmt.Sprintf("%s{%s} %d", name, strings.Join(kept, ","), n))
		}
	}
	return lines
}
