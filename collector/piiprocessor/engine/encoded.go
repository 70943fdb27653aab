// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"unicode/utf8"
)

// longestEncoded bounds what is decoded, so that a text costs no more than its length.
const longestEncoded = 64 << 10

// validateEncoded holds for base64 of a text that has something to hide: JSON in which a rule or a
// key hits, or a JWT.
func validateEncoded(e *Engine, s string, start, end int) (int, string, bool) {
	if end-start > longestEncoded {
		return end, "", false
	}
	decoded, ok := decodeBase64(s[start:end])
	if !ok || !utf8.Valid(decoded) {
		return end, "", false
	}
	text := string(decoded)
	if header, rest, isJWT := strings.Cut(text, "."); isJWT && rest != "" && strings.HasPrefix(header, "eyJ") {
		if inner, ok := decodeBase64(header); ok && strings.HasPrefix(string(inner), `{"`) && inner[len(inner)-1] == '}' {
			return end, "", true
		}
	}
	_, changed := e.text(noKey, text, nil, 1)
	return end, "", changed
}
