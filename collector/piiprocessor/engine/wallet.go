// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"crypto/sha256"
	"strings"
)

const (
	bitcoinAlphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	xrpAlphabet     = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
	bech32Alphabet  = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	base32Alphabet  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

// base58 decodes at most 64 characters.
func base58(s, alphabet string) []byte {
	var big [48]byte // little endian
	used := 0
	for i := range len(s) {
		carry := strings.IndexByte(alphabet, s[i])
		if carry < 0 {
			return nil
		}
		for j := 0; j < used || carry > 0; j++ {
			if j == len(big) {
				return nil
			}
			carry += int(big[j]) * 58
			big[j] = byte(carry)
			carry >>= 8
			if j >= used {
				used = j + 1
			}
		}
	}
	zeros := 0
	for zeros < len(s) && s[zeros] == alphabet[0] {
		zeros++
	}
	out := make([]byte, zeros, zeros+used)
	for j := used - 1; j >= 0; j-- {
		out = append(out, big[j])
	}
	return out
}

func checksumHolds(payload []byte) bool {
	n := len(payload) - 4
	first := sha256.Sum256(payload[:n])
	second := sha256.Sum256(first[:])
	return bytes.Equal(second[:4], payload[n:])
}

func isBase58Check(hit string) bool {
	if !isMixedCase(hit) {
		return false
	}
	if hit[0] == 'r' {
		decoded := base58(hit, xrpAlphabet)
		return len(decoded) == 25 && checksumHolds(decoded)
	}
	decoded := base58(hit, bitcoinAlphabet)
	switch len(decoded) {
	case 25, 26, 27, 37, 38:
		return checksumHolds(decoded)
	}
	return false
}

// isBase58Key is for a Solana key, and a Polkadot one with its prefix and checksum.
func isBase58Key(hit string) bool {
	if !isMixedCase(hit) {
		return false
	}
	const solana, polkadot = 32, 35
	n := len(base58(hit, bitcoinAlphabet))
	return n == solana || n == polkadot
}

// isBech32 follows BIP 173 and BIP 350.
func isBech32(hit string) bool {
	low := lowerASCII(hit)
	if low != hit && strings.ToUpper(hit) != hit {
		return false
	}
	one := strings.LastIndexByte(low, '1')
	if one < 1 || len(low)-one-1 < 6 {
		return false
	}
	hrp, data := low[:one], low[one+1:]
	sum := uint32(1)
	step := func(v byte) {
		top := sum >> 25
		sum = (sum&0x1ffffff)<<5 ^ uint32(v)
		for i, g := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	for i := range len(hrp) {
		step(hrp[i] >> 5)
	}
	step(0)
	for i := range len(hrp) {
		step(hrp[i] & 31)
	}
	values := make([]byte, len(data))
	for i := range len(data) {
		v := strings.IndexByte(bech32Alphabet, data[i])
		if v < 0 {
			return false
		}
		values[i] = byte(v)
		step(byte(v))
	}
	const bech32m = 0x2bc830a3
	if sum != 1 && sum != bech32m {
		return false
	}
	switch hrp {
	case "bc", "tb", "bcrt", "ltc", "tltc":
		return len(low) <= 90 && isSegwit(values[:len(values)-6], sum == 1)
	}
	return true
}

func isSegwit(values []byte, plain bool) bool {
	if len(values) < 1 || values[0] > 16 {
		return false
	}
	bits := (len(values) - 1) * 5
	program, rest := bits/8, bits%8
	if rest > 4 || (rest > 0 && values[len(values)-1]&(1<<rest-1) != 0) {
		return false
	}
	if values[0] == 0 {
		return plain && (program == 20 || program == 32)
	}
	// BIP 173 gave later versions the older checksum, too; there are such addresses, but for Taproot.
	const taproot = 32
	return program >= 2 && program <= 40 && (!plain || program != taproot)
}

// isOtherWallet checks a Stellar key (SEP 23); the other forms of its rule have no checksum here.
func isOtherWallet(hit string) bool {
	if len(hit) != 56 || (hit[0] != 'G' && hit[0] != 'S') {
		return true
	}
	var key [35]byte
	n, buffer, bits := 0, 0, 0
	for i := range len(hit) {
		buffer = buffer<<5 | strings.IndexByte(base32Alphabet, hit[i])
		if bits += 5; bits >= 8 {
			bits -= 8
			key[n] = byte(buffer >> bits)
			n++
		}
	}
	if key[0] != 0x30 && key[0] != 0x90 {
		return false
	}
	crc := uint16(0)
	for _, b := range key[:33] {
		crc ^= uint16(b) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return key[33] == byte(crc) && key[34] == byte(crc>>8)
}
