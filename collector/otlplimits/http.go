// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
)

const (
	jsonType     = "application/json"
	protobufType = "application/x-protobuf"
)

// httpHandler stands before the receiver's decoder. It decompresses what the receiver has not.
type httpHandler struct {
	*limits
	next    http.Handler
	buffers buffers
}

// requestCost is what a request needs without its body: a goroutine, the connection's buffers.
const requestCost = 16 << 10

// errUnknownPath is what the receiver meets when it reads a request that was not checked.
var errUnknownPath = errors.New(
	"otlp_limits does not know this path: set its *_url_path keys to the receiver's")

func (h *httpHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	root, known := h.paths[r.URL.Path]
	contentType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if refusal := h.turnAway(r.Context(), overHTTP, r.Host, r.Header); refusal != nil {
		refusal.write(w, contentType)
		return
	}
	if !known || r.Method != http.MethodPost || err != nil ||
		contentType != jsonType && contentType != protobufType {
		// The receiver answers what is wrong with it. It does not need the body for that.
		r.Body = unread{r.Body}
		h.next.ServeHTTP(w, r)
		return
	}
	h.memory.enter()
	defer h.memory.leave()
	body := &body{handler: h, signal: root}
	defer body.free()
	refusal := body.decompress(r.Body, r.Header.Get("Content-Encoding"))
	if refusal == nil {
		refusal = body.check(contentType)
	}
	if refusal != nil {
		h.telemetry.refused(overHTTP, refusal.reason)
		refusal.write(w, contentType)
		return
	}
	r.Header.Del("Content-Encoding")
	r.Header.Del("Content-Length")
	r.ContentLength = int64(len(*body.buffer))
	r.Body = body
	h.next.ServeHTTP(w, r)
}

// body is a request's body, read whole, and what it has reserved.
type body struct {
	handler *httpHandler
	signal  messageID
	buffer  *[]byte
	held    int64 // reserved memory
	needed  int64 // of that for buffers and the decoded request
	extra   int64 // of that for decompression
	at      int   // what has been handed on
}

// hold changes what is reserved, and reports whether there was enough.
func (b *body) hold(needed int64) bool {
	change := needed + requestCost + b.extra - b.held
	if !b.handler.take(b.signal, change) {
		return false
	}
	b.needed = needed
	b.held += change
	return true
}

// read takes in the whole body. Memory is reserved in steps, as the bytes come.
func (b *body) read(from io.Reader) *refusal {
	if !b.hold(firstBuffer) {
		return outOfMemory
	}
	b.buffer = b.handler.buffers.get(firstBuffer)
	for {
		if len(*b.buffer) == cap(*b.buffer) {
			if !b.grow() {
				return outOfMemory
			}
		}
		n, err := from.Read((*b.buffer)[len(*b.buffer):cap(*b.buffer)])
		*b.buffer = (*b.buffer)[:len(*b.buffer)+n]
		if len(*b.buffer) > b.handler.maxRequest {
			return tooBig
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return refusalOfRead(err)
		}
	}
}

// grow changes the buffer for a larger one. For the time of copying there are both.
func (b *body) grow() bool {
	size := larger(cap(*b.buffer))
	if !b.hold(b.needed + int64(size)) {
		return false
	}
	next := b.handler.buffers.get(size)
	*next = append(*next, *b.buffer...)
	b.handler.buffers.put(b.buffer)
	b.buffer = next
	return b.hold(int64(size))
}

func refusalOfRead(err error) *refusal {
	var tooLong *http.MaxBytesError
	var timeout net.Error
	switch {
	case errors.As(err, &tooLong):
		return tooBig
	case errors.As(err, &timeout) && timeout.Timeout():
		return tooSlow
	case errors.Is(err, io.ErrUnexpectedEOF):
		return unfinished
	}
	return unreadable
}

// check scans the body, repairs it in place, and reserves what decoding it will need.
func (b *body) check(contentType string) *refusal {
	var found report
	if contentType == jsonType {
		found = b.handler.scanners.jsonText(*b.buffer, b.signal)
	} else {
		found = b.handler.scanners.protobuf(*b.buffer, b.signal, true)
	}
	if refusal := refusalOf(found.outcome); refusal != nil {
		return refusal
	}
	b.handler.telemetry.repaired(overHTTP, found)
	// The receiver copies the body, and decodes the copy when ours is gone.
	size := int64(len(*b.buffer))
	if !b.hold(size + max(int64(cap(*b.buffer)), size+found.decoded)) {
		return outOfMemory
	}
	return nil
}

// Read hands the body on, and lets go of it with the last byte.
func (b *body) Read(p []byte) (int, error) {
	if b.buffer == nil {
		return 0, io.EOF
	}
	n := copy(p, (*b.buffer)[b.at:])
	b.at += n
	if b.at < len(*b.buffer) {
		return n, nil
	}
	b.release()
	return n, io.EOF
}

// Close does nothing: the body is freed with the request.
func (b *body) Close() error { return nil }

func (b *body) release() {
	if b.buffer != nil {
		b.handler.buffers.put(b.buffer)
		b.buffer = nil
	}
}

func (b *body) free() {
	b.release()
	b.handler.memory.give(b.signal, b.held)
}

// unread is a body that must not be read.
type unread struct{ io.Closer }

func (unread) Read([]byte) (int, error) { return 0, errUnknownPath }
