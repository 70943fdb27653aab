// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "unicode/utf8"

// gone is what characters read as that are not seen at all.
const gone rune = -1

// decimalZeros are the zeros of Unicode's decimal digits (category Nd), of which nine more follow each.
var decimalZeros = []rune{
	0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20,
	0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50,
	0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0x104a0, 0x10d30, 0x10d40, 0x11066, 0x110f0, 0x11136,
	0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x116d0, 0x116da, 0x11730, 0x118e0, 0x11950, 0x11bf0,
	0x11c50, 0x11d50, 0x11da0, 0x11de0, 0x11f50, 0x16a60, 0x16ac0, 0x16b50, 0x1ccf0, 0x1d7ce, 0x1d7d8, 0x1d7e2,
	0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e4f0, 0x1e5f1, 0x1e950, 0x1fbf0,
}

// lookAlikes are characters that read as an ASCII one, or not at all.
var lookAlikes = []struct {
	first, last rune
	as          rune
}{
	// Spaces: Zs, and the two separators of lines.
	{0xa0, 0xa0, ' '}, {0x1680, 0x1680, ' '}, {0x2000, 0x200a, ' '}, {0x202f, 0x202f, ' '}, {0x205f, 0x205f, ' '},
	{0x3000, 0x3000, ' '}, {0x2028, 0x2029, '\n'},
	// Dashes: Pd, and the minus sign.
	{0x58a, 0x58a, '-'}, {0x5be, 0x5be, '-'}, {0x1400, 0x1400, '-'}, {0x1806, 0x1806, '-'}, {0x2010, 0x2015, '-'},
	{0x2212, 0x2212, '-'}, {0x2e17, 0x2e17, '-'}, {0x2e1a, 0x2e1a, '-'}, {0x2e3a, 0x2e3b, '-'}, {0x2e40, 0x2e40, '-'},
	{0x2e5d, 0x2e5d, '-'}, {0x301c, 0x301c, '-'}, {0x3030, 0x3030, '-'}, {0x30a0, 0x30a0, '-'}, {0xfe31, 0xfe32, '-'},
	{0xfe58, 0xfe58, '-'}, {0x10d6e, 0x10d6e, '-'}, {0x10ead, 0x10ead, '-'},
	// Slashes, and the small forms.
	{0x2044, 0x2044, '/'}, {0x2215, 0x2215, '/'}, {0xfe50, 0xfe50, ','}, {0xfe52, 0xfe52, '.'}, {0xfe54, 0xfe54, ';'},
	{0xfe55, 0xfe55, ':'}, {0xfe59, 0xfe59, '('}, {0xfe5a, 0xfe5a, ')'}, {0xfe5f, 0xfe5f, '#'}, {0xfe60, 0xfe60, '&'},
	{0xfe62, 0xfe62, '+'}, {0xfe63, 0xfe63, '-'}, {0xfe66, 0xfe66, '='}, {0xfe6b, 0xfe6b, '@'},
	// What has no width, or only says how to show what stands beside it.
	{0xad, 0xad, gone}, {0x34f, 0x34f, gone}, {0x61c, 0x61c, gone}, {0x180e, 0x180e, gone}, {0x200b, 0x200f, gone}, {0x202a, 0x202e, gone},
	{0x2060, 0x2064, gone}, {0x2066, 0x206f, gone}, {0xfe00, 0xfe0f, gone}, {0xfeff, 0xfeff, gone},
}

const (
	fullWidthFirst, fullWidthLast = 0xff01, 0xff5e // stand for ! to ~, in their order
	ideographicStop, halfStop     = 0x3002, 0xff61 // `。`, a dot within a name
)

const (
	foldPages = 0x1fc // of 256 characters; none beyond folds
	pageShift = 8
	pageMask  = 1<<pageShift - 1
)

// foldTable has what each character reads as, 0 for itself.
var foldTable = func() (t [foldPages]*[pageMask + 1]int8) {
	put := func(r rune, as rune) {
		if t[r>>pageShift] == nil {
			t[r>>pageShift] = &[pageMask + 1]int8{}
		}
		t[r>>pageShift][r&pageMask] = int8(as)
	}
	for _, zero := range decimalZeros {
		for n := range rune(10) {
			put(zero+n, '0'+n)
		}
	}
	for _, one := range lookAlikes {
		for r := one.first; r <= one.last; r++ {
			put(r, one.as)
		}
	}
	for r := rune(fullWidthFirst); r <= fullWidthLast; r++ {
		put(r, r-fullWidthFirst+'!')
	}
	put(ideographicStop, '.')
	put(halfStop, '.')
	return t
}()

// foldStarts are the bytes with which an atom of a view may begin.
var foldStarts = func() (t [256]bool) {
	for _, c := range []byte(`\%&#` + "\x1b") {
		t[c] = true
	}
	for page, folds := range foldTable {
		if folds == nil {
			continue
		}
		for low, as := range folds {
			if as != 0 {
				var encoded [utf8.UTFMax]byte
				utf8.EncodeRune(encoded[:], rune(page<<pageShift|low))
				t[encoded[0]] = true
			}
		}
	}
	return t
}()

// foldRune is what a character reads as: an ASCII one, itself, or gone.
func foldRune(r rune) rune {
	if page := r >> pageShift; page > 0 && page < foldPages || r >= utf8.RuneSelf && page == 0 {
		if folds := foldTable[page]; folds != nil {
			if as := folds[r&pageMask]; as != 0 {
				return rune(as)
			}
		}
	}
	return r
}
