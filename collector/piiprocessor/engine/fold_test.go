// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
)

// viewCases are texts and their views.
var viewCases = [][2]string{
	{`a\nb\\tc\\\\rd`, "a\nb\tc\rd"},
	{strings.Repeat(`\`, 8) + "n", "\n"},
	{strings.Repeat(`\`, 9) + "n", strings.Repeat(`\`, 9) + "n"},
	{`\x41\u0042\u00e9\xc3\xa9\xc3`, "ABéé" + `\xc3`},
	{`\ud83d\ude00 \ud83d \\ud83d\ude00`, "\U0001f600 \ufffd \ufffd\ufffd"},
	{`\u00a0\uff10\u200b|\u3002`, " 0|。"},
	{"\x1b[1;31mred\x1b[0m", " red "},
	{`\x1b[31m|\033[0m|\e[K|\\u001b[1m|#033[0m|\x1b`, " | | | | |\x1b"},
	{"#011#012#015#013#0", "\t\n\r#013#0"},
	{"%40%2540%252540", "@@@"},
	{"%c3%a9%C3%A9%c3|100%25|50%2520", "éé%c3|100%|50 "},
	{"%d %2 %zz %2525ab", "%d %2 %zz %25ab"},
	{"&#64;&#x40;&commat;&amp;#64;&amp;amp;commat;", "@@@@@"},
	{"&amp;&amp;x;&none;&#0;&#xd800;&#1114112;&", "&&x;&none;&#0;&#xd800;&#1114112;&"},
	{"a&shy;b", "ab"},
	{"٤٥६७𝟎𝟗１", "4567091"},
	{"a\u00a0b\u2003c\u3000d\u2011e\u2212f", "a b c d-e-f"},
	{"a。b。中。c｡\u200bd 第。", "a.b。中。c｡d 第。"},
	{"ｊ＠ｅ。ｃ", "j@e.c"},
	{"中文 é ő ‰ naïve", "中文 é ő ‰ naïve"},
	{"\xff\xc3(\xe2\x80", "\xff\xc3(\xe2\x80"},
}

func TestView(t *testing.T) {
	var v view
	defer v.release()
	for _, one := range viewCases {
		if v.of(one[0]); v.text != one[1] {
			t.Errorf("%q reads as %q, want %q", one[0], v.text, one[1])
		}
		if v.text == one[0] && v.atoms != nil {
			t.Errorf("%q is its own view, but was copied", one[0])
		}
	}
}

// TestViewLeadsBack: each byte of a view lies in the stretch of the text that it was made of.
func TestViewLeadsBack(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var v view
	defer v.release()
	for range 2_000 {
		text := ""
		for range 1 + random.IntN(5) {
			text += viewCases[random.IntN(len(viewCases))][0]
		}
		v.of(text)
		last := 0
		for at := range len(v.text) {
			start, end := v.place(at)
			if start < last || end <= start || end > len(text) {
				t.Fatalf("%q, view %q: byte %d is at %d to %d, after %d", text, v.text, at, start, end, last)
			}
			if end-start == 1 && text[start] != v.text[at] {
				t.Fatalf("%q, view %q: byte %d is at %d", text, v.text, at, start)
			}
			last = start
		}
	}
}

func TestEditsTakeWholeAtoms(t *testing.T) {
	const text = "a\\u00e9\u200b1\u200b2\u200bz"
	var v view
	defer v.release()
	v.of(text)
	if v.text != "aé12z" {
		t.Fatalf("the view is %q", v.text)
	}
	edits := []edit{{start: 2, end: 5, mask: "[x]"}} // the second byte of é, to 2
	v.back(edits)
	if got, want := spliced(text, edits), "a[x]\u200bz"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestDecimalDigitsFold holds the table to the digits that Go knows; it may know more.
func TestDecimalDigitsFold(t *testing.T) {
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		read := foldRune(r)
		switch {
		case unicode.Is(unicode.Nd, r) && (read < '0' || read > '9'):
			t.Errorf("the digit %U reads as %U", r, read)
		case unicode.Is(unicode.Zs, r) && read != ' ', unicode.Is(unicode.Pd, r) && read != '-':
			t.Errorf("%U reads as %U", r, read)
		case unicode.IsLetter(r) && read != r && (r < fullWidthFirst || r > fullWidthLast):
			t.Errorf("the letter %U reads as %U", r, read)
		}
	}
}

func TestViewsDoNotAllocate(t *testing.T) {
	var v view
	defer v.release()
	for _, one := range viewCases {
		if n := testing.AllocsPerRun(100, func() { v.of(one[0]) }); n > 0 {
			t.Errorf("%q: %v allocations", one[0], n)
		}
	}
}

func BenchmarkMayFold(b *testing.B) {
	text := strings.Repeat("HTTP request GET /payments/17 returned 200 in 12 ms ", 4)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		mayFold(text)
	}
}
