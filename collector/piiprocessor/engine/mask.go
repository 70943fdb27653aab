// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
)

const (
	// pseudonymLength is the number of hex digits of a pseudonym: the key's id, and what is kept of
	// an HMAC.
	pseudonymLength = 16
	keyIDLength     = 2
	keyIDMessage    = "glasshouse key id"
)

type pseudonymiser struct {
	pool  sync.Pool
	keyID string
}

func newPseudonymiser(key []byte) *pseudonymiser {
	key = append([]byte(nil), key...)
	p := &pseudonymiser{}
	p.pool.New = func() any { return hmac.New(sha256.New, key) }
	p.keyID = p.digits(keyIDMessage, keyIDLength)
	return p
}

// CurrentKey returns the key that pseudonyms are made with: the first line of a file of keys that is
// not empty. The other lines are keys of before.
func CurrentKey(file []byte) []byte {
	for line := range bytes.Lines(file) {
		if key := bytes.TrimSpace(line); len(key) > 0 {
			return key
		}
	}
	return nil
}

// of returns the pseudonym of s: the key's id, which names the key it was made with, and 14
// digits of HMAC-SHA256.
func (p *pseudonymiser) of(s string) string {
	return p.keyID + p.digits(s, pseudonymLength-keyIDLength)
}

func (p *pseudonymiser) digits(s string, length int) string {
	mac := p.pool.Get().(interface {
		Write([]byte) (int, error)
		Sum([]byte) []byte
		Reset()
	})
	defer p.pool.Put(mac)
	mac.Reset()
	mac.Write([]byte(s))
	var sum [sha256.Size]byte
	return hex.EncodeToString(mac.Sum(sum[:0])[:length/2])
}

// userMask is the name of what takes the place of a user id, as of glasshouse.user_pseudonym.
const userMask = "user"

func (e *Engine) user(id string) string { return "[" + userMask + ":" + e.pseudonyms.of(id) + "]" }

// canonicalEmail and canonicalPhone are what the pseudonym is taken of, so that one address gets
// one name however it was written.
func canonicalEmail(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func canonicalPhone(s string) string {
	return strings.TrimPrefix(onlyDigits(numberOf(s)), "00")
}

func onlyDigits(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if isDigit(s[i]) {
			out = append(out, s[i])
		}
	}
	return string(out)
}

// maskEnd returns the end of the mask that begins at s[at], or -1. It is one of the policy's names
// in brackets, perhaps with `:` and 1 to 48 of [0-9a-f.:*].
func (e *Engine) maskEnd(s string, at int) int {
	i := at + 1
	if at >= len(s) || s[at] != '[' || i >= len(s) || s[i] < 'a' || s[i] > 'z' {
		return -1
	}
	for i++; i < len(s) && i-at <= 32 && (s[i] >= 'a' && s[i] <= 'z' || isDigit(s[i]) || s[i] == '_'); i++ {
	}
	if !e.masks[s[at+1:i]] {
		return -1
	}
	if i < len(s) && s[i] == ':' {
		start := i + 1
		for i++; i < len(s) && i-start < 48 && (isDigit(s[i]) || s[i] >= 'a' && s[i] <= 'f' || s[i] == '.' || s[i] == ':' || s[i] == '*'); i++ {
		}
		if i == start {
			return -1
		}
	}
	if i < len(s) && s[i] == ']' {
		return i + 1
	}
	return -1
}

// longestMask is the length of the longest mask: brackets, 32, a colon and 48.
const longestMask = 2 + 32 + 1 + 48

func (e *Engine) isMask(s string) bool { return s != "" && s[0] == '[' && e.maskEnd(s, 0) == len(s) }

// insideMask reports whether s[start:end] lies wholly within a mask. A mask holds no `[` but its
// first, so only the last one at or before start can begin it.
func (e *Engine) insideMask(s string, start, end int) bool {
	low := max(0, start-longestMask)
	open := strings.LastIndexByte(s[low:min(len(s), start+1)], '[')
	if open < 0 {
		return false
	}
	return e.maskEnd(s, low+open) >= end
}
