// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"

	"glasshouse.example/collector/tenancy"
)

const (
	protobufType = "application/x-protobuf"
	jsonType     = "application/json"

	// mostResponseBytes is what is read of an answer.
	mostResponseBytes = 64 << 10
)

// errNoTenant keeps records of nobody from becoming somebody's.
var errNoTenant = errors.New("tenant_header: the request has no tenant: the processor tenant belongs before this exporter")

// answer is what came back for one request.
type answer struct {
	verdict    verdict
	status     string // for labels: digits, or one of the words of telemetry.go
	retryAfter time.Duration
	body       []byte
	json       bool
	err        error // never in the backend's words: they may quote a record
}

// sender makes requests.
type sender struct {
	config    *Config
	address   string
	shown     string // the address without a password
	userAgent string
	settings  component.TelemetrySettings
	client    *http.Client
}

func newSender(set exporter.Settings, config *Config, address *url.URL) *sender {
	return &sender{
		config: config, address: address.String(), shown: address.Redacted(), settings: set.TelemetrySettings,
		userAgent: fmt.Sprintf("%s/%s (%s/%s)",
			set.BuildInfo.Description, set.BuildInfo.Version, runtime.GOOS, runtime.GOARCH),
	}
}

func (s *sender) start(ctx context.Context, host component.Host) (err error) {
	s.client, err = s.config.ClientConfig.ToClient(ctx, host.GetExtensions(), s.settings)
	return err
}

// send makes one request, which the client's timeout bounds.
func (s *sender) send(ctx context.Context, request []byte) answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.address, bytes.NewReader(request))
	if err != nil {
		return answer{verdict: unavailable, err: err}
	}
	req.Header.Set("Content-Type", protobufType)
	req.Header.Set("User-Agent", s.userAgent)
	if name := s.config.TenantHeader; name != "" {
		tenant, known := tenancy.From(ctx)
		if !known {
			return answer{verdict: unavailable, err: errNoTenant}
		}
		req.Header.Set(name, tenant)
	}
	response, err := s.client.Do(req)
	if err != nil {
		return withoutAnswer(ctx, err)
	}
	defer func() {
		// What is left is read, within bounds, so that the connection can be used again.
		_, _ = io.CopyN(io.Discard, response.Body, mostResponseBytes)
		_ = response.Body.Close()
	}()
	got := answer{
		verdict: verdictOf(response.StatusCode), status: strconv.Itoa(response.StatusCode),
		retryAfter: retryAfter(response.Header, time.Now()),
		json:       strings.HasPrefix(response.Header.Get("Content-Type"), jsonType),
	}
	if response.ContentLength != 0 {
		// An answer that breaks off is an answer: its status has arrived.
		got.body, _ = io.ReadAll(io.LimitReader(response.Body, mostResponseBytes))
	}
	if got.verdict != taken {
		got.err = fmt.Errorf("%s answers %s", s.shown, got.status)
	}
	return got
}

// withoutAnswer distinguishes a backend that cannot be reached from one that was reached and then fell
// silent or hung up, as a server does that a record makes panic.
func withoutAnswer(ctx context.Context, err error) answer {
	got := answer{verdict: unavailable, err: err}
	if ctx.Err() != nil {
		return got
	}
	dialing, timeout := (*net.OpError)(nil), net.Error(nil)
	switch {
	case errors.As(err, &dialing) && dialing.Op == "dial":
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.As(err, &timeout) && timeout.Timeout():
		got.verdict, got.status = broken, statusNoAnswer
	}
	return got
}
