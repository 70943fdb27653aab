// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The patterns that findEmail means. RE2 spells out 64 letters of any script as 160,000
// instructions; an edited pattern is run as it is.
const (
	emailPattern = `<([\p{L}\p{N}\p{M}_+-][\p{L}\p{N}\p{M}._+-]{0,63}@[\p{L}\p{N}\p{M}-]+)>|` +
		`((?:[\p{L}\p{N}\p{M}_+-][\p{L}\p{N}\p{M}._+-]{0,63}|[\p{L}\p{N}\p{M}._+!$*^{}~-]{0,63}[!$*^{}~]|\\?"[^"\r\n@<>]{1,64}")` +
		`@(?:[\p{L}\p{N}\p{M}-]+(?:\.[\p{L}\p{N}\p{M}-]+)+|\[(?:IPv6:)?[0-9A-Fa-f:.]{3,45}\]))`
	nearEmailPattern = `[\p{L}\p{N}\p{M}_+-][\p{L}\p{N}\p{M}._+-]{0,63}@[\p{L}\p{N}\p{M}-]+(?:\.[\p{L}\p{N}\p{M}-]+)*`
)

const (
	longestLocal   = 64
	longestLiteral = 45
	oddInLocal     = "!$*^{}~" // read only in a local part that ends with one of them
)

// emailFinders are the searches by hand, by the patterns that they mean.
var emailFinders = map[string]func(s string, pos int) span{emailPattern: findEmail, nearEmailPattern: findNearEmail}

// span is a match and the hit in it; ok is false where there is none.
type span struct {
	matchStart, matchEnd, start, end int
	ok                               bool
}

// findEmail goes from @ to @: no match holds two.
func findEmail(s string, pos int) span {
	for at := nextAt(s, pos); at >= 0; at = nextAt(s, at+1) {
		start := localStart(s, pos, at)
		if start < 0 {
			continue
		}
		end, labels := domainEnd(s, at+1)
		if labels > 1 {
			return span{start, end, start, end, true}
		}
		if labels == 1 {
			if start > pos && s[start-1] == '<' && end < len(s) && s[end] == '>' && isPlainLocal(s, at) {
				return span{start - 1, end + 1, start, end, true}
			}
			continue
		}
		if end = literalEnd(s, at+1); end > 0 {
			return span{start, end, start, end, true}
		}
	}
	return span{}
}

// findNearEmail takes hosts of one label, too, and no odd local parts.
func findNearEmail(s string, pos int) span {
	for at := nextAt(s, pos); at >= 0; at = nextAt(s, at+1) {
		if !isPlainLocal(s, at) {
			continue
		}
		if start := localStart(s, pos, at); start >= 0 {
			if end, labels := domainEnd(s, at+1); labels > 0 {
				return span{start, end, start, end, true}
			}
		}
	}
	return span{}
}

func nextAt(s string, from int) int {
	if at := strings.IndexByte(s[from:], '@'); at >= 0 {
		return from + at
	}
	return -1
}

// isPlainLocal reports whether what stands before the @ ends as local parts usually do.
func isPlainLocal(s string, at int) bool {
	return at > 0 && s[at-1] != '"' && strings.IndexByte(oddInLocal, s[at-1]) < 0
}

// localStart finds the local part that ends before s[at], not before pos; -1 if there is none.
func localStart(s string, pos, at int) int {
	if at == pos {
		return -1
	}
	if s[at-1] == '"' {
		return quotedStart(s, pos, at)
	}
	odd := !isPlainLocal(s, at)
	start := at
	for n := 0; n < longestLocal && start > pos; n++ {
		r, size := utf8.DecodeLastRuneInString(s[pos:start])
		if !isInDomain(r) && r != '.' && r != '_' && r != '+' && (!odd || r >= utf8.RuneSelf || strings.IndexByte(oddInLocal, byte(r)) < 0) {
			break
		}
		start -= size
	}
	if odd {
		return start
	}
	for start < at && s[start] == '.' {
		start++
	}
	if start == at {
		return -1
	}
	return start
}

func quotedStart(s string, pos, at int) int {
	last := at - 1
	low := last
	for n := 0; n <= longestLocal && low > pos; n++ {
		r, size := utf8.DecodeLastRuneInString(s[pos:low])
		low -= size
		switch r {
		case '"':
			if n == 0 {
				return -1
			}
			if low > pos && s[low-1] == '\\' {
				low--
			}
			return low
		case '\r', '\n', '@', '<', '>':
			return -1
		}
	}
	return -1
}

// isInDomain reports whether a character may stand in the label of a domain.
func isInDomain(r rune) bool {
	if r < utf8.RuneSelf {
		return isAlnum(byte(r)) || r == '-'
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r))
}

func labelEnd(s string, i int) int {
	for i < len(s) {
		r, size := utf8.DecodeRuneInString(s[i:])
		if !isInDomain(r) {
			break
		}
		i += size
	}
	return i
}

func domainEnd(s string, i int) (end, labels int) {
	for end = labelEnd(s, i); end > i; {
		labels++
		if end == len(s) || s[end] != '.' {
			return end, labels
		}
		next := labelEnd(s, end+1)
		if next == end+1 {
			return end, labels
		}
		i, end = end+1, next
	}
	return end, labels
}

// literalEnd finds the end of [203.0.113.7] or [IPv6:…], or 0.
func literalEnd(s string, i int) int {
	if i >= len(s) || s[i] != '[' {
		return 0
	}
	i++
	if strings.HasPrefix(s[i:], "IPv6:") {
		i += len("IPv6:")
	}
	for n := 0; i < len(s) && n <= longestLiteral; n++ {
		switch c := s[i]; {
		case c == ']' && n >= 3:
			return i + 1
		case c != ':' && c != '.' && hexDigit(c) < 0:
			return 0
		}
		i++
	}
	return 0
}

// noDomains are last labels of what is written with an @ and is no address: units of systemd, and
// nodes of clusters. None is a public suffix that addresses have.
var noDomains = []string{
	"automount", "device", "mount", "path", "scope", "service", "slice", "socket", "swap", "target", "timer",
}

// privateDomains are those of hosts that only their own network knows. An address there counts
// beside its word or under its key.
var privateDomains = []string{
	"cluster", "consul", "home", "internal", "intranet", "lan", "local", "localdomain", "localhost", "node", "pod", "svc",
}

// fileTypes may follow an address in the name of a file, and are no public suffixes.
var fileTypes = []string{
	"bak", "bin", "bz2", "cfg", "cjs", "conf", "crt", "css", "csv", "db", "deb", "dll", "eml", "exe", "gif", "gz", "html", "htm",
	"ini", "jar", "jpeg", "jpg", "js", "json", "jsonl", "jsx", "key", "lock", "log", "map", "min", "mjs", "msg", "parquet", "pdf",
	"pem", "pid", "png", "rpm", "sock", "sql", "sqlite", "svg", "tar", "tgz", "tmp", "toml", "ts", "tsx", "txt", "war", "wasm",
	"webp", "whl", "xls", "xlsx", "xml", "xz", "yaml", "yml",
}

// validateEmail cuts off what follows an address: the type of a file, or a dash and more.
func validateEmail(_ *Engine, s string, start, end int) (int, string, bool) {
	return checkEmail(s, start, end, false)
}

// validateNearEmail takes hosts of private networks, too.
func validateNearEmail(_ *Engine, s string, start, end int) (int, string, bool) {
	return checkEmail(s, start, end, true)
}

func checkEmail(s string, start, end int, private bool) (int, string, bool) {
	sign := strings.LastIndexByte(s[start:end], '@')
	at := start + sign
	if sign < 1 || at+1 == end {
		return end, "", false // an edited pattern may take anything
	}
	local := s[start:at]
	if local == "git" {
		return end, "", false
	}
	if s[at+1] == '[' {
		return end, "", strings.ContainsAny(s[at+1:end], ".:")
	}
	if host := s[at+1 : end]; host[0] == '.' || host[len(host)-1] == '.' || strings.Contains(host, "..") {
		return end, "", false
	}
	for {
		host := s[at+1 : end]
		cut := strings.LastIndexByte(host, '.')
		last := host[cut+1:]
		if dash := strings.IndexByte(last, '-'); dash > 0 && !strings.HasPrefix(lowerASCII(last), "xn--") && cut >= 0 {
			end -= len(last) - dash
			continue
		}
		if cut < 0 {
			return end, "", isHost(host, private) && (private || !isMessageID(local))
		}
		if isAnyOf(fileTypes, last) {
			if end = at + 1 + cut; strings.IndexByte(host[:cut], '.') < 0 {
				return end, "", false
			}
			continue
		}
		return end, "", isDomain(local, host, last, private)
	}
}

// isDomain reports whether a host of two labels or more can be that of an address.
func isDomain(local, host, last string, private bool) bool {
	first, _ := utf8.DecodeRuneInString(last)
	if first < utf8.RuneSelf && !unicode.IsLetter(first) || utf8.RuneCountInString(last) < 2 {
		return false
	}
	if !strings.HasPrefix(lowerASCII(last), "xn--") && strings.ContainsAny(last, "0123456789-") {
		return false
	}
	if isAnyOf(noDomains, last) || !private && isAnyOf(privateDomains, last) {
		return false
	}
	rest := host
	for n, more := 0, true; more; n++ {
		var label string
		label, rest, more = strings.Cut(rest, ".")
		if label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if n == 0 && isIdentityHash(local, label) {
			return false
		}
		if n == 0 && isDigits(label) {
			if second, _, _ := strings.Cut(rest, "."); isDigits(second) {
				return false // a version
			}
		}
	}
	return true
}

// isHost reports whether a single label can be a host: no number and no hash. Without brackets around
// the address, only the names that every machine has count.
func isHost(label string, private bool) bool {
	if private || isAnyOf(noDomains, label) {
		return private && isAnyOf(privateDomains, label)
	}
	first, _ := utf8.DecodeRuneInString(label)
	return first >= utf8.RuneSelf || isLetter(byte(first)) && label[len(label)-1] != '-' && len(label) > 1 && !isHash(label)
}

// isMessageID recognises what a mail server writes: times and counts.
func isMessageID(local string) bool {
	const mostDigits = 4
	digits := 0
	for _, c := range []byte(local) {
		if isDigit(c) {
			digits++
		}
	}
	return digits > mostDigits
}

// isIdentityHash recognises what Java prints for an object: a class, @ and the hash.
func isIdentityHash(local, label string) bool {
	class := local[strings.LastIndexByte(local, '.')+1:]
	return class != "" && classes[class[0]]&classUpper != 0 && isHash(label)
}

// isHash reports whether a label is six to eight hex digits, not all of them letters.
func isHash(label string) bool {
	if len(label) < 6 || len(label) > 8 || !hasDigit(label) {
		return false
	}
	for _, c := range []byte(label) {
		if hexDigit(c) < 0 {
			return false
		}
	}
	return true
}

func isDigits(s string) bool {
	for _, c := range []byte(s) {
		if !isDigit(c) {
			return false
		}
	}
	return s != ""
}

func isAnyOf(words []string, label string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return len(word) == len(label) && equalFoldASCII(label, word) })
}
