// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// words is a set of words in lower case.
type words map[string]bool

func wordSet(list ...string) words {
	set := words{}
	for _, word := range list {
		set[word] = true
	}
	return set
}

// longestListed bounds what is looked up.
const longestListed = 48

// has reports whether a word of up to longestListed bytes, in any case of A to Z, is in the set.
func (w words) has(word string) bool {
	var folded [longestListed]byte
	if word == "" || len(word) > len(folded) {
		return false
	}
	for i := range len(word) {
		folded[i] = lower(word[i])
	}
	return w[string(folded[:len(word)])]
}

// vocabulary is the policy's map `context`: the words around a number.
type vocabulary struct {
	connecting, linking, owners, ids, units, versions words
}

// readVocabulary reads the map; line is where a problem stands, or 0.
func readVocabulary(node *yaml.Node) (v vocabulary, line int, err error) {
	if node.Kind != yaml.MappingNode {
		return v, node.Line, fmt.Errorf("context: is missing or no map")
	}
	lists := map[string]*words{
		"connecting": &v.connecting, "linking": &v.linking, "owners": &v.owners, "ids": &v.ids, "units": &v.units, "versions": &v.versions,
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		list, known := lists[key.Value]
		if !known {
			return v, key.Line, fmt.Errorf("context: unknown field %q", key.Value)
		}
		if value.Kind != yaml.SequenceNode {
			return v, key.Line, fmt.Errorf("context: %s is no list", key.Value)
		}
		*list = words{}
		for _, item := range value.Content {
			if item.Value == "" || lowerASCII(item.Value) != item.Value {
				return v, item.Line, fmt.Errorf("context: %s: %q is not a word in lower case", key.Value, item.Value)
			}
			(*list)[item.Value] = true
		}
	}
	for _, name := range []string{"connecting", "linking", "owners", "ids", "units", "versions"} {
		if *lists[name] == nil {
			return v, node.Line, fmt.Errorf("context: %s is missing", name)
		}
	}
	return v, 0, nil
}
