// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

const (
	hexIDLength     = 32
	uuidFirstLength = 8
	// idBlank stands for a character of an id; no pattern of the policy matches it.
	idBlank = 0x01
)

// withoutIDs is the text with U+0001 for each character of an id, which is 32 hex digits of one case or
// a UUID. An id of digits alone is none: it may be a number.
func withoutIDs(s string) string {
	if len(s) < hexIDLength {
		return s
	}
	var blanked []byte
	for start := 0; start < len(s); {
		end, seen := start, byte(0)
		for end < len(s) && classes[s[end]]&classAlnum != 0 {
			seen |= classes[s[end]]
			end++
		}
		stop := end
		switch end - start {
		case hexIDLength:
			if seen&classLetter == classLetter || !areHex(s[start:end]) {
				seen = 0
			}
		case uuidFirstLength:
			stop, seen = uuid(s, start)
		default:
			seen = 0
		}
		if seen&classLetter == 0 {
			start = max(end, start+1)
			continue
		}
		if blanked == nil {
			blanked = []byte(s)
		}
		for ; start < stop; start++ {
			blanked[start] = idBlank
		}
	}
	if blanked == nil {
		return s
	}
	return string(blanked)
}

func areHex(s string) bool {
	for i := range len(s) {
		if classes[s[i]]&classHex == 0 {
			return false
		}
	}
	return true
}

// uuid is the end of the UUID that begins at start and the classes of its digits, which are 0 if there is none.
func uuid(s string, start int) (end int, seen byte) {
	end = start + uuidLength
	if end > len(s) || end < len(s) && classes[s[end]]&classAlnum != 0 {
		return 0, 0
	}
	for i := range uuidLength {
		class := classes[s[start+i]]
		switch i {
		case 8, 13, 18, 23: // the ends of its groups
			if s[start+i] != '-' {
				return 0, 0
			}
		default:
			if class&classHex == 0 {
				return 0, 0
			}
			seen |= class
		}
	}
	return end, seen
}
