// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

func init() { validators["id_like"] = plain(isIDLike) }

// isIDLike is for ids that count only beside their word.
func isIDLike(hit string) bool {
	chars := 0
	for i := range len(hit) {
		if isAlnum(hit[i]) {
			chars++
		}
	}
	digits := onlyDigits(hit)
	return chars >= 6 && chars <= 24 && len(digits) >= 5 && !allSame([]byte(digits)) && !isDate(hit)
}

// isDate recognises 2026-11-25 and 25.11.2026 with any one separator between the groups.
func isDate(hit string) bool {
	if len(hit) != 10 {
		return false
	}
	return (areDigits(hit[:4]) && areDigits(hit[5:7]) && areDigits(hit[8:]) && !isAlnum(hit[4]) && hit[4] == hit[7]) ||
		(areDigits(hit[:2]) && areDigits(hit[3:5]) && areDigits(hit[6:]) && !isAlnum(hit[2]) && hit[2] == hit[5])
}
