// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/binary"
	"sort"
	"strings"
	"sync"
	"unicode/utf8"
	"unsafe"
)

const (
	// mostBackslashes is the longest run that begins an escape: three texts in each other.
	mostBackslashes = 8
	// mostEncodings is how many times one character may have been encoded.
	mostEncodings = 8
	// mostParameters bounds those of an ANSI sequence.
	mostParameters = 32
	// mostKeptBytes bounds the storage that waits for the next text.
	mostKeptBytes = 1 << 20
)

// atom is a stretch of a text that reads otherwise: text[start:end] became size bytes at view[at:].
type atom struct{ at, size, start, end int }

// view is a text as the rules see it: escapes, encodings and look-alikes read as what they stand
// for. Its text lasts until the next call of of or release.
type view struct {
	text  string
	atoms []atom
	store *viewStore
}

type viewStore struct {
	text  []byte
	atoms []atom
}

var viewStores = sync.Pool{New: func() any { return &viewStore{} }}

// of makes the view of another text.
func (v *view) of(s string) {
	v.text, v.atoms = s, nil
	if !mayFold(s) {
		return
	}
	var out []byte
	var atoms []atom
	kept := 0
	for i := nextStart(s, 0); i < len(s); {
		one := foldAt(s, i)
		if one.end == 0 || one.stop && !isWithinName(out, s, kept, one) {
			i = nextStart(s, i+1)
			continue
		}
		if atoms == nil {
			if v.store == nil {
				v.store = viewStores.Get().(*viewStore)
			}
			out, atoms = v.store.text[:0], v.store.atoms[:0]
		}
		out = append(out, s[kept:i]...)
		at := len(out)
		if one.r != gone {
			out = utf8.AppendRune(out, one.r)
		}
		atoms = append(atoms, atom{at: at, size: len(out) - at, start: i, end: one.end})
		kept = one.end
		i = nextStart(s, kept)
	}
	if len(atoms) == 0 {
		return
	}
	out = append(out, s[kept:]...)
	v.store.text, v.store.atoms = out, atoms
	v.text, v.atoms = unsafe.String(unsafe.SliceData(out), len(out)), atoms
}

// isWithinName reports whether a full stop stands between ASCII letters or digits of the view, of
// which out is the part up to s[kept].
func isWithinName(out []byte, s string, kept int, stop folded) bool {
	before := byte(0)
	if stop.start > kept {
		before = s[stop.start-1]
	} else if len(out) > 0 {
		before = out[len(out)-1]
	}
	after, _ := utf8.DecodeRuneInString(s[stop.end:])
	after = foldRune(after)
	return isAlnum(before) && after >= 0 && after < utf8.RuneSelf && isAlnum(byte(after))
}

// release gives the storage back.
func (v *view) release() {
	if v.store != nil && cap(v.store.text) <= mostKeptBytes {
		viewStores.Put(v.store)
	}
	*v = view{}
}

// back turns places of the view into places of the text it was made of. An edit that begins or ends
// within an atom takes the whole atom.
func (v *view) back(edits []edit) {
	if len(v.atoms) == 0 {
		return
	}
	for i := range edits {
		one := &edits[i]
		one.start, _ = v.place(one.start)
		_, one.end = v.place(one.end - 1)
	}
}

// longestBroken bounds how far a quoted value goes on behind an escaped line end.
const longestBroken = 4096

// unbroken lets quoted values that end at an escaped line end, or at an encoded quote after a plain one, go
// on to their quote, if it stands in the same line of the text. Edits within them are dropped.
func (v *view) unbroken(edits []edit) []edit {
	if len(v.atoms) == 0 {
		return edits
	}
	kept, last := edits[:0], 0
	for _, one := range edits {
		if one.start < last {
			continue
		}
		if end := v.closingQuote(one.start, one.end); end > 0 {
			one.end = end
		}
		last = one.end
		kept = append(kept, one)
	}
	return kept
}

// closingQuote finds the end of a value that ends too soon; 0 if it does not, or there is no quote.
func (v *view) closingQuote(start, end int) int {
	s := v.text
	if start == 0 || end == len(s) || s[start-1] != '"' && s[start-1] != '\'' {
		return 0
	}
	quote, slashes, run := s[start-1], 0, 0
	encoded := v.isAtom(start - 1)
	if !v.isEscapedLineEnd(end) && (encoded || s[end] != quote || !v.isAtom(end)) {
		return 0
	}
	for i := start - 2; i >= 0 && s[i] == '\\' && slashes < 3; i-- {
		slashes++
	}
	for i := end; i < len(s) && i < end+longestBroken; i++ {
		switch s[i] {
		case '\\':
			run++
			continue
		case '\n', '\r':
			if !v.isEscapedLineEnd(i) {
				return 0
			}
		case quote:
			if !encoded && v.isAtom(i) {
				break
			}
			if slashes == 0 && run%2 == 0 {
				return i
			}
			if slashes > 0 && run <= slashes {
				return i - run
			}
		}
		run = 0
	}
	return 0
}

func (v *view) isEscapedLineEnd(at int) bool {
	return (v.text[at] == '\n' || v.text[at] == '\r') && v.isAtom(at)
}

func (v *view) isAtom(at int) bool {
	start, end := v.place(at)
	return end-start > 1
}

// place is where the byte of the view at `at` begins and ends in the text.
func (v *view) place(at int) (start, end int) {
	after := sort.Search(len(v.atoms), func(i int) bool { return v.atoms[i].at > at })
	if after == 0 {
		return at, at + 1
	}
	last := &v.atoms[after-1]
	if past := at - last.at - last.size; past >= 0 {
		return last.end + past, last.end + past + 1
	}
	return last.start, last.end
}

// mayFold reports whether any character stands in s with which an atom may begin. It reads eight
// bytes at once: this is what every text costs.
func mayFold(s string) bool {
	const (
		ones, highs = 0x0101010101010101, 0x8080808080808080
		word        = 8
	)
	found := uint64(0)
	raw := unsafe.Slice(unsafe.StringData(s), len(s))
	for ; len(raw) >= word; raw = raw[word:] {
		x := binary.LittleEndian.Uint64(raw)
		found |= x | zeroByte(x^'\\'*ones) | zeroByte(x^'%'*ones) | zeroByte(x^'&'*ones) | zeroByte(x^'#'*ones) | zeroByte(x^0x1b*ones)
	}
	if found&highs != 0 {
		return true
	}
	for _, c := range raw {
		if c >= utf8.RuneSelf || foldStarts[c] {
			return true
		}
	}
	return false
}

// zeroByte sets a byte's highest bit if it is 0; bits of bytes beside a 0 may be set, too.
func zeroByte(x uint64) uint64 {
	const ones = 0x0101010101010101
	return (x - ones) &^ x
}

func nextStart(s string, i int) int {
	for i < len(s) && !foldStarts[s[i]] {
		i++
	}
	return i
}

// folded is what foldAt finds: s[start:end] reads as r.
type folded struct {
	start, end int // end is 0 if nothing folds here
	r          rune
	stop       bool // a full stop that counts only within a name
}

// foldAt finds what begins at i.
func foldAt(s string, i int) folded {
	end, r := 0, rune(0)
	switch s[i] {
	case '\\':
		end, r = unescapeAt(s, i)
	case '%':
		end, r = percentAt(s, i)
	case '&':
		end, r = entityAt(s, i)
	case '#':
		end, r = octalAt(s, i)
	case 0x1b:
		end, r = ansiEnd(s, i+1), ' '
	default:
		raw, size := utf8.DecodeRuneInString(s[i:])
		if r = foldRune(raw); r == raw {
			return folded{}
		}
		return folded{start: i, end: i + size, r: r, stop: raw == ideographicStop || raw == halfStop}
	}
	if end == 0 {
		return folded{}
	}
	if read := foldRune(r); r != ideographicStop && r != halfStop {
		r = read
	}
	return folded{start: i, end: end, r: r}
}

// ansiEnd returns the end of an ANSI sequence whose introducer ends at i, or 0.
func ansiEnd(s string, i int) int {
	if i >= len(s) || s[i] != '[' {
		return 0
	}
	for n := 0; ; n++ {
		if i++; i >= len(s) || n > mostParameters {
			return 0
		}
		switch c := s[i]; {
		case isLetter(c):
			return i + 1
		case !isDigit(c) && c != ';' && c != ':' && c != '?':
			return 0
		}
	}
}

// ansiIntroducers are how an ESC is written after backslashes.
var ansiIntroducers = []string{"x1b", "x1B", "u001b", "u001B", "033", "e"}

// unescapeAt reads a run of backslashes with what follows it.
func unescapeAt(s string, i int) (end int, r rune) {
	if i > 0 && s[i-1] == '\\' {
		return 0, 0
	}
	start := i
	for i < len(s) && s[i] == '\\' {
		i++
	}
	if i == len(s) || i-start > mostBackslashes {
		return 0, 0
	}
	slashes := s[start:i]
	switch s[i] {
	case 'n':
		return i + 1, '\n'
	case 'r':
		return i + 1, '\r'
	case 't':
		return i + 1, '\t'
	case 'x', 'u', '0', 'e':
	default:
		return 0, 0
	}
	for _, name := range ansiIntroducers {
		if strings.HasPrefix(s[i:], name) {
			if end := ansiEnd(s, i+len(name)); end > 0 {
				return end, ' '
			}
		}
	}
	switch s[i] {
	case 'x':
		return utf8At(s, i-len(slashes), func(s string, i int) (int, int) {
			if !strings.HasPrefix(s[i:], slashes+"x") {
				return 0, 0
			}
			return hexAt(s, i+len(slashes)+1, 2)
		})
	case 'u':
		end, code := hexAt(s, i+1, 4)
		if end == 0 {
			return 0, 0
		}
		if code >= 0xd800 && code < 0xe000 {
			if code < 0xdc00 && strings.HasPrefix(s[end:], slashes+"u") {
				if last, low := hexAt(s, end+len(slashes)+1, 4); last > 0 && low >= 0xdc00 && low < 0xe000 {
					return last, rune(0x10000 + (code-0xd800)<<10 + low - 0xdc00)
				}
			}
			return end, utf8.RuneError
		}
		return end, rune(code)
	}
	return 0, 0
}

// hexAt reads so many hex digits; end is 0 where there are fewer.
func hexAt(s string, i, digits int) (end, value int) {
	if i+digits > len(s) {
		return 0, 0
	}
	for _, c := range []byte(s[i : i+digits]) {
		d := hexDigit(c)
		if d < 0 {
			return 0, 0
		}
		value = value<<4 | int(d)
	}
	return i + digits, value
}

// utf8At reads one character of UTF-8, of which each byte is encoded.
func utf8At(s string, i int, byteAt func(s string, i int) (end, value int)) (end int, r rune) {
	end, first := byteAt(s, i)
	if end == 0 || first < utf8.RuneSelf {
		return end, rune(first)
	}
	encoded := [utf8.UTFMax]byte{byte(first)}
	for n := 1; n < utf8.UTFMax; n++ {
		next, value := byteAt(s, end)
		if next == 0 || value&0xc0 != 0x80 {
			return 0, 0
		}
		encoded[n], end = byte(value), next
		if r, size := utf8.DecodeRune(encoded[:n+1]); size == n+1 {
			return end, r
		}
	}
	return 0, 0
}

// percentAt reads %40, %2540 and so on.
func percentAt(s string, i int) (end int, r rune) {
	if end, r = utf8At(s, i, percentByte); end > 0 {
		return end, r
	}
	if strings.HasPrefix(s[i:], "%25") {
		return i + len("%25"), '%'
	}
	return 0, 0
}

func percentByte(s string, i int) (end, value int) {
	if i >= len(s) || s[i] != '%' {
		return 0, 0
	}
	end, value = hexAt(s, i+1, 2)
	for n := 0; n < mostEncodings && value == '%'; n++ {
		next, inner := hexAt(s, end, 2)
		if next == 0 {
			break
		}
		end, value = next, inner
	}
	return end, value
}

// octalAt reads what rsyslog writes for control characters.
func octalAt(s string, i int) (end int, r rune) {
	if i+4 > len(s) || s[i+1] != '0' {
		return 0, 0
	}
	switch s[i+1 : i+4] {
	case "011":
		return i + 4, '\t'
	case "012":
		return i + 4, '\n'
	case "015":
		return i + 4, '\r'
	case "033":
		return ansiEnd(s, i+4), ' '
	}
	return 0, 0
}

// entities are those of HTML for characters that patterns name, or for blanks.
var entities = map[string]rune{
	"amp": '&', "lt": '<', "gt": '>', "quot": '"', "apos": '\'', "commat": '@', "nbsp": ' ', "colon": ':', "period": '.',
	"plus": '+', "equals": '=', "num": '#', "sol": '/', "bsol": '\\', "lowbar": '_', "hyphen": '-', "dash": '-',
	"lpar": '(', "rpar": ')', "lsqb": '[', "lbrack": '[', "rsqb": ']', "rbrack": ']', "lcub": '{', "rcub": '}',
	"comma": ',', "semi": ';', "quest": '?', "excl": '!', "dollar": '$', "percnt": '%', "ast": '*', "ndash": '-',
	"mdash": '-', "minus": '-', "ensp": ' ', "emsp": ' ', "thinsp": ' ', "Tab": '\t', "NewLine": '\n', "shy": gone,
	"zwnj": gone, "zwj": gone, "lrm": gone, "rlm": gone,
}

const longestEntity = 7 // letters of a name, or digits

// entityAt reads &#64;, &#x40;, &commat; and what was encoded again, as in &amp;#64;.
func entityAt(s string, i int) (end int, r rune) {
	i++
	again := 0 // the end of the last &amp;
	for n := 0; n < mostEncodings && strings.HasPrefix(s[i:], "amp;"); n++ {
		i += len("amp;")
		again = i
	}
	length := strings.IndexByte(s[i:min(len(s), i+longestEntity+3)], ';')
	if length > 0 {
		name := s[i : i+length]
		if name[0] == '#' {
			if code, ok := numericEntity(name[1:]); ok {
				return i + length + 1, code
			}
		} else if r, known := entities[name]; known {
			return i + length + 1, r
		}
	}
	if again > 0 {
		return again, '&'
	}
	return 0, 0
}

func numericEntity(digits string) (rune, bool) {
	base := 10
	if len(digits) > 0 && (digits[0] == 'x' || digits[0] == 'X') {
		base, digits = 16, digits[1:]
	}
	if len(digits) == 0 || len(digits) > longestEntity {
		return 0, false
	}
	value := 0
	for _, c := range []byte(digits) {
		d := int(hexDigit(c))
		if d < 0 || d >= base {
			return 0, false
		}
		value = value*base + d
	}
	if value == 0 || value > utf8.MaxRune || value >= 0xd800 && value < 0xe000 {
		return 0, false
	}
	return rune(value), true
}
