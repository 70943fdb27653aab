// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

// beginsParameter reports whether a name at start is that of a parameter of a URL, or of one in a text
// that is a query.
func beginsParameter(s string, start int, query bool) bool {
	if start == 0 {
		return query
	}
	switch s[start-1] {
	case '?', '&', ';', '#':
		return true
	}
	return false
}

// shortestParameterToken is the least length of a token in a parameter that has ordinary values, too.
const shortestParameterToken = 6

// isParameterToken reports whether the value of a parameter is a token, and no word or small number.
func isParameterToken(s string) bool {
	return len(s) >= shortestParameterToken && isNotWords(s)
}
