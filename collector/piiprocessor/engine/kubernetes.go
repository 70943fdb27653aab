// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "strings"

// kindWindow is how far before and after its data the kind of an object is looked for, in bytes.
const kindWindow = 4096

func init() { validators["kubernetes_secret"] = validateKubernetesSecret }

// validateKubernetesSecret moves the end of a hit, which is the beginning of the line after `data:`, to
// that of the lines that are indented deeper than it. The object must be a Secret.
func validateKubernetesSecret(_ *Engine, s string, start, end int) (newEnd int, form string, ok bool) {
	head := strings.LastIndexByte(s[:start-1], '\n') + 1
	if member := strings.TrimLeft(s[head:start], " \t-"); !strings.HasPrefix(member, "data:") && !strings.HasPrefix(member, "stringData:") {
		return end, "", false
	}
	if s[start] != '{' {
		end = blockEnd(s, start)
	}
	if end <= start {
		return end, "", false
	}
	before := s[max(0, start-kindWindow):start]
	if at := strings.LastIndex(before, "\n---"); at >= 0 {
		before = before[at:]
	}
	after := s[end:min(len(s), end+kindWindow)]
	if at := strings.Index(after, "\n---"); at >= 0 {
		after = after[:at]
	}
	return end, "", saysKindSecret(before) || saysKindSecret(after)
}

// blockEnd is the end of the lines from start on that are indented deeper than the line before them.
func blockEnd(s string, start int) int {
	head := strings.LastIndexByte(s[:start-1], '\n') + 1
	indent := indentOf(s[head:start])
	kept := start
	for at := start; at < len(s); {
		stop := strings.IndexByte(s[at:], '\n')
		if stop < 0 {
			stop = len(s) - at
		}
		line := strings.TrimRight(s[at:at+stop], "\r \t")
		if line != "" && indentOf(line) <= indent {
			break
		}
		if line != "" {
			kept = at + len(line)
		}
		at += stop + 1
	}
	return kept
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

// saysKindSecret looks for `kind: Secret` at the end of a line.
func saysKindSecret(s string) bool {
	for {
		_, rest, found := strings.Cut(s, "kind:")
		if !found {
			return false
		}
		line, _, _ := strings.Cut(rest, "\n")
		if strings.Trim(line, " \t\r\"',") == "Secret" {
			return true
		}
		s = rest
	}
}
