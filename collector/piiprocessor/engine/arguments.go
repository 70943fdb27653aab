// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"sync"
	"unsafe"
)

// Arguments redacts, in place, strings of one list that are read together, as the arguments of a
// command: the rules with `in_lists` run over them as over one text. It reports whether any changed.
func (e *Engine) Arguments(items []string, h *Hits) bool {
	if !areArguments(items) {
		return false
	}
	line := argumentLines.Get().(*argumentLine)
	defer argumentLines.Put(line)
	line.join(items)
	wanted := e.scan.scan(line.string(), noKey)
	wanted.keep(&e.listRules)
	if wanted.empty() {
		return false
	}
	changed := false
	for i, r := range e.rules {
		if !wanted.has(i) {
			continue
		}
		line.edits = e.find(line.edits[:0], r, noKey, line.string(), h)
		last := -1
		for _, one := range line.edits {
			if at := line.itemAt(one.start); at != last {
				items[at] = items[at][:one.start-line.starts[at]] + one.mask
				changed, last = true, at
			}
		}
		if len(line.edits) > 0 {
			line.join(items)
		}
	}
	return changed
}

// areArguments reports whether strings are worth a look: an option is among them.
func areArguments(items []string) bool {
	if len(items) < 2 {
		return false
	}
	for _, item := range items {
		if len(item) > 1 && item[0] == '-' {
			return true
		}
	}
	return false
}

// argumentLine is a list of strings as one text.
type argumentLine struct {
	text   []byte
	starts []int // of the items
	edits  []edit
}

var argumentLines = sync.Pool{New: func() any { return &argumentLine{} }}

func (l *argumentLine) string() string { return unsafe.String(unsafe.SliceData(l.text), len(l.text)) }

// On a command line some characters would end an item, and an empty one would not be there: these
// stand for them, the second since no value begins so.
const (
	within = '\x01'
	empty  = '-'
)

// join writes the items with a blank between them, each in as many bytes as it has.
func (l *argumentLine) join(items []string) {
	l.text, l.starts = l.text[:0], l.starts[:0]
	for i, item := range items {
		if i > 0 {
			l.text = append(l.text, ' ')
		}
		l.starts = append(l.starts, len(l.text))
		if item == "" {
			l.text = append(l.text, empty)
		}
		for at := range len(item) {
			c := item[at]
			if strings.IndexByte(" \t\r\n\f\v\"'|;<>&\\#(", c) >= 0 {
				c = within
			}
			l.text = append(l.text, c)
		}
	}
}

// itemAt returns the item that holds a place of the text.
func (l *argumentLine) itemAt(place int) int {
	low, high := 0, len(l.starts)
	for high-low > 1 {
		if middle := (low + high) / 2; l.starts[middle] <= place {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}
