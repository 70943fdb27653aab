// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"math"
	"testing"
)

// roots by a number that the fuzzer chooses.
var roots = []messageID{logsRequest, traceRequest, metricsRequest}

// fuzzed are bounds so narrow that small inputs pass them.
var fuzzed = bounds{depth: 2, attributes: 3, decoded: math.MaxInt64}

func FuzzProtobuf(f *testing.F) {
	for i := range uint64(60) {
		which := int(i) % len(roots)
		f.Add(byte(which), newGenerator(i, 4, true).protobuf(descriptors[roots[which]], 0))
	}
	f.Add(byte(0), logsOf(tagged(5, listOf(9, nil)), record("b", attributesOf(9, nil)...)))
	f.Add(byte(0), logsOf([]byte{0x9b, 0x06, 0x9c, 0x06}))
	f.Fuzz(func(t *testing.T, which byte, body []byte) {
		judge(t, fuzzed, roots[int(which)%len(roots)], body, false)
	})
}

func FuzzJSON(f *testing.F) {
	for i := range uint64(60) {
		which := int(i) % len(roots)
		f.Add(byte(which), newGenerator(i, 4, true).json(descriptors[roots[which]], 0))
	}
	f.Add(byte(0), string(jsonLog(`{"body":{"arrayValue":{"values":[{"arrayValue":{"values":[{"arrayValue":{"values":[null]}}]}}]}}}`)))
	f.Add(byte(0), string(jsonLog(`{"attributes":[{},{},{},{},null]}`)))
	f.Add(byte(0), `{"resourceLogs":,"scopeLogs":,,"logRecords":,,"body":,"arrayValue":,"values":,`)
	f.Fuzz(func(t *testing.T, which byte, body string) {
		judge(t, fuzzed, roots[int(which)%len(roots)], []byte(body), true)
	})
}
