// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"
)

func TestABackendThatWasReachedIsDistinguishedFromOneThatWasNot(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, one := range map[string]struct {
		ctx  context.Context
		err  error
		want verdict
	}{
		"refused":        {t.Context(), &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, unavailable},
		"no way":         {t.Context(), &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, unavailable},
		"no name":        {t.Context(), &net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}, unavailable},
		"no trust":       {t.Context(), x509.UnknownAuthorityError{}, unavailable},
		"hung up":        {t.Context(), io.EOF, broken},
		"hung up midway": {t.Context(), io.ErrUnexpectedEOF, broken},
		"reset":          {t.Context(), &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, broken},
		"silent":         {t.Context(), &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, broken},
		"we end":         {ended, io.EOF, unavailable},
	} {
		got := withoutAnswer(one.ctx, &url.Error{Op: "Post", URL: "http://x", Err: one.err})
		if got.verdict != one.want || (got.status == statusNoAnswer) != (one.want == broken) {
			t.Errorf("%s is %d (%s)", name, got.verdict, got.status)
		}
	}
}
