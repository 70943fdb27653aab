// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "unsafe"

// nameGroup is what a pattern calls the group that holds a name; the value is in another group.
const nameGroup = "name"

const namedGroup = "(?P<" + nameGroup + ">"

// findNamed appends what a rule replaces whose pattern finds a name and its value: the values of
// secret names.
func (e *Engine) findNamed(edits []edit, r *rule, s string, h *Hits) []edit {
	for pos := 0; pos < len(s); {
		m := r.pattern.FindStringSubmatchIndex(s[pos:])
		if m == nil {
			break
		}
		if m[2*r.nameGroup] < 0 {
			pos += m[1] // another way of the pattern, that has no name
			continue
		}
		name := [2]int{pos + m[2*r.nameGroup], pos + m[2*r.nameGroup+1]}
		start, end := -1, -1
		for g := 2; g < len(m) && start < 0; g += 2 {
			if m[g] >= 0 && g != 2*r.nameGroup {
				start, end = pos+m[g], pos+m[g+1]
			}
		}
		at := pos + m[0]
		// The next name may begin where this match goes on.
		pos = min(pos+m[1], name[1])
		if start >= 0 && start < name[0] {
			pos = end
		}
		key := e.named(s[name[0]:name[1]])
		if key == nil || start >= end || (at > 0 && r.notBefore.has(s[at-1])) || isPlaceholder(s[start:end]) || file.MatchString(s[start:end]) || key.spares(s[start:end]) ||
			(end < len(s) && r.notAfter.has(s[end])) || e.insideMask(s, start, end) {
			continue
		}
		if r.validate != nil {
			if _, _, ok := r.validate(e, s, start, end); !ok {
				continue
			}
		}
		e.hit(h, r.index)
		edits = append(edits, edit{start: start, end: end, mask: key.masked})
		pos = max(end, name[1])
	}
	return edits
}

// named returns the key rule for a name in a text, if it is one of a secret.
func (e *Engine) named(name string) *keyRule {
	if len(name) > longestName {
		name = name[len(name)-longestName:]
	}
	var buffer [2 * longestName]byte
	normal := appendNormal(buffer[:0], name)
	if len(normal) == 0 {
		return nil
	}
	return e.secretKey(unsafe.String(&normal[0], len(normal)), 0, inPlainText)
}
