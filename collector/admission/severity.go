// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/plog"
)

const (
	// originalSeverityKey has a severity that says more than the one in its place.
	originalSeverityKey = "admission.original_severity"
	// unspecified is the text of a severity that nobody knows.
	unspecified = "UNSPECIFIED"
	// severityBytes is what stays of one.
	severityBytes = 64
	longestLevel  = len("INFORMATIONAL")
)

// severityTexts are the short names of the numbers: all texts that are stored. As a label in a
// query any other would be a series each.
// https://opentelemetry.io/docs/specs/otel/logs/data-model/#displaying-severity
var severityTexts = [25]string{
	"", "TRACE", "TRACE2", "TRACE3", "TRACE4", "DEBUG", "DEBUG2", "DEBUG3", "DEBUG4",
	"INFO", "INFO2", "INFO3", "INFO4", "WARN", "WARN2", "WARN3", "WARN4",
	"ERROR", "ERROR2", "ERROR3", "ERROR4", "FATAL", "FATAL2", "FATAL3", "FATAL4",
}

// levels are the names that libraries have for them, in upper case.
var levels = func() map[string]plog.SeverityNumber {
	known := map[string]plog.SeverityNumber{
		"VERBOSE": 1, "FINEST": 1, "FINER": 3, "FINE": 5, "DBG": 5, "INFORMATION": 9, "INFORMATIONAL": 9,
		"NOTICE": 10, "WARNING": 13, "ERR": 17, "SEVERE": 17, "CRITICAL": 21, "CRIT": 21, "ALERT": 21,
		"DPANIC": 21, "PANIC": 21, "EMERG": 21, "EMERGENCY": 21,
	}
	for number, text := range severityTexts[1:] {
		known[text] = plog.SeverityNumber(number + 1)
	}
	return known
}()

// severity makes the text the one of the number. A record that has only a text gets its number where
// a library is known to use it. It returns the length of the text.
func (v *visit) severity(record plog.LogRecord) int {
	if v.actions[severity] == keep {
		return v.short(record.SeverityText(), record.SetSeverityText)
	}
	number, text := record.SeverityNumber(), record.SeverityText()
	if number >= 0 && int(number) < len(severityTexts) && text == severityTexts[number] {
		return len(text)
	}
	means := plog.SeverityNumber(0)
	if len(text) <= longestLevel {
		means = levels[strings.ToUpper(text)]
	}
	original := ""
	switch {
	case number < 0 || int(number) >= len(severityTexts): // no severity; a search for errors must not find it
		original = strings.TrimSpace(strconv.Itoa(int(number)) + " " + text)
		number = means
	case number == 0:
		number = means
	}
	// A level's usual name says no more than its number, as long as they agree.
	if original == "" && text != "" && (means == 0 || group(means) != group(number)) && text != unspecified {
		original = text
	}
	if original != "" {
		if !v.hit(severity) {
			return len(text)
		}
		record.Attributes().PutStr(originalSeverityKey, prefix(validText(original), severityBytes))
	}
	fixed := unspecified
	if number != 0 {
		fixed = severityTexts[number]
	}
	record.SetSeverityNumber(number)
	record.SetSeverityText(fixed)
	return len(fixed)
}

// group is a level without its steps: TRACE, DEBUG, INFO, WARN, ERROR or FATAL.
func group(number plog.SeverityNumber) plog.SeverityNumber { return (number - 1) / 4 }
