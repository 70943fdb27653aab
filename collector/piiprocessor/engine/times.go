// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"regexp"
	"strings"
)

// timeReach is how many bytes before and behind a hit are searched.
const timeReach = 48

const (
	datePattern  = `[12][0-9]{3}[-/.][01][0-9][-/.][0-3][0-9]`
	clockPattern = `[0-2]?[0-9]:[0-5][0-9]:[0-6][0-9](?:[.,:][0-9]{1,9})?`
	zonePattern  = `(?: ?(?:Z|UTC|GMT|[+-][0-2][0-9]:?[0-5][0-9]))?`
	monthPattern = `(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)`
)

// timePattern finds times, dates and UUIDs. The first that fits at a place counts, so longer forms
// stand first.
var timePattern = regexp.MustCompile(strings.Join([]string{
	// RFC 3339 and what databases write; without seconds; that of BlueGene, with dots.
	datePattern + `[T _]` + clockPattern + zonePattern,
	datePattern + `[T _][0-2][0-9]:[0-5][0-9]` + zonePattern,
	datePattern + `-[0-2][0-9]\.[0-5][0-9]\.[0-6][0-9]\.[0-9]{1,9}`,
	// ISO 8601 without separators.
	`[12][0-9]{3}[01][0-9][0-3][0-9]T[0-2][0-9][0-5][0-9][0-6][0-9](?:[.,][0-9]{1,9})?` + zonePattern,
	// Apache and nginx; syslog; the C library's.
	`[0-3][0-9]/` + monthPattern + `/[12][0-9]{3}:` + clockPattern + zonePattern,
	monthPattern + ` [ 0-3]?[0-9],? (?:[12][0-9]{3},? )?` + clockPattern + zonePattern + `(?: [12][0-9]{3})?`,
	// klog, with the thread; Chromium; Android's, without a year; others with a short date.
	`[IWEF][01][0-9][0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{6}(?: +[0-9]{1,7})?`,
	`[01][0-9][0-3][0-9]/[0-2][0-9][0-5][0-9][0-6][0-9](?:\.[0-9]{1,6})?:`,
	`[0-3][0-9][-/.][0-3][0-9](?:[-/.](?:[12][0-9])?[0-9]{2})? ` + clockPattern + zonePattern,
	clockPattern + zonePattern,
	// Dates alone.
	datePattern,
	`[0-3]?[0-9][-/.][0-3]?[0-9][-/.](?:19|20)[0-9]{2}`,
	// RFC 9562.
	`[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}`,
}, "|"))

// cutAtTime returns where a hit ends at the latest: before the first time in it, or at start.
func cutAtTime(s string, start, end int) int {
	low := max(0, start-timeReach)
	window := s[low:min(len(s), end+timeReach)]
	if !mayHoldTime(window) {
		return end
	}
	for at := 0; at < end-low; {
		found := timePattern.FindStringIndex(window[at:])
		if found == nil || at+found[0] >= end-low {
			break
		}
		first, last := at+found[0], at+found[1]
		switch {
		case !standsAlone(window, first, last):
			at = first + 1
		case last > start-low:
			for first > 0 && !isAlnum(window[first-1]) {
				first--
			}
			return max(start, first+low)
		default:
			at = last
		}
	}
	return end
}

// standsAlone reports whether no digit is cut off at either end.
func standsAlone(s string, first, last int) bool {
	if first > 0 && isDigit(s[first-1]) && isAlnum(s[first]) {
		return false
	}
	return last == len(s) || !isDigit(s[last])
}

// mayHoldTime reports cheaply whether any form is possible. Each has one of these: a colon or a T
// between digits; the first two signs of a date; the last sign of one, before its year; the slash of
// Chromium's; two dashes of a UUID with four characters between.
func mayHoldTime(s string) bool {
	for i := 1; i+1 < len(s); i++ {
		switch s[i] {
		case ':', 'T':
			if isDigit(s[i-1]) && isDigit(s[i+1]) {
				return true
			}
		case '/', '-', '.':
			if classes[s[i-1]]&classes[s[i+1]]&classHex != 0 && mayJoinDate(s, i) {
				return true
			}
		}
	}
	return false
}

// mayJoinDate is for a slash, dash or dot.
func mayJoinDate(s string, i int) bool {
	const year, day, time, group = len("2026"), len("01"), len("061249"), len("4a63")
	hasYear := i >= year && areDigits(s[i-year:i])
	switch after := s[i+1:]; {
	case hasYear && len(after) > day && (after[day] == '-' || after[day] == '/' || after[day] == '.'):
		return true
	case hasYear && s[i] == '/' && len(after) > time && areDigits(after[:time]):
		return true
	case len(after) >= year && (after[:2] == "19" || after[:2] == "20") && areDigits(after[:year]):
		return true
	default:
		return s[i] == '-' && len(after) > group && after[group] == '-'
	}
}
