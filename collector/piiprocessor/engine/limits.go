// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"math"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// limits are the numbers of a policy; the meaning of each is in rules.yaml, beside it.
type limits struct {
	maxBytes, maxJSONDepth, maxNestedJSON, maxPasses int
	maxHits                                          int
	contextBefore, contextAfter                      int // characters
	minNumberDigits                                  int
	maxWholeFloat                                    float64
	leastNumber                                      int64 // the least that has minNumberDigits digits
}

// limitRange is a limit with the least and the most that make sense.
type limitRange struct {
	name        string
	least, most int64
}

var limitRanges = []limitRange{
	{"max_bytes", 1, 1 << 30},
	{"max_json_depth", 1, 256},
	{"max_nested_json", 0, 16},
	{"max_passes", 2, 16},
	{"max_hits", 1, 1 << 30},
	{"context_before", 0, 1024},
	{"context_after", 0, 1024},
	{"min_number_digits", 1, 18},
	{"max_whole_float", 1, 1 << 53},
}

// defaultLimits are those that a policy of before does not have.
var defaultLimits = map[string]int64{"max_hits": 2000}

var wholeNumber = regexp.MustCompile(`^[0-9]{1,18}$`)

// readLimits reads the map `limits`; line is where a problem stands, or 0.
func readLimits(node *yaml.Node) (l limits, line int, err error) {
	if node.Kind != yaml.MappingNode {
		return l, node.Line, fmt.Errorf("limits: is missing or no map")
	}
	found := map[string]int64{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		n, err := readLimit(key.Value, value, found)
		if err != nil {
			return l, key.Line, fmt.Errorf("limits: %w", err)
		}
		found[key.Value] = n
	}
	for _, r := range limitRanges {
		if _, there := found[r.name]; there {
			continue
		}
		value, known := defaultLimits[r.name]
		if !known {
			return l, node.Line, fmt.Errorf("limits: %s is missing", r.name)
		}
		found[r.name] = value
	}
	return limits{
		maxBytes: int(found["max_bytes"]), maxJSONDepth: int(found["max_json_depth"]), maxNestedJSON: int(found["max_nested_json"]),
		maxPasses: int(found["max_passes"]), contextBefore: int(found["context_before"]), contextAfter: int(found["context_after"]),
		maxHits: int(found["max_hits"]), minNumberDigits: int(found["min_number_digits"]), maxWholeFloat: float64(found["max_whole_float"]),
		leastNumber: leastOf(int(found["min_number_digits"])),
	}, 0, nil
}

func readLimit(name string, value *yaml.Node, found map[string]int64) (int64, error) {
	for _, r := range limitRanges {
		if r.name != name {
			continue
		}
		if _, twice := found[name]; twice {
			return 0, fmt.Errorf("%s is there twice", name)
		}
		text := ""
		if value.Kind == yaml.ScalarNode {
			text = value.Value
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || !wholeNumber.MatchString(text) || n < r.least || n > r.most {
			return 0, fmt.Errorf("%s is \"%s\", must be a whole number from %d to %d", name, text, r.least, r.most)
		}
		return n, nil
	}
	return 0, fmt.Errorf("unknown field %q", name)
}

// leastOf is the least whole number that has so many digits.
func leastOf(digits int) int64 {
	if digits == 1 {
		return 0
	}
	return int64(math.Pow10(digits - 1))
}
