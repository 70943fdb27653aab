// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// longestChecked is the longest number that a check describes, in letters and digits.
const longestChecked = 32

// noValue is that of a letter that may not stand in a number.
const noValue = math.MinInt

// check is a row of `checks` in the policy: what the letters and digits of a number must satisfy.
// What each field means is in redaction/README.md.
type check struct {
	lengths       []int
	groups        []uint64 // as in packed, without the mask
	separators    string
	begins        []string
	date, notDate string
	years         []int
	notYears      []int
	months, days  []int
	letters       [26]int // or noValue
	parts         []part
	sums          []weightedSum
	scheme        scheme
	schemeFrom    int
}

// part: so many digits from `at` are a number from `first` to `last`.
type part struct {
	at, digits, first, last int
}

func (p part) holds(chars []byte) bool {
	if p.at+p.digits > len(chars) || !allDigits(chars[p.at:p.at+p.digits]) {
		return false
	}
	n := number(chars[p.at : p.at+p.digits])
	return n >= p.first && n <= p.last
}

// weightedSum: either the character `at` is that of `check` for the remainder, or the remainder is
// one of those allowed.
type weightedSum struct {
	weights    []int
	modulus    int
	check      string
	at         int
	remainders []int
}

// scheme is a published way to check digits that is no weighted sum.
type scheme int

const (
	noScheme scheme = iota
	schemeLuhn
	schemeMod11And10
	schemeVerhoeff
)

var schemes = map[string]scheme{"luhn": schemeLuhn, "mod_11_10": schemeMod11And10, "verhoeff": schemeVerhoeff}

func (s scheme) holds(digits []byte) bool {
	if !allDigits(digits) {
		return s == noScheme
	}
	switch s {
	case schemeLuhn:
		return luhn(digits)
	case schemeMod11And10:
		return isMod11And10(digits)
	case schemeVerhoeff:
		return isVerhoeff(digits)
	}
	return true
}

// holdsAny reports whether any of the checks holds for a hit.
func holdsAny(checks []*check, hit string) bool {
	var buffer [longestChecked]byte
	n, groups, separated := 0, uint64(0), true
	for i := range len(hit) {
		c := hit[i]
		if !isAlnum(c) {
			separated = true
			continue
		}
		if n == len(buffer) {
			return false
		}
		if c >= 'a' {
			c -= 'a' - 'A'
		}
		buffer[n] = c
		n++
		if separated {
			groups <<= 8
		}
		groups++
		separated = false
	}
	for _, c := range checks {
		if c.isWritten(hit, groups) && c.holds(buffer[:n]) {
			return true
		}
	}
	return false
}

// isWritten checks the groups of letters and digits, and what stands between them.
func (c *check) isWritten(hit string, groups uint64) bool {
	if len(c.groups) > 0 && !slices.Contains(c.groups, groups) {
		return false
	}
	if c.separators == "" {
		return true
	}
	for i := range len(hit) {
		if !isAlnum(hit[i]) && strings.IndexByte(c.separators, hit[i]) < 0 {
			return false
		}
	}
	return true
}

func (c *check) holds(chars []byte) bool {
	if !slices.Contains(c.lengths, len(chars)) || allSame(chars) {
		return false
	}
	if len(c.begins) > 0 && !beginsWithAny(chars, c.begins) {
		return false
	}
	if c.date != "" && !c.hasDate(chars, c.date, c.years) {
		return false
	}
	if c.notDate != "" && c.hasDate(chars, c.notDate, c.notYears) {
		return false
	}
	for _, p := range c.parts {
		if !p.holds(chars) {
			return false
		}
	}
	for i := range c.sums {
		if !c.sumsUp(&c.sums[i], chars) {
			return false
		}
	}
	return c.scheme == noScheme || c.scheme.holds(chars[c.schemeFrom:])
}

func beginsWithAny(chars []byte, prefixes []string) bool {
	for _, prefix := range prefixes {
		if len(chars) >= len(prefix) && string(chars[:len(prefix)]) == prefix {
			return true
		}
	}
	return false
}

func allDigits(chars []byte) bool {
	for _, c := range chars {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

var daysOfMonth = [...]int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

func (c *check) hasDate(chars []byte, form string, years []int) bool {
	year, month, day := 0, 0, 0
	if strings.IndexByte(form, 'd') < 0 {
		day = 1
	}
	for i := range min(len(chars), len(form)) {
		part := &year
		switch form[i] {
		case 'y':
		case 'm':
			part = &month
		case 'd':
			part = &day
		default:
			continue
		}
		if !isDigit(chars[i]) {
			return false
		}
		*part = *part*10 + int(chars[i]-'0')
	}
	if len(years) > 0 {
		first, last := years[0], years[1]
		if first <= last && (year < first || year > last) || first > last && year < first && year > last {
			return false
		}
	}
	for _, plus := range c.months {
		if month-plus < 1 || month-plus > len(daysOfMonth) {
			continue
		}
		for _, more := range c.days {
			if day-more >= 1 && day-more <= daysOfMonth[month-plus-1] {
				return true
			}
		}
	}
	return false
}

func (c *check) sumsUp(sum *weightedSum, chars []byte) bool {
	total := 0
	for i := range min(len(chars), len(sum.weights)) {
		if sum.weights[i] == 0 {
			continue
		}
		value := int(chars[i]) - '0'
		if !isDigit(chars[i]) {
			if value = c.letters[chars[i]-'A']; value == noValue {
				return false
			}
		}
		total += value * sum.weights[i]
	}
	remainder := (total%sum.modulus + sum.modulus) % sum.modulus
	if sum.check != "" {
		return sum.at < len(chars) && sum.check[remainder] == chars[sum.at]
	}
	return slices.Contains(sum.remainders, remainder)
}

// isMod11And10 checks ISO/IEC 7064, MOD 11,10.
func isMod11And10(digits []byte) bool {
	product := 10
	for _, d := range digits[:len(digits)-1] {
		if product = (product + int(d-'0')) % 10; product == 0 {
			product = 10
		}
		product = product * 2 % 11
	}
	return (product+int(digits[len(digits)-1]-'0'))%10 == 1
}

var verhoeffMultiply = [10][10]byte{
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5}, {2, 3, 4, 0, 1, 7, 8, 9, 5, 6}, {3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
	{4, 0, 1, 2, 3, 9, 5, 6, 7, 8}, {5, 9, 8, 7, 6, 0, 4, 3, 2, 1}, {6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
	{8, 7, 6, 5, 9, 3, 2, 1, 0, 4}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
}

var verhoeffPermute = [8][10]byte{
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4}, {5, 8, 0, 3, 7, 9, 6, 1, 4, 2}, {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
	{9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1}, {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8},
}

func isVerhoeff(digits []byte) bool {
	state := byte(0)
	for i := range digits {
		state = verhoeffMultiply[state][verhoeffPermute[i%8][digits[len(digits)-1-i]-'0']]
	}
	return state == 0
}

// numbersOrOne reads a number or a list of numbers.
type numbersOrOne []int

func (n *numbersOrOne) UnmarshalYAML(node *yaml.Node) error {
	var one int
	if node.Kind == yaml.ScalarNode && node.Decode(&one) == nil {
		*n = numbersOrOne{one}
		return nil
	}
	var many []int
	if node.Decode(&many) != nil {
		return errors.New("must be a number or a list of numbers")
	}
	*n = many
	return nil
}

type checkEntry struct {
	Name    string         `yaml:"name"`
	Length  numbersOrOne   `yaml:"length"`
	Groups  [][]int        `yaml:"groups"`
	Between string         `yaml:"separators"`
	Begins  []string       `yaml:"begins"`
	Date    string         `yaml:"date"`
	NotDate string         `yaml:"not_date"`
	Years   []int          `yaml:"years"`
	NotYear []int          `yaml:"not_years"`
	Months  []int          `yaml:"months"`
	Days    []int          `yaml:"days"`
	Letters map[string]int `yaml:"letters"`
	Parts   []yaml.Node    `yaml:"parts"`
	Sums    []yaml.Node    `yaml:"sums"`
	Scheme  string         `yaml:"scheme"`
	From    int            `yaml:"scheme_from"`
}

type partEntry struct {
	At     *int `yaml:"at"`
	Digits *int `yaml:"digits"`
	First  *int `yaml:"first"`
	Last   *int `yaml:"last"`
}

type sumEntry struct {
	Weights    []int  `yaml:"weights"`
	Modulus    int    `yaml:"modulus"`
	Check      string `yaml:"check"`
	At         *int   `yaml:"at"`
	Remainders []int  `yaml:"remainders"`
}

const (
	checkRowFields = " name length groups separators begins date not_date years not_years months days letters parts sums scheme scheme_from "
	partFields     = " at digits first last "
	sumFields      = " weights modulus check at remainders "
)

// compileCheck reads one row of `checks`.
func compileCheck(node *yaml.Node) (*check, error) {
	var entry checkEntry
	if err := decodeStrictly(node, &entry, checkRowFields); err != nil {
		return nil, err
	}
	if !validName.MatchString(entry.Name) {
		return nil, fmt.Errorf("the name must match %s", validName)
	}
	c := &check{
		lengths: entry.Length, begins: entry.Begins, date: entry.Date, notDate: entry.NotDate, years: entry.Years,
		notYears: entry.NotYear, separators: entry.Between, months: entry.Months, days: entry.Days, schemeFrom: entry.From,
	}
	if len(c.months) == 0 {
		c.months = []int{0}
	}
	if len(c.days) == 0 {
		c.days = []int{0}
	}
	for _, n := range c.lengths {
		if n < 2 || n > longestChecked {
			return nil, fmt.Errorf("length: must be 2 to %d", longestChecked)
		}
	}
	if len(c.lengths) == 0 {
		return nil, fmt.Errorf("length: must be 2 to %d", longestChecked)
	}
	if c.schemeFrom < 0 || c.schemeFrom >= slices.Min(c.lengths) {
		return nil, errors.New("scheme_from: must be a place in the number")
	}
	for field, years := range map[string][]int{"years": c.years, "not_years": c.notYears} {
		if len(years) != 0 && len(years) != 2 {
			return nil, fmt.Errorf("%s: must be the first and the last", field)
		}
	}
	for _, lengths := range entry.Groups {
		total := 0
		for _, n := range lengths {
			total += n
		}
		if !slices.Contains(c.lengths, total) {
			return nil, errors.New("groups: each must be as long as the number")
		}
		want, _ := packed(lengths)
		c.groups = append(c.groups, want)
	}
	for field, form := range map[string]string{"date": c.date, "not_date": c.notDate} {
		if form != "" && (strings.Trim(form, ".ymd") != "" || strings.Count(form, "m") != 2 || strings.Count(form, "d") != 2 && strings.Contains(form, "d")) {
			return nil, fmt.Errorf("%s: must be of y, mm, dd and dots, as in .yymmdd", field)
		}
	}
	for i := range c.letters {
		c.letters[i] = noValue
	}
	for letters, first := range entry.Letters {
		for place, letter := range []byte(letters) {
			if letter < 'A' || letter > 'Z' {
				return nil, fmt.Errorf("letters: %q is not of A to Z", letters)
			}
			c.letters[letter-'A'] = first + place
		}
	}
	for i := range entry.Parts {
		p, err := compilePart(&entry.Parts[i])
		if err != nil {
			return nil, fmt.Errorf("parts: %w", err)
		}
		c.parts = append(c.parts, p)
	}
	for i := range entry.Sums {
		sum, err := compileSum(&entry.Sums[i])
		if err != nil {
			return nil, fmt.Errorf("sums: %w", err)
		}
		c.sums = append(c.sums, *sum)
	}
	if entry.Scheme != "" {
		if c.scheme = schemes[entry.Scheme]; c.scheme == noScheme {
			return nil, fmt.Errorf("unknown scheme %q: use luhn, mod_11_10 or verhoeff", entry.Scheme)
		}
	}
	if c.date == "" && len(c.parts)+len(c.sums) == 0 && c.scheme == noScheme {
		return nil, errors.New("checks nothing: needs date, parts, sums or scheme")
	}
	return c, nil
}

func compilePart(node *yaml.Node) (part, error) {
	var entry partEntry
	if err := decodeStrictly(node, &entry, partFields); err != nil {
		return part{}, err
	}
	for _, n := range []*int{entry.At, entry.Digits, entry.First, entry.Last} {
		if n == nil || *n < 0 {
			return part{}, errors.New("needs at, digits, first and last")
		}
	}
	return part{at: *entry.At, digits: *entry.Digits, first: *entry.First, last: *entry.Last}, nil
}

func compileSum(node *yaml.Node) (*weightedSum, error) {
	var entry sumEntry
	if err := decodeStrictly(node, &entry, sumFields); err != nil {
		return nil, err
	}
	sum := &weightedSum{weights: entry.Weights, modulus: entry.Modulus, check: entry.Check, at: len(entry.Weights), remainders: entry.Remainders}
	if entry.At != nil {
		sum.at = *entry.At
	}
	switch {
	case len(sum.weights) == 0 || sum.modulus < 2:
		return nil, errors.New("needs weights, and a modulus of 2 or more")
	case (sum.check != "") == (len(sum.remainders) > 0):
		return nil, errors.New("needs either check or remainders")
	case sum.check != "" && len(sum.check) != sum.modulus:
		return nil, fmt.Errorf("check needs a character for each of %d remainders", sum.modulus)
	case sum.at < 0:
		return nil, errors.New("at: must not be negative")
	}
	return sum, nil
}
