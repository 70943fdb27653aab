package engine

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"regexp/syntax"
	"strings"

	"go.yaml.in/yaml/v3"
)

type limits struct {
	MaxBytes      int `yaml:"max_bytes"`
	MaxJSONDepth  int `yaml:"max_json_depth"`
	MaxNestedJSON int `yaml:"max_nested_json"`
	MaxPasses     int `yaml:"max_passes"`
}

type policyFile struct {
	Version       int         `yaml:"version"`
	Limits        limits      `yaml:"limits"`
	ExemptKeys    []string    `yaml:"exempt_keys"`
	ExceptLast    []string    `yaml:"keys_except_last"`
	PseudonymKeys []string    `yaml:"pseudonym_keys"`
	Keys          []yaml.Node `yaml:"keys"`
	Rules         []yaml.Node `yaml:"rules"`
}

type keyEntry struct {
	Name      string   `yaml:"name"`
	Exact     []string `yaml:"exact"`
	Suffix    []string `yaml:"suffix"`
	Anywhere  []string `yaml:"anywhere"`
	Text      *bool    `yaml:"text"`
	Query     bool     `yaml:"query"`
	Line      bool     `yaml:"line"`
	Weak      bool     `yaml:"weak"`
	Overrides bool     `yaml:"overrides_except"`
	Mask      string   `yaml:"mask"`
}

type trigger struct {
	literal string
	class   string // digits, colons, dashes, dots or word
	count   int
}

// UnmarshalYAML reads a string or a map of one class and its count.
func (t *trigger) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		t.literal = node.Value
		if t.literal == "" {
			return errors.New("an empty trigger")
		}
		return nil
	}
	var m map[string]int
	if err := node.Decode(&m); err != nil || len(m) != 1 {
		return errors.New("a trigger is a string or {class: count}")
	}
	for class, count := range m {
		switch class {
		case "digits", "colons", "dashes", "dots", "word":
			t.class, t.count = class, count
		default:
			return fmt.Errorf("unknown trigger class %q: use digits, colons, dashes, dots or word", class)
		}
	}
	return nil
}

type ruleEntry struct {
	Name        string    `yaml:"name"`
	Entity      string    `yaml:"entity"`
	Builtin     string    `yaml:"builtin"`
	Triggers    []trigger `yaml:"triggers"`
	Pattern     string    `yaml:"pattern"`
	Before      string    `yaml:"before"`
	BeforeDigit string    `yaml:"before_digit"`
	After       string    `yaml:"after"`
	AfterDigit  string    `yaml:"after_digit"`
	Near        []string  `yaml:"near"`
	Rescan      bool      `yaml:"rescan"`
	Loose       bool      `yaml:"loose"`
	Validate    string    `yaml:"validate"`
	Mask        string    `yaml:"mask"`
	As          string    `yaml:"as"`
}

// decodeStrictly decodes node and refuses keys that the target does not have.
func decodeStrictly(node *yaml.Node, into any, known string) error {
	if node.Kind != yaml.MappingNode {
		return errors.New("is no map")
	}
	for i := 0; i < len(node.Content); i += 2 {
		if name := node.Content[i].Value; !strings.Contains(known, " "+name+" ") {
			return fmt.Errorf("unknown field %q", name)
		}
	}
	return node.Decode(into)
}

const (
	ruleFields = " name entity builtin triggers pattern before before_digit after after_digit near rescan loose validate mask as "
	keyFields  = " name exact suffix anywhere text query line weak overrides_except mask "
)

var validName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

func load(path string, key []byte, opts Options) (*Engine, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	var file policyFile
	if err := yaml.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("policy %s: %w", path, err)
	}
	if file.Version != 1 {
		return nil, fmt.Errorf("policy %s: version is %d, this engine reads version 1", path, file.Version)
	}
	if l := file.Limits; l.MaxBytes < 1 || l.MaxJSONDepth < 1 || l.MaxNestedJSON < 0 || l.MaxPasses < 2 {
		return nil, fmt.Errorf("policy %s: limits: max_bytes and max_json_depth must be 1 or more, max_passes 2 or more", path)
	}
	if len(file.Rules) == 0 || len(file.Keys) == 0 {
		return nil, fmt.Errorf("policy %s: has no rules or no keys; an empty policy would let everything pass", path)
	}
	e := &Engine{limits: file.Limits, pseudonyms: newPseudonymiser(key), keepIPs: !opts.MaskPrivateIPs, pairsRule: -1}
	e.exempt, e.userKeys = file.ExemptKeys, file.PseudonymKeys
	e.except = map[string]bool{}
	for _, word := range file.ExceptLast {
		e.except[word] = true
	}
	disabled := map[string]bool{}
	for _, name := range opts.Disable {
		disabled[name] = false
	}
	off := func(names ...string) bool {
		for _, name := range names {
			if _, listed := disabled[name]; listed {
				disabled[name] = true
				return true
			}
		}
		return false
	}
	indexOf := map[string]int{}
	count := func(name string) int {
		if i, known := indexOf[name]; known {
			return i
		}
		indexOf[name] = len(e.names)
		e.names = append(e.names, name)
		return len(e.names) - 1
	}
	for i := range file.Keys {
		node := &file.Keys[i]
		var entry keyEntry
		if err := decodeStrictly(node, &entry, keyFields); err != nil {
			return nil, fmt.Errorf("policy %s:%d: key rule %q: %w", path, node.Line, entry.Name, err)
		}
		if !validName.MatchString(entry.Name) {
			return nil, fmt.Errorf("policy %s:%d: key rule %q: the name must match %s", path, node.Line, entry.Name, validName)
		}
		mask := entry.Mask
		if mask == "" {
			mask = entry.Name
		}
		r := &keyRule{
			name: entry.Name, masked: "[" + mask + "]", exact: entry.Exact, suffix: entry.Suffix, anywhere: entry.Anywhere,
			inText: (entry.Text == nil || *entry.Text) && !entry.Query, query: entry.Query, line: entry.Line, weak: entry.Weak,
			overrides: entry.Overrides,
		}
		for _, words := range append(append(append([]string{}, r.exact...), r.suffix...), r.anywhere...) {
			if words == "" || normalise(words) != words {
				return nil, fmt.Errorf("policy %s:%d: key rule %q: %q is not in normal form, write %q", path, node.Line, entry.Name, words, normalise(words))
			}
		}
		if off(r.name) {
			continue
		}
		r.index = count("key_" + r.name)
		e.keys = append(e.keys, r)
	}
	seen := map[string]bool{}
	for i := range file.Rules {
		node := &file.Rules[i]
		r, err := compileRule(node, e)
		if err != nil {
			name := ""
			if r != nil {
				name = r.name
			}
			return nil, fmt.Errorf("policy %s:%d: rule %q: %w", path, node.Line, name, err)
		}
		if seen[r.name] {
			return nil, fmt.Errorf("policy %s:%d: rule %q: the name is used twice", path, node.Line, r.name)
		}
		seen[r.name] = true
		if off(r.name, r.entity) {
			continue
		}
		if !r.pairs {
			r.index = count(r.name)
		}
		e.rules = append(e.rules, r)
	}
	for name, used := range disabled {
		if !used {
			return nil, fmt.Errorf("policy %s: there is no rule or entity %q to disable", path, name)
		}
	}
	if len(e.rules) > maxRules {
		return nil, fmt.Errorf("policy %s: has %d rules, the engine takes %d", path, len(e.rules), maxRules)
	}
	e.userRule, e.uncheckedRule, e.unsettledRule = count("user_id"), count("unchecked"), count("unsettled")
	e.masks = map[string]bool{"unchecked": true, "redacted": true}
	for _, r := range e.keys {
		e.masks[strings.Trim(r.masked, "[]")] = true
	}
	for _, r := range e.rules {
		e.masks[r.mask] = true
	}
	e.scan = newScanner(e, prefilters)
	e.keyCache.Store(&map[string]*keyInfo{})
	return e, nil
}

// compileRule returns the rule even with an error, as far as it was read, for its name.
func compileRule(node *yaml.Node, e *Engine) (*rule, error) {
	var entry ruleEntry
	r := &rule{}
	if err := decodeStrictly(node, &entry, ruleFields); err != nil {
		r.name = entry.Name
		return r, err
	}
	*r = rule{
		name: entry.Name, entity: entry.Entity, rescan: entry.Rescan, loose: entry.Loose, near: entry.Near,
		triggers: entry.Triggers, mask: entry.Mask, digest: digestOf(&entry),
	}
	if r.mask == "" {
		r.mask = r.name
	}
	if !validName.MatchString(r.name) || !validName.MatchString(r.mask) {
		return r, fmt.Errorf("name and mask must match %s", validName)
	}
	if entry.Builtin != "" {
		if entry.Builtin != "pairs" {
			return r, fmt.Errorf("unknown builtin %q: there is only pairs", entry.Builtin)
		}
		r.pairs = true
		return r, nil
	}
	if entry.Entity == "" || entry.Pattern == "" || len(entry.Triggers) == 0 {
		return r, errors.New("needs entity, triggers and pattern")
	}
	var err error
	if r.pattern, err = regexp.Compile(entry.Pattern); err != nil {
		return r, fmt.Errorf("pattern: %w", err)
	}
	parsed, err := syntax.Parse(entry.Pattern, syntax.Perl)
	if err != nil {
		return r, fmt.Errorf("pattern: %w", err)
	}
	if anchored(parsed) {
		return r, errors.New("pattern: ^, $ and \\b are not allowed, use before and after")
	}
	if r.pattern.MatchString("") {
		return r, errors.New("pattern: matches the empty text")
	}
	for _, class := range []struct {
		body string
		into *asciiSet
	}{{entry.Before, &r.before}, {entry.BeforeDigit, &r.beforeDigit}, {entry.After, &r.after}, {entry.AfterDigit, &r.afterDigit}} {
		if class.body == "" {
			continue
		}
		set, err := regexp.Compile("^[" + class.body + "]$")
		if err != nil {
			return r, fmt.Errorf("before or after: %w", err)
		}
		for c := range 128 {
			class.into[c] = set.MatchString(string(rune(c)))
		}
	}
	for i, word := range r.near {
		if word == "" || lowerASCII(word) != word {
			return r, fmt.Errorf("near: %q is not lower-case", r.near[i])
		}
	}
	if entry.Validate != "" {
		check, known := validators[entry.Validate]
		if !known {
			return r, fmt.Errorf("unknown validator %q", entry.Validate)
		}
		r.validate = check
	}
	switch entry.As {
	case "":
	case "last4":
		r.as = lastFour
	case "pseudonym":
		r.as = pseudonym
		if r.mask != "email" && r.mask != "phone" {
			return r, errors.New("as: pseudonym is known for the masks email and phone")
		}
	case "network":
		r.as = network
		if entry.Validate != "ipv4" && entry.Validate != "ipv6" {
			return r, errors.New("as: network needs the validator ipv4 or ipv6")
		}
	default:
		return r, fmt.Errorf("unknown as %q: use last4, pseudonym or network", entry.As)
	}
	return r, nil
}

func anchored(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return true
	}
	for _, sub := range re.Sub {
		if anchored(sub) {
			return true
		}
	}
	return false
}
