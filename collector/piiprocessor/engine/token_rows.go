// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// tokenEntry is a row of `vendor_tokens` as it is written.
type tokenEntry struct {
	Vendor      string `yaml:"vendor"`
	Mask        string `yaml:"mask"`
	Prefix      texts  `yaml:"prefix"`
	Length      string `yaml:"length"`
	Alphabet    string `yaml:"alphabet"`
	Lead        string `yaml:"lead"`
	Then        string `yaml:"then"`
	Beside      texts  `yaml:"beside"`
	Needs       string `yaml:"needs"`
	KeepsPrefix bool   `yaml:"keeps_prefix"`
	Docs        string `yaml:"docs"`
}

const tokenFields = " vendor mask prefix length alphabet lead then beside needs keeps_prefix docs "

// texts are one text or a list of them.
type texts []string

// UnmarshalYAML reads either.
func (t *texts) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*t = texts{node.Value}
		return nil
	}
	return node.Decode((*[]string)(t))
}

const (
	// mostOfToken bounds a run whose length has no upper bound in the table.
	mostOfToken = 512
	// longestRun is the most that a row may ask for.
	longestRun = 8192
	// A token of fewer characters is a word too often.
	leastOfToken = 12
	// A prefix of two characters says little: so many must follow.
	shortPrefix, leastAfterShortPrefix = 2, 24
	shortestVendorWord                 = 3

	uuidAlphabet = "uuid"
)

// alphabets are those that a row may name.
var alphabets = func() map[string]*asciiSet {
	const (
		digits, lower, upper = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		alnum                = digits + lower + upper
	)
	sets := map[string]*asciiSet{}
	for name, chars := range map[string]string{
		"digits": digits, "hex": digits + "abcdef", "hex_upper": digits + "ABCDEF", "hex_any": digits + "abcdefABCDEF",
		"lower": lower, "letters": lower + upper, "alnum_lower": digits + lower, "alnum_upper": digits + upper, "alnum": alnum,
		"base32": upper + "234567", "base58": "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
		"base64": alnum + "+/=", "base64_bare": alnum + "+/", "base64url": alnum + "_-", "base64url_padded": alnum + "_-=", "any_base64": alnum + "_-+/=",
		"word": alnum + "_", "word_lower": digits + lower + "_-", "dashed": alnum + "-", "dotted": alnum + "_-.", "dotted_padded": alnum + "_-.=", "tilde": alnum + "_-.~", "path": alnum + "_-/",
		"dotted_base64": alnum + "_-+/=.", "query": alnum + "_-%&=",
	} {
		set := charsOf(chars)
		sets[name] = &set
	}
	return sets
}()

var needNames = map[string]tokenNeed{"": needNothing, "digit": needDigit, "case": needCase, "mixed": needMixed, "random": needRandom}

// addTokenRows reads the table. A row, or all of a vendor's or a mask's, may be disabled.
func (l *loader) addTokenRows(file *policyFile) error {
	names := &tokenNames{secret: file.TokenNames.Secret, notLast: file.TokenNames.NotLast}
	for _, word := range slices.Concat(names.secret, names.notLast) {
		if word == "" || lowerASCII(word) != word {
			return fmt.Errorf("policy %s: vendor_token_names: %q is not lower-case", l.path, word)
		}
	}
	if len(file.Tokens) > 0 && !l.takesTokens {
		return fmt.Errorf("policy %s:%d: vendor_tokens: no rule looks for them, add one with `builtin: vendor_tokens`", l.path, file.Tokens[0].Line)
	}
	for i := range file.Tokens {
		node := &file.Tokens[i]
		var entry tokenEntry
		r, err := compileTokenRow(node, &entry)
		if err != nil {
			return fmt.Errorf("policy %s:%d: vendor token %q: %w", l.path, node.Line, entry.Vendor, err)
		}
		mask := strings.Trim(r.masked, "[]")
		if l.off(entry.Vendor, mask) {
			continue
		}
		r.names, r.order, r.index = names, i, l.place(mask)
		l.e.tokenRows = append(l.e.tokenRows, r)
	}
	return nil
}

func compileTokenRow(node *yaml.Node, entry *tokenEntry) (*tokenRow, error) {
	entry.Vendor = valueOf(node, "vendor")
	if err := decodeStrictly(node, entry, tokenFields); err != nil {
		return nil, err
	}
	if entry.Mask == "" {
		entry.Mask = entry.Vendor + "_token"
	}
	if !validName.MatchString(entry.Vendor) || !validName.MatchString(entry.Mask) {
		return nil, fmt.Errorf("vendor and mask must match %s", validName)
	}
	if entry.Length == "" || entry.Alphabet == "" || entry.Docs == "" {
		return nil, errors.New("needs length, alphabet and docs")
	}
	needs, known := needNames[entry.Needs]
	if !known {
		return nil, fmt.Errorf("needs: unknown %q: use digit, case, mixed or random", entry.Needs)
	}
	r := &tokenRow{
		masked: "[" + entry.Mask + "]", prefixes: entry.Prefix, words: entry.Beside, needs: needs, keepsPrefix: entry.KeepsPrefix,
	}
	first, err := tokenRun(entry.Length + " " + entry.Alphabet)
	if err != nil {
		return nil, err
	}
	r.parts = []tokenPart{first}
	r.bothCases = first.alphabet != nil && first.alphabet.has('A') && first.alphabet.has('a')
	then, err := tokenForm(entry.Then)
	if err != nil {
		return nil, fmt.Errorf("then: %w", err)
	}
	r.parts = append(r.parts, then...)
	if entry.Lead != "" {
		if r.lead, err = tokenRun(entry.Lead); err != nil {
			return nil, fmt.Errorf("lead: %w", err)
		}
	}
	return r, r.check()
}

// valueOf is a field of an entry, as far as it has one.
func valueOf(node *yaml.Node, field string) string {
	if node.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == field {
				return node.Content[i+1].Value
			}
		}
	}
	return ""
}

var tokenLength = regexp.MustCompile(`^([0-9]{1,4})(-?)([0-9]{0,4})$`)

// tokenRun reads a length and an alphabet: `36 alnum`, `20-40 hex`, `30- base64url`.
func tokenRun(text string) (p tokenPart, err error) {
	length, name, _ := strings.Cut(text, " ")
	bounds := tokenLength.FindStringSubmatch(length)
	if bounds == nil || (bounds[2] == "" && bounds[3] != "") {
		return p, fmt.Errorf("length: %q is neither a number, as 36, nor a range, as 20-40 or 30-", length)
	}
	p.min, _ = strconv.Atoi(bounds[1])
	switch {
	case bounds[2] == "":
		p.max = p.min
	case bounds[3] == "":
		p.max = mostOfToken
	default:
		p.max, _ = strconv.Atoi(bounds[3])
	}
	if p.max < p.min || p.max > longestRun {
		return p, fmt.Errorf("length: %q is not between 0 and %d", length, longestRun)
	}
	if name == uuidAlphabet {
		if p.min != uuidLength || p.max != uuidLength {
			return p, fmt.Errorf("length: a uuid has %d characters", uuidLength)
		}
		p.uuid = true
		return p, nil
	}
	if p.alphabet = alphabets[name]; p.alphabet == nil {
		known := append(slices.Collect(maps.Keys(alphabets)), uuidAlphabet)
		slices.Sort(known)
		return p, fmt.Errorf("unknown alphabet %q: use %s", name, strings.Join(known, ", "))
	}
	return p, nil
}

// tokenForm reads literals with runs in braces between them: `.{24 alnum}-X`.
func tokenForm(text string) (parts []tokenPart, err error) {
	for text != "" {
		open := strings.IndexByte(text, '{')
		if open != 0 {
			if open < 0 {
				open = len(text)
			}
			parts, text = append(parts, tokenPart{literal: text[:open]}), text[open:]
			continue
		}
		body, rest, closed := strings.Cut(text[1:], "}")
		if !closed {
			return nil, fmt.Errorf("%q has no }", text)
		}
		p, err := tokenRun(body)
		if err != nil {
			return nil, err
		}
		parts, text = append(parts, p), rest
	}
	return parts, nil
}

// check refuses rows that ordinary words would fit.
func (r *tokenRow) check() error {
	for _, word := range r.words {
		if len(word) < shortestVendorWord || lowerASCII(word) != word || !findable(word) {
			return fmt.Errorf("beside: %q is not a lower-case word of %d characters or more", word, shortestVendorWord)
		}
	}
	for i := range len(r.parts) - 1 {
		run, text := &r.parts[i], r.parts[i+1].literal
		if run.alphabet != nil && run.min < run.max && text != "" && run.alphabet.has(text[0]) {
			return fmt.Errorf("then: the run before %q takes its first character, too", text)
		}
	}
	length := r.lead.min
	for i := range r.parts {
		length += r.parts[i].min + len(r.parts[i].literal)
	}
	if len(r.words) > 0 {
		if r.lead.alphabet != nil || r.keepsPrefix {
			return errors.New("lead and keeps_prefix do not go with beside")
		}
		return nil
	}
	if len(r.prefixes) == 0 {
		return errors.New("needs prefix, or beside for tokens without one")
	}
	for _, prefix := range r.prefixes {
		switch {
		case prefix == "" || (len(prefix) < shortPrefix && r.lead.alphabet == nil) || (len(prefix) <= shortPrefix && length < leastAfterShortPrefix):
			return fmt.Errorf("prefix: %q is too short to be believed alone: name the vendor's word in beside", prefix)
		case len(prefix)+length < leastOfToken && !r.keepsPrefix:
			return fmt.Errorf("length: a token of %d characters is too short to be believed alone", len(prefix)+length)
		case r.lead.alphabet == nil && !isAlnum(prefix[0]):
			return fmt.Errorf("prefix: %q does not begin with a letter or digit", prefix)
		case r.lead.alphabet != nil && strings.IndexFunc(prefix, func(c rune) bool { return c < 0x80 && !isAlnum(byte(c)) }) < 0:
			return fmt.Errorf("prefix: %q behind a lead needs a character that is no letter or digit", prefix)
		}
	}
	return nil
}
