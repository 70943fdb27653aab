// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

func init() {
	for name, test := range map[string]func(string) bool{
		"nif": isNIF, "hetu": isHETU, "nric": isNRIC, "aadhaar": isAadhaar, "rrn": isRRN, "cpf": isCPF, "tckn": isTCKN, "nhs": isNHS,
		"luhn9": isLuhn9, "aba": isABA, "id_like": isIDLike,
	} {
		validators[name] = plain(test)
	}
}

// ids are checked over their digits alone; each issuer's rule is in redaction/README.md.

func isNIF(hit string) bool {
	n, digits, last := 0, 0, len(hit)-1
	for i := range last {
		switch c := hit[i]; {
		case isDigit(c):
			n = (n*10 + int(c-'0')) % 23
			digits++
		case i == 0 && c&^0x20 >= 'X' && c&^0x20 <= 'Z':
			n = int(c&^0x20 - 'X')
			digits++
		case c != '-':
			return false
		}
	}
	return digits > 0 && "TRWAGMYFPDXBNJZSQVHLCKE"[n%23] == hit[last]&^0x20
}

func isHETU(hit string) bool {
	if len(hit) != len("010101-001A") || !areDigits(hit[:6]) || !areDigits(hit[7:10]) {
		return false
	}
	day, month := number([]byte(hit[:2])), number([]byte(hit[2:4]))
	n := number([]byte(hit[:6] + hit[7:10]))
	return day >= 1 && day <= 31 && month >= 1 && month <= 12 && "0123456789ABCDEFHJKLMNPRSTUVWXY"[n%31] == hit[10]
}

func isNRIC(hit string) bool {
	if len(hit) != len("S1234567D") || !areDigits(hit[1:8]) {
		return false
	}
	sum := 0
	for i, weight := range [...]int{2, 7, 6, 5, 4, 3, 2} {
		sum += int(hit[i+1]-'0') * weight
	}
	letters := "JZIHGFEDCBA"
	switch hit[0] {
	case 'F':
		letters = "XWUTRQPNMLK"
	case 'G':
		sum, letters = sum+4, "XWUTRQPNMLK"
	case 'T':
		sum += 4
	case 'M':
		sum, letters = sum+3, "XWUTRQPNJLK"
	}
	return letters[sum%11] == hit[8]
}

var verhoeffMultiply = [10][10]byte{
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5}, {2, 3, 4, 0, 1, 7, 8, 9, 5, 6}, {3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
	{4, 0, 1, 2, 3, 9, 5, 6, 7, 8}, {5, 9, 8, 7, 6, 0, 4, 3, 2, 1}, {6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
	{8, 7, 6, 5, 9, 3, 2, 1, 0, 4}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
}

var verhoeffPermute = [8][10]byte{
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4}, {5, 8, 0, 3, 7, 9, 6, 1, 4, 2}, {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
	{9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1}, {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8},
}

func isAadhaar(hit string) bool {
	digits := onlyDigits(hit)
	check := byte(0)
	for i := range len(digits) {
		check = verhoeffMultiply[check][verhoeffPermute[i%8][digits[len(digits)-1-i]-'0']]
	}
	return len(digits) == 12 && check == 0
}

func isRRN(hit string) bool {
	if len(hit) < len("900101") || !areDigits(hit[2:6]) {
		return false
	}
	month, day := number([]byte(hit[2:4])), number([]byte(hit[4:6]))
	return month >= 1 && month <= 12 && day >= 1 && day <= 31
}

func isCPF(hit string) bool {
	d := []byte(onlyDigits(hit))
	if len(d) != 11 || allSame(d) {
		return false
	}
	for n := 9; n <= 10; n++ {
		sum := 0
		for i := range n {
			sum += int(d[i]-'0') * (n + 1 - i)
		}
		if sum*10%11%10 != int(d[n]-'0') {
			return false
		}
	}
	return true
}

func isTCKN(hit string) bool {
	if len(hit) != 11 || !areDigits(hit) {
		return false
	}
	var d [11]int
	sum := 0
	for i := range d {
		d[i] = int(hit[i] - '0')
		if i < 10 {
			sum += d[i]
		}
	}
	odd, even := d[0]+d[2]+d[4]+d[6]+d[8], d[1]+d[3]+d[5]+d[7]
	return ((odd*7-even)%10+10)%10 == d[9] && sum%10 == d[10]
}

func isNHS(hit string) bool {
	d := onlyDigits(hit)
	if len(d) != 10 {
		return false
	}
	sum := 0
	for i := range 9 {
		sum += int(d[i]-'0') * (10 - i)
	}
	return (11-sum%11)%11 == int(d[9]-'0')
}

func isLuhn9(hit string) bool {
	d := []byte(onlyDigits(hit))
	return len(d) == 9 && luhn(d) && !allSame(d)
}

func isABA(hit string) bool {
	d := onlyDigits(hit)
	sum := 0
	for i := range len(d) {
		sum += int(d[i]-'0') * [...]int{3, 7, 1}[i%3]
	}
	return len(d) == 9 && sum > 0 && sum%10 == 0
}

// isIDLike is for ids that count only beside their word.
func isIDLike(hit string) bool {
	chars := 0
	for i := range len(hit) {
		if isAlnum(hit[i]) {
			chars++
		}
	}
	digits := onlyDigits(hit)
	return chars >= 6 && chars <= 20 && len(digits) >= 5 && !allSame([]byte(digits)) && !isDate(hit)
}

// isDate recognises 2026-11-25 and 25.11.2026 with any one separator between the groups.
func isDate(hit string) bool {
	if len(hit) != 10 {
		return false
	}
	return (areDigits(hit[:4]) && areDigits(hit[5:7]) && areDigits(hit[8:]) && !isAlnum(hit[4]) && hit[4] == hit[7]) ||
		(areDigits(hit[:2]) && areDigits(hit[3:5]) && areDigits(hit[6:]) && !isAlnum(hit[2]) && hit[2] == hit[5])
}
