// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

type policyFile struct {
	Version       int       `yaml:"version"`
	Limits        yaml.Node `yaml:"limits"`
	limits        limits
	QueryKeys     []string  `yaml:"query_keys"`
	Context       yaml.Node `yaml:"context"`
	context       vocabulary
	ExemptKeys    []string      `yaml:"exempt_keys"`
	OwnKeys       []string      `yaml:"own_keys"`
	ExemptNumbers exemptNumbers `yaml:"exempt_numbers"`
	ExceptBefore  []string      `yaml:"keys_except_before"`
	ExceptAfter   []string      `yaml:"keys_except_after"`
	NeutralAfter  []string      `yaml:"keys_neutral_after"`
	ExceptLast    []string      `yaml:"keys_except_last"` // its former name
	PseudonymKeys pseudonymKeys `yaml:"pseudonym_keys"`
	Keys          []yaml.Node   `yaml:"keys"`
	TokenNames    struct {
		Secret  []string `yaml:"secret"`
		NotLast []string `yaml:"not_last"`
	} `yaml:"vendor_token_names"`
	Tokens []yaml.Node `yaml:"vendor_tokens"`
	Checks []yaml.Node `yaml:"checks"`
	Rules  []yaml.Node `yaml:"rules"`
}

type exemptNumbers struct {
	Last   []string `yaml:"last"`
	Unless []string `yaml:"unless"`
	IDs    []string `yaml:"ids"`
}

type pseudonymKeys struct {
	Suffix    []string `yaml:"suffix"`
	NotBehind []string `yaml:"not_behind"`
}

type keyEntry struct {
	Name       string   `yaml:"name"`
	Exact      []string `yaml:"exact"`
	Prefix     []string `yaml:"prefix"`
	Suffix     []string `yaml:"suffix"`
	Anywhere   []string `yaml:"anywhere"`
	Glued      []string `yaml:"glued"`
	Behind     []string `yaml:"behind"`
	NotBehind  []string `yaml:"not_behind"`
	MinLength  int      `yaml:"min_length"`
	Except     []string `yaml:"except_values"`
	Blank      bool     `yaml:"require_blank"`
	Text       *bool    `yaml:"text"`
	Query      bool     `yaml:"query"`
	Line       bool     `yaml:"line"`
	ProseDigit bool     `yaml:"require_digit_in_prose"`
	Overrides  bool     `yaml:"overrides_except"`
	Token      bool     `yaml:"require_token"`
	Mask       string   `yaml:"mask"`
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
	Name             string    `yaml:"name"`
	Entity           string    `yaml:"entity"`
	Builtin          string    `yaml:"builtin"`
	Triggers         []trigger `yaml:"triggers"`
	Pattern          string    `yaml:"pattern"`
	NotBefore        string    `yaml:"not_preceded_by"`
	NotBeforeDigit   string    `yaml:"not_preceded_by_digit_and"`
	NotAfter         string    `yaml:"not_followed_by"`
	NotAfterDigit    string    `yaml:"not_followed_by_and_digit"`
	ContextWords     []string  `yaml:"context_words"`
	ContextDirectly  bool      `yaml:"context_directly"`
	BesideIDWords    string    `yaml:"suppress_beside_id_words"`
	Rescan           bool      `yaml:"rescan"`
	SuppressOnIDKeys bool      `yaml:"suppress_on_id_keys"`
	OnlyOwnKeys      bool      `yaml:"only_own_keys"`
	NotInIDs         bool      `yaml:"not_in_ids"`
	Validate         string    `yaml:"validate"`
	Checks           []string  `yaml:"checks"`
	Mask             string    `yaml:"mask"`
	Replacement      string    `yaml:"replacement"`
	InLists          bool      `yaml:"in_lists"`
}

// decodeStrictly decodes node and refuses keys that the target does not have.
func decodeStrictly(node *yaml.Node, into any, known string) error {
	if node.Kind != yaml.MappingNode {
		return errors.New("is no map")
	}
	for i := 0; i < len(node.Content); i += 2 {
		name := node.Content[i].Value
		if now, renamed := renamedFields[name]; renamed {
			return fmt.Errorf("the field %q is now called %q", name, now)
		}
		if !strings.Contains(known, " "+name+" ") {
			return fmt.Errorf("unknown field %q", name)
		}
	}
	return node.Decode(into)
}

const (
	ruleFields = " name entity builtin triggers pattern not_preceded_by not_preceded_by_digit_and " +
		"not_followed_by not_followed_by_and_digit context_words context_directly rescan suppress_on_id_keys only_own_keys not_in_ids suppress_beside_id_words validate checks mask replacement in_lists "
	keyFields = " name exact prefix suffix anywhere glued behind not_behind min_length except_values require_blank text query line require_digit_in_prose overrides_except require_token mask "
)

// renamedFields are names that fields of the policy had.
var renamedFields = map[string]string{
	"weak": "require_digit_in_prose", "loose": "suppress_on_id_keys", "near": "context_words", "before": "not_preceded_by",
	"before_digit": "not_preceded_by_digit_and", "after": "not_followed_by", "after_digit": "not_followed_by_and_digit", "as": "replacement",
}

var validName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// load reads the policy in steps; each names what it does.
func load(path string, key []byte, opts Options) (*Engine, error) {
	file, err := readPolicy(path)
	if err != nil {
		return nil, err
	}
	l := newLoader(path, file, key, opts)
	if err := l.addOwnKeys(opts.OwnKeys); err != nil {
		return nil, err
	}
	if err := l.addUserNames(file.PseudonymKeys); err != nil {
		return nil, err
	}
	if err := l.addKeyRules(file.Keys); err != nil {
		return nil, err
	}
	if err := l.addChecks(file.Checks); err != nil {
		return nil, err
	}
	if err := l.addRules(file.Rules); err != nil {
		return nil, err
	}
	if err := l.addTokenRows(file); err != nil {
		return nil, err
	}
	if err := l.checkSwitches(); err != nil {
		return nil, err
	}
	return l.finish(), nil
}

// readPolicy reads the file and checks what stands outside of its lists.
func readPolicy(path string) (*policyFile, error) {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("policy %s"+format, append([]any{path}, args...)...)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, wrong(": cannot be read: %w", err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(raw, &document); err != nil {
		return nil, wrong(": %w", err)
	}
	if len(document.Content) == 0 {
		return nil, wrong(": is empty")
	}
	if line, err := checkSchema(document.Content[0]); err != nil {
		return nil, wrong(":%d: %w", line, err)
	}
	file := &policyFile{}
	if err := document.Decode(file); err != nil {
		return nil, wrong(": %w", err)
	}
	if file.Version != 1 {
		return nil, wrong(": version is %d, this engine reads 1", file.Version)
	}
	var line int
	if file.limits, line, err = readLimits(&file.Limits); err != nil {
		if line == 0 {
			return nil, wrong(": %w", err)
		}
		return nil, wrong(":%d: %w", line, err)
	}
	if file.context, line, err = readVocabulary(&file.Context); err != nil {
		if line == 0 {
			return nil, wrong(": %w", err)
		}
		return nil, wrong(":%d: %w", line, err)
	}
	if file.ExceptLast != nil {
		return nil, wrong(`: keys_except_last is now called "keys_except_after"`)
	}
	if len(file.Rules) == 0 || len(file.Keys) == 0 {
		return nil, wrong(": has no rules or no keys; an empty policy would let everything pass")
	}
	return file, nil
}

// loader builds an engine from a policy.
type loader struct {
	path     string
	e        *Engine
	disabled map[string]bool // by name: whether anything has it
	places   map[string]int  // of the names under which hits are counted
	checks   map[string]*check

	takesTokens bool // a rule looks for what is in `vendor_tokens`
}

func newLoader(path string, file *policyFile, key []byte, opts Options) *loader {
	e := &Engine{
		limits: file.limits, context: file.context, pseudonyms: newPseudonymiser(key), keepIPs: !opts.MaskPrivateIPs,
		exempt: setOf(file.ExemptKeys), own: setOf(file.OwnKeys), queryKeys: file.QueryKeys,
		numbers: numberNames{last: setOf(file.ExemptNumbers.Last), unless: setOf(file.ExemptNumbers.Unless), ids: setOf(file.ExemptNumbers.IDs)},
	}
	e.keyNames.before, e.keyNames.after, e.keyNames.neutral = setOf(file.ExceptBefore), setOf(file.ExceptAfter), setOf(file.NeutralAfter)
	l := &loader{path: path, e: e, disabled: map[string]bool{}, places: map[string]int{}, checks: map[string]*check{}}
	for _, name := range opts.Disable {
		l.disabled[name] = false
	}
	return l
}

// addOwnKeys refuses a name under which numbers of people stand.
func (l *loader) addOwnKeys(names []string) error {
	for i, name := range names {
		for word := range strings.SplitSeq(name, "_") {
			if l.e.numbers.unless[word] {
				return fmt.Errorf("own_keys[%d]: %s has the word %s: numbers of people stand under it", i, name, word)
			}
		}
		l.e.own[name] = true
	}
	return nil
}

// off reports whether any of the names is disabled.
func (l *loader) off(names ...string) bool {
	for _, name := range names {
		if _, listed := l.disabled[name]; listed {
			l.disabled[name] = true
			return true
		}
	}
	return false
}

// place is that of a name in the counts of hits.
func (l *loader) place(name string) int {
	at, known := l.places[name]
	if !known {
		at = len(l.e.names)
		l.places[name] = at
		l.e.names = append(l.e.names, name)
	}
	return at
}

// wrong names the file, the line and the entry.
func (l *loader) wrong(node *yaml.Node, kind string, err error) error {
	return fmt.Errorf("policy %s:%d: %s %q: %w", l.path, node.Line, kind, nameOf(node), err)
}

// nameOf is the name of an entry, as far as it has one.
func nameOf(node *yaml.Node) string {
	if node.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == "name" {
				return node.Content[i+1].Value
			}
		}
	}
	return ""
}

func (l *loader) addKeyRules(nodes []yaml.Node) error {
	for i := range nodes {
		r, err := compileKeyRule(&nodes[i])
		if err != nil {
			return l.wrong(&nodes[i], "key rule", err)
		}
		if l.off(r.name) {
			continue
		}
		r.index, r.order = l.place("key_"+r.name), len(l.e.keys)
		plural := *r
		plural.many, r.plural = true, &plural
		l.e.keys = append(l.e.keys, r)
		for _, entry := range r.entries {
			l.e.keyNames.add(entry)
		}
	}
	l.e.longNames = longNames(l.e.keys)
	return nil
}

func (l *loader) addChecks(nodes []yaml.Node) error {
	for i := range nodes {
		name := nameOf(&nodes[i])
		c, err := compileCheck(&nodes[i])
		if err == nil && l.checks[name] != nil {
			err = errors.New("the name is used twice")
		}
		if err != nil {
			return l.wrong(&nodes[i], "check", err)
		}
		l.checks[name] = c
	}
	return nil
}

// addUserNames files the names of user ids; what may stand around them is what may around secrets.
func (l *loader) addUserNames(names pseudonymKeys) error {
	r := &keyRule{notBehind: setOf(names.NotBehind)}
	r.plural = r
	l.e.userNames.neutral = l.e.keyNames.neutral
	for _, words := range names.Suffix {
		if err := checkWords(words); err != nil {
			return fmt.Errorf("policy %s: pseudonym_keys: %w", l.path, err)
		}
		l.e.userNames.add(newNameEntry(words, atEnd, r))
	}
	return nil
}

func setOf(words []string) map[string]bool {
	set := make(map[string]bool, len(words))
	for _, word := range words {
		set[word] = true
	}
	return set
}

func (l *loader) addRules(nodes []yaml.Node) error {
	seen := map[string]bool{}
	for i := range nodes {
		r, err := compileRule(&nodes[i], l.checks)
		if err == nil && seen[r.name] {
			err = errors.New("the name is used twice")
		}
		if err != nil {
			return l.wrong(&nodes[i], "rule", err)
		}
		seen[r.name] = true
		l.takesTokens = l.takesTokens || r.tokens
		if l.off(r.name, r.entity) {
			continue
		}
		if !r.pairs && !r.tokens {
			r.index = l.place(r.name)
		}
		l.e.rules = append(l.e.rules, r)
	}
	if len(l.e.rules) > maxRules {
		return fmt.Errorf("policy %s: has %d rules, the engine takes %d", l.path, len(l.e.rules), maxRules)
	}
	return nil
}

// checkSwitches refuses a switch that names nothing.
func (l *loader) checkSwitches() error {
	for name, used := range l.disabled {
		if !used {
			return fmt.Errorf("policy %s: there is no rule or entity %q to disable", l.path, name)
		}
	}
	return nil
}

// finish makes what is derived from all rules.
func (l *loader) finish() *Engine {
	e := l.e
	e.userRule, e.uncheckedRule, e.unsettledRule = l.place("user_id"), l.place("unchecked"), l.place("unsettled")
	e.masks = map[string]bool{"unchecked": true, "redacted": true, userMask: true}
	for _, r := range e.keys {
		e.masks[strings.Trim(r.masked, "[]")] = true
	}
	for _, r := range e.rules {
		e.masks[r.mask] = true
	}
	for i, r := range e.rules {
		r.place = i
		// An address is never taken for a time, and addresses are many.
		r.avoidsTimes = r.suppressOnIDKeys && !addressValidators[r.validatorName]
		r.notInIDs = r.notInIDs || r.avoidsTimes
	}
	for _, r := range e.tokenRows {
		e.masks[strings.Trim(r.masked, "[]")] = true
	}
	for i, r := range e.rules {
		if r.inLists {
			e.listRules.set(i)
		}
	}
	e.scan = newScanner(e, prefilters)
	e.keyCache.Store(&map[string]*keyInfo{})
	return e
}

func compileKeyRule(node *yaml.Node) (*keyRule, error) {
	var entry keyEntry
	if err := decodeStrictly(node, &entry, keyFields); err != nil {
		return nil, err
	}
	if !validName.MatchString(entry.Name) {
		return nil, fmt.Errorf("the name must match %s", validName)
	}
	mask := entry.Mask
	if mask == "" {
		mask = entry.Name
	}
	r := &keyRule{
		name: entry.Name, masked: "[" + mask + "]", notBehind: setOf(entry.NotBehind), minLength: entry.MinLength, exceptValues: setOf(entry.Except), blank: entry.Blank,
		inText: (entry.Text == nil || *entry.Text) && !entry.Query, query: entry.Query, line: entry.Line, proseDigit: entry.ProseDigit,
		overrides: entry.Overrides, token: entry.Token,
	}
	for _, list := range []struct {
		names []string
		place place
	}{{entry.Exact, wholeName}, {entry.Prefix, beginning}, {entry.Suffix, atEnd}, {entry.Anywhere, anywhere}, {entry.Glued, endOfWord}} {
		for _, words := range list.names {
			if err := checkWords(words); err != nil {
				return nil, err
			}
			if list.place == endOfWord && (strings.Contains(words, "_") || len(words) < trigramLength) {
				return nil, fmt.Errorf("glued: %q is not one word of %d letters or more", words, trigramLength)
			}
			if len(entry.Behind) == 0 {
				r.entries = append(r.entries, newNameEntry(words, list.place, r))
			}
			for _, first := range entry.Behind {
				if err := checkWords(first + "_" + words); err != nil {
					return nil, err
				}
				r.entries = append(r.entries, newNameEntry(first+"_"+words, list.place, r))
			}
		}
	}
	return r, nil
}

// checkWords refuses an entry that no name could match.
func checkWords(words string) error {
	switch {
	case words == "" || normalise(words) != words:
		return fmt.Errorf("%q is not in normal form, write %q", words, normalise(words))
	case len(words) > longestEntry || len(strings.ReplaceAll(words, "_", "")) < 2:
		return fmt.Errorf("%q has not 2 to %d letters", words, longestEntry)
	}
	return nil
}

func compileRule(node *yaml.Node, checks map[string]*check) (*rule, error) {
	var entry ruleEntry
	if err := decodeStrictly(node, &entry, ruleFields); err != nil {
		return nil, err
	}
	r := &rule{
		name: entry.Name, entity: entry.Entity, rescan: entry.Rescan, suppressOnIDKeys: entry.SuppressOnIDKeys, onlyOwnKeys: entry.OnlyOwnKeys,
		contextDirectly: entry.ContextDirectly, mask: entry.Mask, digest: digestOf(&entry), inLists: entry.InLists,
		notInIDs: entry.NotInIDs,
	}
	if r.mask == "" {
		r.mask = r.name
	}
	for _, name := range entry.Checks {
		c := checks[name]
		if c == nil {
			return nil, fmt.Errorf("unknown check %q: it is not among the checks of the policy", name)
		}
		r.checks = append(r.checks, c)
	}
	if !validName.MatchString(r.name) || !validName.MatchString(r.mask) {
		return nil, fmt.Errorf("name and mask must match %s", validName)
	}
	if entry.Builtin != "" {
		r.pairs, r.tokens = entry.Builtin == "pairs", entry.Builtin == "vendor_tokens"
		if !r.pairs && !r.tokens {
			return nil, fmt.Errorf("unknown builtin %q: use pairs or vendor_tokens", entry.Builtin)
		}
		return r, nil
	}
	if entry.Entity == "" || entry.Pattern == "" {
		return nil, errors.New("needs entity and pattern")
	}
	for _, step := range []func(*rule, *ruleEntry) error{setPattern, setNeighbours, setContextWords, setValidator, setReplacement} {
		if err := step(r, &entry); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func setPattern(r *rule, entry *ruleEntry) (err error) {
	if r.tree, err = parsePattern(entry.Pattern); err != nil {
		return fmt.Errorf("pattern: %w", err)
	}
	if r.pattern, err = regexp.Compile(entry.Pattern); err != nil {
		return fmt.Errorf("pattern: %w", err)
	}
	if !r.rescan {
		r.find = emailFinders[entry.Pattern]
	}
	if leastLength(r.tree) == 0 {
		return errors.New("pattern: matches the empty text")
	}
	r.needs = deriveNeeds(r.tree, entry.Validate)
	return setNameGroup(r)
}

// setNameGroup finds the group that holds a name, if the pattern has one.
func setNameGroup(r *rule) error {
	r.nameGroup = max(0, r.pattern.SubexpIndex(nameGroup))
	if r.nameGroup > 0 && r.pattern.NumSubexp() < 2 {
		return errors.New("pattern: has a group for the name and none for the value")
	}
	return nil
}

// setNeighbours compiles the classes of characters that may not stand beside a hit.
func setNeighbours(r *rule, entry *ruleEntry) error {
	for _, class := range []struct {
		field, body string
		into        *asciiSet
	}{
		{"not_preceded_by", entry.NotBefore, &r.notBefore}, {"not_preceded_by_digit_and", entry.NotBeforeDigit, &r.notBeforeDigit},
		{"not_followed_by", entry.NotAfter, &r.notAfter}, {"not_followed_by_and_digit", entry.NotAfterDigit, &r.notAfterDigit},
	} {
		if class.body == "" {
			continue
		}
		set, err := regexp.Compile("^[" + class.body + "]$")
		if err != nil {
			return fmt.Errorf("%s: %q is no class of characters", class.field, class.body)
		}
		for c := range 128 {
			class.into[c] = set.MatchString(string(rune(c)))
		}
	}
	return nil
}

func setContextWords(r *rule, entry *ruleEntry) error {
	if r.nameGroup > 0 && len(entry.ContextWords) > 0 {
		return errors.New("context_words: is not for patterns with a group for the name")
	}
	for _, word := range entry.ContextWords {
		if word == "" || lowerASCII(word) != word {
			return fmt.Errorf("context_words: %q is not lower-case", word)
		}
	}
	var forms []string
	for _, word := range entry.ContextWords {
		forms = append(forms, caseForms(word)...)
	}
	r.setContextWords(forms)
	switch r.besideIDWords = idWordHits(entry.BesideIDWords); r.besideIDWords {
	case "", anyHit, digitHits, ownedHits, sentenceHits:
		return nil
	}
	return fmt.Errorf("unknown suppress_beside_id_words %q: use any, digits, owned or sentence", entry.BesideIDWords)
}

// caseForms are a word as texts write it; matching itself folds A to Z alone.
func caseForms(word string) []string {
	upper := strings.ToUpper(word)
	_, first := utf8.DecodeRuneInString(upper)
	_, rest := utf8.DecodeRuneInString(word)
	forms := []string{word}
	for _, form := range []string{upper, upper[:first] + word[rest:]} {
		if form = lowerASCII(form); !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	return forms
}

func setValidator(r *rule, entry *ruleEntry) error {
	if entry.Validate == "" {
		return nil
	}
	check, known := validators[entry.Validate]
	if !known {
		return fmt.Errorf("unknown validator %q", entry.Validate)
	}
	if r.nameGroup > 0 && wholeHits[entry.Validate] {
		return fmt.Errorf("validate: %s is not for patterns with a group for the name", entry.Validate)
	}
	r.validate, r.validatorName = check, entry.Validate
	return nil
}

func setReplacement(r *rule, entry *ruleEntry) error {
	switch entry.Replacement {
	case "":
	case "last4":
		r.replacement = lastFour
	case "pseudonym":
		r.replacement = pseudonym
		if r.mask != "email" && r.mask != "phone" {
			return errors.New("replacement: pseudonym is known for the masks email and phone")
		}
	case "network":
		r.replacement = network
		if entry.Validate == "mac" || !addressValidators[entry.Validate] {
			return errors.New("replacement: network needs the validator ipv4 or ipv6")
		}
	default:
		return fmt.Errorf("unknown replacement %q: use last4, pseudonym or network", entry.Replacement)
	}
	return nil
}
