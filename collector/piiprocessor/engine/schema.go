// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// fieldTypes are what a policy file may hold, before anything is made of it. Python's `schema` is the twin
// and words complaints alike.
var fieldTypes = map[string]func(node *yaml.Node) (*yaml.Node, string){
	"text": isSwitch, "query": isSwitch, "line": isSwitch, "require_digit_in_prose": isSwitch, "overrides_except": isSwitch,
	"rescan": isSwitch, "suppress_on_id_keys": isSwitch, "only_own_keys": isSwitch, "not_in_ids": isSwitch,
	"name": isText, "mask": isText, "entity": isText, "builtin": isText, "pattern": isText, "validate": isText, "replacement": isText,
	"not_preceded_by": isText, "not_preceded_by_digit_and": isText, "not_followed_by": isText, "not_followed_by_and_digit": isText,
	"exact": areTexts, "suffix": areTexts, "anywhere": areTexts, "context_words": areTexts,
	"exempt_keys": areTexts, "own_keys": areTexts, "keys_except_before": areTexts, "keys_except_after": areTexts,
}

// notText is what readers of YAML take for something else, some for a switch, some for a text.
var notText = regexp.MustCompile(`(?i)^(?:(?:y|n|yes|no|on|off|true|false|null|~|)|[-+]?[0-9][0-9_.:eE+-]*)$`)

// checkSchema checks the whole file; line is where a problem stands.
func checkSchema(document *yaml.Node) (line int, err error) {
	if document.Kind != yaml.MappingNode {
		return document.Line, fmt.Errorf("is no map")
	}
	if line, err = checkFields(document, "", func(name string) bool { return name == "keys" || name == "rules" }); err != nil {
		return line, err
	}
	for _, section := range []struct{ name, kind string }{{"keys", "key rule"}, {"rules", "rule"}} {
		for i := 0; i+1 < len(document.Content); i += 2 {
			entries := document.Content[i+1]
			if document.Content[i].Value != section.name || entries.Kind != yaml.SequenceNode {
				continue
			}
			for _, entry := range entries.Content {
				if entry.Kind != yaml.MappingNode {
					return entry.Line, fmt.Errorf("%s \"\": is no map", section.kind)
				}
				where := fmt.Sprintf("%s \"%s\": ", section.kind, nameOf(entry))
				if line, err = checkFields(entry, where, func(string) bool { return false }); err != nil {
					return line, err
				}
			}
		}
	}
	return 0, nil
}

func checkFields(node *yaml.Node, where string, skip func(name string) bool) (line int, err error) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i].Value, node.Content[i+1]
		if seen[name] {
			return node.Content[i].Line, fmt.Errorf("%sthe field \"%s\" is there twice", where, name)
		}
		seen[name] = true
		if check, known := fieldTypes[name]; known && !skip(name) {
			if at, problem := check(value); problem != "" {
				return at.Line, fmt.Errorf("%s%s: %s", where, name, problem)
			}
		}
	}
	return 0, nil
}

func isSwitch(node *yaml.Node) (*yaml.Node, string) {
	if node.Kind != yaml.ScalarNode || (node.Value != "true" && node.Value != "false") {
		return node, "must be true or false"
	}
	return nil, ""
}

func isText(node *yaml.Node) (*yaml.Node, string) {
	if node.Kind != yaml.ScalarNode {
		return node, "must be a text"
	}
	if node.Style == 0 && notText.MatchString(node.Value) {
		return node, fmt.Sprintf("must be a text: write \"%s\" in quotes", node.Value)
	}
	return nil, ""
}

func areTexts(node *yaml.Node) (*yaml.Node, string) {
	if node.Kind != yaml.SequenceNode {
		return node, "must be a list of texts"
	}
	seen := map[string]bool{}
	for _, item := range node.Content {
		if at, problem := isText(item); problem != "" {
			return at, problem
		}
		if seen[item.Value] {
			return item, fmt.Sprintf("\"%s\" is there twice", item.Value)
		}
		seen[item.Value] = true
	}
	return nil, ""
}
