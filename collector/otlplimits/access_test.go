// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensionauth"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// knowing is an authenticator that knows one token.
type knowing struct {
	component.StartFunc
	component.ShutdownFunc
	token string
}

var _ extensionauth.Server = knowing{}

func (k knowing) Authenticate(ctx context.Context, headers map[string][]string) (context.Context, error) {
	for name, values := range headers {
		if strings.EqualFold(name, "authorization") && len(values) > 0 && values[0] == "Bearer "+k.token {
			return ctx, nil
		}
	}
	return ctx, errors.New("the token secret-of-the-file is another")
}

var withToken = settings{"access": map[string]any{"ask_for": "token", "authenticator": "knowing"}}

func entranceOf(t *testing.T, a Access, extensions host) (*entrance, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	e := newEntrance(a, zap.New(core))
	fatal(t, e.start(extensions))
	return e, logs
}

func knowingHost(token string) host {
	return host{component.MustNewID("knowing"): knowing{token: token}}
}

func TestWithoutItsAuthenticatorNothingStarts(t *testing.T) {
	another := host{component.MustNewID("knowing"): struct {
		component.StartFunc
		component.ShutdownFunc
	}{}}
	for name, extensions := range map[string]component.Host{
		"none": componenttest.NewNopHost(), "another kind": another,
	} {
		e := newEntrance(Access{AskFor: askForToken, Authenticator: "knowing"}, zap.NewNop())
		err := e.start(extensions)
		if err == nil || !strings.HasPrefix(err.Error(), "access.authenticator: knowing is no extension") {
			t.Errorf("%s: %v", name, err)
		}
		// Whatever went wrong, nobody gets in.
		if got := e.refuses(context.Background(), "localhost", nil); got != noToken {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestHosts(t *testing.T) {
	e, logs := entranceOf(t, Access{AskFor: askForNone, Hosts: []string{"Collector", " otlp.shop.example ", ""}}, nil)
	if len(logs.FilterMessageSnippet("takes anything from anybody").All()) != 1 {
		t.Error("nothing says that no token is asked for")
	}
	for _, ours := range []string{
		"localhost", "LocalHost:4318", "localhost.", "collector", "collector:4317", "otlp.shop.example:443",
		"127.0.0.1", "127.0.0.1:4318", "[::1]:4318", "[::1]", "::1", "10.0.0.3", "[fe80::1%eth0]:4318",
	} {
		if got := e.refuses(context.Background(), ours, nil); got != nil {
			t.Errorf("%q is refused: %v", ours, got)
		}
	}
	for _, foreign := range []string{
		"", "evil.example", "evil.example:4318", "localhost.evil.example", "evil-localhost", "collector.evil.example",
		"127.0.0.1.evil.example", "127.0.0.1.nip.io:4318", "2130706433", "0x7f.1", "localhost@evil.example", "localhost:1:2", "[localhost]evil",
	} {
		if got := e.refuses(context.Background(), foreign, nil); got != foreignHost {
			t.Errorf("%q is taken", foreign)
		}
	}
}

func TestWhereATokenIsAskedForTheHostMayBeAny(t *testing.T) {
	e, _ := entranceOf(t, Access{AskFor: askForToken, Authenticator: "knowing"}, knowingHost("right"))
	if got := e.refuses(context.Background(), "evil.example", http.Header{"Authorization": {"Bearer right"}}); got != nil {
		t.Errorf("it is refused: %v", got)
	}
	if got := e.refuses(context.Background(), "localhost", http.Header{"Authorization": {"Bearer wrong"}}); got != noToken {
		t.Errorf("it is answered by %v", got)
	}
}

func TestTurnedAwayIsSaidOncePerMinuteAndReason(t *testing.T) {
	e, logs := entranceOf(t, Access{AskFor: askForToken, Authenticator: "knowing"}, knowingHost("right"))
	for range 5 {
		e.report(noToken, overHTTP)
	}
	e.report(foreignHost, overHTTP)
	if got := logs.FilterMessageSnippet("turned away").Len(); got != 2 {
		t.Fatalf("there are %d lines, want one for each reason", got)
	}
	e.logged[noToken.reason] = time.Now().Add(-quiet)
	e.report(noToken, overGRPC)
	lines := logs.FilterMessageSnippet("turned away").All()
	if len(lines) != 3 {
		t.Fatalf("there are %d lines after a minute", len(lines))
	}
	if got := lines[2]; got.Level != zapcore.WarnLevel || got.ContextMap()["protocol"] != "grpc" {
		t.Errorf("the line is %+v", got)
	}
}

// Who has no token holds no place of those who have: it is asked before anything is read.
func TestCallsWithoutATokenTakeNoPlace(t *testing.T) {
	own := settings{"max_concurrent": 1}
	for key, value := range withToken {
		own[key] = value
	}
	s := startWith(t, knowingHost("right"), own, nil, nil)
	raw := s.rawGRPC(t)
	for range 20 {
		raw.open(t, logsRequest, 1<<20)
	}
	s.wantCounted(t, "refused", overGRPC, forToken, 20)
	right := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer right")
	fatal(t, export(right, s.dial(t), logsRequest, logsOf(record("wanted"))))
	err := export(context.Background(), s.dial(t), logsRequest, logsOf(record("unwanted")))
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("the answer is %v", err)
	}
	// The authenticator's own error may hold what nobody should read.
	if strings.Contains(err.Error(), "secret-of-the-file") {
		t.Errorf("the answer is %v", err)
	}
	if got := s.logs.LogRecordCount(); got != 1 {
		t.Errorf("%d records arrived, want 1", got)
	}
	s.wantCounted(t, "refused", overGRPC, forToken, 21)
	s.wantCounted(t, "refused", overGRPC, forConcurrency, 0)
	s.wantIdle(t)
}

func TestWithoutATokenNoBodyIsReadOverHTTP(t *testing.T) {
	s := startWith(t, knowingHost("right"), withToken, nil, nil)
	// Of the wrong type, at a wrong path, and no OTLP: nobody looks.
	for _, path := range []string{"/v1/logs", "/v1/other", "/"} {
		got := s.post(t, path, "text/plain", "zstd", []byte("nonsense"))
		if got.status != http.StatusUnauthorized || got.text != noToken.text+"\n" {
			t.Errorf("%s: the answer is %+v", path, got)
		}
	}
	s.wantCounted(t, "refused", overHTTP, forToken, 3)
	s.wantCounted(t, "refused", overHTTP, forForm, 0)
}
