// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// errCannotBeWritten hides what exactly is wrong: the cause may quote a record.
var errCannotBeWritten = errors.New("the records cannot be written as JSON")

// letter is what one Put was given.
type letter struct {
	reason string
	source string
	signal string
	items  int
	encode func() ([]byte, error)
}

// line is the letter as one line of JSON, with its end.
func (l letter) line(now time.Time) (line []byte, err error) {
	// Records come here because they are odd. One that breaks the encoder is lost, not more.
	defer func() {
		if recover() != nil {
			line, err = nil, errCannotBeWritten
		}
	}()
	otlp, err := l.encode()
	if err != nil {
		return nil, errCannotBeWritten
	}
	// JSON holds no other bytes than UTF-8, and its syntax is ASCII: only values change.
	otlp = bytes.ToValidUTF8(otlp, []byte("\uFFFD"))

	line = make([]byte, 0, len(otlp)+256)
	line = append(line, `{"time":`...)
	line = appendText(line, now.UTC().Format(time.RFC3339Nano))
	line = append(line, `,"reason":`...)
	line = appendText(line, l.reason)
	line = append(line, `,"source":`...)
	line = appendText(line, l.source)
	line = append(line, `,"signal":`...)
	line = appendText(line, l.signal)
	line = append(line, `,"items":`...)
	line = strconv.AppendInt(line, int64(l.items), 10)
	line = append(line, `,"otlp":`...)
	line = append(line, otlp...)
	return append(line, '}', '\n'), nil
}

func appendText(line []byte, text string) []byte {
	encoded, _ := json.Marshal(text) // a string always has a form
	return append(line, encoded...)
}
