// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"bufio"
	"bytes"
	"io"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// mostWindow is the largest window of zstd: what its RFC 8878 asks each decoder to take. The
// receiver's own decoder takes 512 MiB, and allocates it for a body of ten bytes.
const mostWindow = 8 << 20

// coding is a way to compress a body.
type coding struct {
	memory int64 // that decompressing needs
	open   func(io.Reader) (plain io.Reader, done func(), err error)
}

// codings are those the receiver knows by its own. Snappy's blocks have no entry: they are read
// whole, and then decompressed at once.
var codings = map[string]coding{
	"":     {0, func(r io.Reader) (io.Reader, func(), error) { return r, nop, nil }},
	"gzip": {64 << 10, func(r io.Reader) (io.Reader, func(), error) { plain, err := gzip.NewReader(r); return plain, nop, err }},
	"zlib": {64 << 10, openZlib}, "deflate": {64 << 10, openZlib},
	"zstd": {mostWindow + mostWindow/4, openZstd},
	"x-snappy-framed": {256 << 10, func(r io.Reader) (io.Reader, func(), error) {
		return snappy.NewReader(r), nop, nil
	}},
	"lz4": {8 << 20, func(r io.Reader) (io.Reader, func(), error) { return lz4.NewReader(r), nop, nil }},
}

func nop() {}

func openZlib(r io.Reader) (io.Reader, func(), error) {
	plain, err := zlib.NewReader(r)
	return plain, nop, err
}

func openZstd(r io.Reader) (io.Reader, func(), error) {
	plain, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(mostWindow))
	if err != nil {
		return nil, nil, err
	}
	return plain, plain.Close, nil
}

// framed is how snappy's frames begin. Collectors of before 2025 send them as "snappy" too.
var framed = []byte("\xff\x06\x00\x00sNaPpY")

// decompress reads a body that is compressed in one of the ways above.
func (b *body) decompress(from io.Reader, encoding string) *refusal {
	if encoding == "snappy" {
		buffered := bufio.NewReader(from)
		if head, _ := buffered.Peek(len(framed)); !bytes.Equal(head, framed) {
			return b.snappyBlock(buffered)
		}
		from, encoding = buffered, "x-snappy-framed"
	}
	coding, known := codings[encoding]
	if !known {
		return unknownCoding
	}
	b.extra = coding.memory
	defer func() { b.extra = 0 }()
	if !b.hold(0) {
		return outOfMemory
	}
	plain, done, err := coding.open(from)
	if err != nil {
		return refusalOfRead(err)
	}
	defer done()
	if refusal := b.read(plain); refusal != nil {
		return refusal
	}
	return readEnd(from)
}

// readEnd sees to the end of a body whose last byte was needed to decompress it. net/http watches for
// the sender to go away only from there on.
func readEnd(from io.Reader) *refusal {
	var rest [1]byte // which nobody asked for
	if _, err := from.Read(rest[:]); err != nil && err != io.EOF {
		return refusalOfRead(err)
	}
	return nil
}

// snappyBlock decompresses a body that says its length at the beginning.
func (b *body) snappyBlock(from io.Reader) *refusal {
	if refusal := b.read(from); refusal != nil {
		return refusal
	}
	size, err := snappy.DecodedLen(*b.buffer)
	if err != nil {
		return unreadable
	}
	if size > b.handler.maxRequest {
		return tooBig
	}
	if !b.hold(b.needed + int64(sizeFor(size))) {
		return outOfMemory
	}
	plain := b.handler.buffers.get(size)
	_, err = snappy.Decode((*plain)[:size], *b.buffer)
	*plain = (*plain)[:size]
	b.handler.buffers.put(b.buffer)
	b.buffer = plain
	if err != nil || !b.hold(int64(cap(*plain))) {
		return unreadable
	}
	return nil
}
