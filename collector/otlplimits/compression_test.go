// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// compressed writes a plain text of zeros.
func compressed(t testing.TB, size int, to func(io.Writer) io.WriteCloser) []byte {
	t.Helper()
	var out bytes.Buffer
	w := to(&out)
	_, err := io.CopyN(w, zeros{}, int64(size))
	fatal(t, err)
	fatal(t, w.Close())
	return out.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// encoders compress in all ways the receiver knows.
func encoders(t testing.TB, window int) map[string]func(io.Writer) io.WriteCloser {
	return map[string]func(io.Writer) io.WriteCloser{
		"gzip":            func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"zlib":            func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
		"deflate":         func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
		"x-snappy-framed": func(w io.Writer) io.WriteCloser { return snappy.NewBufferedWriter(w) },
		"lz4":             func(w io.Writer) io.WriteCloser { return lz4.NewWriter(w) },
		"zstd": func(w io.Writer) io.WriteCloser {
			out, err := zstd.NewWriter(w, zstd.WithWindowSize(window))
			fatal(t, err)
			return out
		},
	}
}

// stockEncodings are the receiver's own, which it takes where compression_algorithms is not empty.
var stockEncodings = []any{"", "gzip", "zstd", "zlib", "snappy", "deflate", "lz4", "x-snappy-framed"}

func TestEachEncodingArrives(t *testing.T) {
	body := logsOf(record(repeat(600_000, "text ")))
	want, err := decode(logsRequest, body, false)
	fatal(t, err)
	for name, httpPart := range map[string]settings{
		"by the extension": nil, "by the receiver": {"compression_algorithms": stockEncodings},
	} {
		s := start(t, nil, nil, httpPart)
		bodies := map[string][]byte{"": body, "snappy": snappy.Encode(nil, body)}
		for encoding, to := range encoders(t, mostWindow) {
			var out bytes.Buffer
			w := to(&out)
			_, err := w.Write(body)
			fatal(t, err)
			fatal(t, w.Close())
			bodies[encoding] = out.Bytes()
		}
		if len(bodies) != len(stockEncodings) {
			t.Fatalf("%d encodings of %d", len(bodies), len(stockEncodings))
		}
		for encoding, compressed := range bodies {
			got := s.post(t, "/v1/logs", protobufType, encoding, compressed)
			if all := s.arrived(t, logsRequest); got.status != http.StatusOK || len(all) != 1 || !bytes.Equal(all[0], want) {
				t.Errorf("%q, %s: %+v", encoding, name, got)
			}
			// Bytes that are not what they are said to be.
			if got := s.post(t, "/v1/logs", protobufType, encoding, []byte("\xffnot compressed")); got.status != http.StatusBadRequest {
				t.Errorf("%q, %s, broken: %+v", encoding, name, got)
			}
			s.wantIdle(t)
		}
		// Frames that are called snappy came from Collectors for years.
		if got := s.post(t, "/v1/logs", protobufType, "snappy", bodies["x-snappy-framed"]); got.status != http.StatusOK {
			t.Errorf("snappy in frames, %s: %+v", name, got)
		}
		if got := s.post(t, "/v1/logs", protobufType, "br", body); got.status/100 != 4 {
			t.Errorf("an unknown encoding, %s: %+v", name, got)
		}
	}
}

// Whatever the encoding, what a small body becomes is bounded.
func TestCompressedBombs(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	const size = 64 << 20 // three times what is taken
	s := start(t, nil, nil, nil)
	type bomb struct {
		name, encoding string
		body           []byte
		want           int
	}
	bombs := []bomb{
		{"zstd, window of 512 MiB", "zstd", compressed(t, size, encoders(t, 1<<29)["zstd"]), http.StatusBadRequest},
		{"zstd, a window of 512 MiB and one byte", "zstd", []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 19 << 3, 9, 0, 0, 0}, http.StatusBadRequest},
		{"snappy, block", "snappy", snappy.Encode(nil, make([]byte, size)), http.StatusRequestEntityTooLarge},
	}
	for encoding, to := range encoders(t, mostWindow) {
		bombs = append(bombs, bomb{encoding, encoding, compressed(t, size, to), http.StatusRequestEntityTooLarge})
	}
	for _, c := range bombs {
		var got answer
		peak := heapPeak(func() { got = s.post(t, "/v1/logs", protobufType, c.encoding, c.body) })
		t.Logf("%s: %d bytes, heap %d MiB at most, HTTP %d", c.name, len(c.body), peak/mib, got.status)
		if got.status != c.want || peak > 100*mib {
			t.Errorf("%s: %+v, heap %d MiB", c.name, got, peak/mib)
		}
		s.wantIdle(t)
	}
	conn := s.dial(t)
	var err error
	plain := make([]byte, size)
	peak := heapPeak(func() {
		err = export(context.Background(), conn, logsRequest, plain, grpc.UseCompressor("gzip"))
	})
	t.Logf("grpc gzip: heap %d MiB at most, %v", peak/mib, err)
	if got, _ := answerOf(err); got != codes.ResourceExhausted || peak > 100*mib {
		t.Errorf("grpc gzip: %v, heap %d MiB", err, peak/mib)
	}
	s.wantCounted(t, "refused", overGRPC, forSize, 1)
	s.wantCounted(t, "refused", overHTTP, forSize, 7)
	s.wantIdle(t)
}
