// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strconv"
	"strings"
)

// addressValidators are those of addresses.
var addressValidators = map[string]bool{"ipv4": true, "ipv6": true, "mac": true}

// parseIPv4 reads four decimal numbers without leading zeros.
func parseIPv4(s string) (a [4]int, ok bool) {
	part, digits := 0, 0
	for i := range len(s) {
		c := s[i]
		if c == '.' {
			if digits == 0 || part == 3 {
				return a, false
			}
			part, digits = part+1, 0
			continue
		}
		if !isDigit(c) || (digits > 0 && a[part] == 0) {
			return a, false
		}
		a[part] = a[part]*10 + int(c-'0')
		if digits++; a[part] > 255 {
			return a, false
		}
	}
	return a, part == 3 && digits > 0
}

func isPrivateIPv4(a [4]int) bool {
	switch {
	case a[0] == 0, a[0] == 10, a[0] == 127, a[0] >= 224:
		return true
	case a[0] == 100:
		return a[1] >= 64 && a[1] <= 127
	case a[0] == 169:
		return a[1] == 254
	case a[0] == 172:
		return a[1] >= 16 && a[1] <= 31
	case a[0] == 192:
		return a[1] == 168
	}
	return false
}

func ipv4Form(a [4]int) string {
	return strconv.Itoa(a[0]) + "." + strconv.Itoa(a[1]) + "." + strconv.Itoa(a[2]) + "."
}

// splitPrefix cuts a /n off: rest is what is before it, valid reports whether n is at most limit.
func splitPrefix(s string, limit int) (rest string, has, valid bool) {
	slash := strings.IndexByte(s, '/')
	if slash < 0 {
		return s, false, false
	}
	n, err := strconv.Atoi(s[slash+1:])
	return s[:slash], true, err == nil && n <= limit
}

func validateIPv4(e *Engine, s string, start, end int) (int, string, bool) {
	rest, has, valid := splitPrefix(s[start:end], 32)
	if has && !valid {
		end = start + len(rest)
	}
	// Providers write an address with dashes in the name of a host.
	a, ok := parseIPv4(strings.ReplaceAll(rest, "-", "."))
	if !ok || (!has && a[2] == 0 && a[3] == 0) || (e.keepIPs && isPrivateIPv4(a)) {
		return end, "", false
	}
	if e.isVersion(s, start, end) {
		return end, "", false
	}
	return end, ipv4Form(a), true
}

func validateIPv6(e *Engine, s string, start, end int) (int, string, bool) {
	if isInGroups(s, start) {
		return end, "", false
	}
	rest, has, valid := splitPrefix(s[start:end], 128)
	if has && !valid {
		end = start + len(rest)
	}
	address := rest
	if zone := strings.IndexByte(address, '%'); zone >= 0 {
		address = address[:zone]
	} else if !has && strings.HasSuffix(address, ":") && !strings.HasSuffix(address, "::") {
		address = address[:len(address)-1]
		end--
	}
	groups, embedded, four, ok := parseIPv6(address)
	if !ok {
		return end, "", false
	}
	if embedded && groups[0]|groups[1]|groups[2]|groups[3] == 0 &&
		(groups[4] == 0 && (groups[5] == 0 || groups[5] == 0xffff) || groups[4] == 0xffff && groups[5] == 0) {
		if e.keepIPs && isPrivateIPv4(four) {
			return end, "", false
		}
		return end, ipv4Form(four), true
	}
	first := groups[0]
	if e.keepIPs && (first == 0 || first&0xfe00 == 0xfc00 || first&0xffc0 == 0xfe80 || first&0xff00 == 0xff00) {
		return end, "", false
	}
	// What a registry gives to a provider. A third group is one customer as often as not.
	return end, strconv.FormatInt(int64(groups[0]), 16) + ":" + strconv.FormatInt(int64(groups[1]), 16), true
}

// isInGroups reports whether a group and colons stand directly before s[start:]: what is there is the
// rest of something longer.
func isInGroups(s string, start int) bool {
	end := start
	for end > 0 && start-end < 2 && s[end-1] == ':' {
		end--
	}
	left := end
	for left > 0 && end-left <= 4 && hexDigit(s[left-1]) >= 0 {
		left--
	}
	return end < start && left < end && end-left <= 4 && (left == 0 || !isAlnum(s[left-1]) && s[left-1] != '_')
}

// parseIPv6 reads an address, perhaps with an IPv4 at its end, and applies the plausibility test:
// a digit, and three groups or one of four hex digits.
func parseIPv6(s string) (groups [8]int, embedded bool, four [4]int, ok bool) {
	if !hasDigit(s) {
		return groups, false, four, false
	}
	gap := -1
	n, written, long := 0, 0, false
	i := 0
	if strings.HasPrefix(s, "::") {
		gap, i = 0, 2
	}
	for i < len(s) {
		if n == 8 {
			return groups, false, four, false
		}
		from, value := i, 0
		for i < len(s) && hexDigit(s[i]) >= 0 {
			value = value<<4 | hexDigit(s[i])
			i++
			if i-from > 4 {
				return groups, false, four, false
			}
		}
		if i < len(s) && s[i] == '.' {
			if four, ok = parseIPv4(s[from:]); !ok || n > 6 {
				return groups, false, four, false
			}
			groups[n], groups[n+1] = four[0]<<8|four[1], four[2]<<8|four[3]
			n, written, embedded, i = n+2, written+2, true, len(s)
			break
		}
		if i == from {
			return groups, false, four, false
		}
		long = long || i-from == 4
		groups[n] = value
		n++
		written++
		if i == len(s) {
			break
		}
		if s[i] != ':' {
			return groups, false, four, false
		}
		i++
		if i == len(s) {
			return groups, false, four, false
		}
		if s[i] == ':' {
			if gap >= 0 {
				return groups, false, four, false
			}
			gap = n
			i++
		}
	}
	if gap < 0 && n != 8 || gap >= 0 && n > 7 {
		return groups, false, four, false
	}
	if gap >= 0 {
		tail := n - gap
		var full [8]int
		copy(full[:gap], groups[:gap])
		copy(full[8-tail:], groups[gap:n])
		groups = full
	}
	return groups, embedded, four, written >= 3 || long
}

func hexDigit(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
