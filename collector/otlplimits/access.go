// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/extensionauth"
	"go.uber.org/zap"
)

// What a sender may be asked for.
const (
	askForToken = "token"
	askForNone  = "none"
)

// quiet is how long nothing more is logged of senders that are turned away for the same reason.
const quiet = time.Minute

// Access says who may send.
type Access struct {
	// AskFor is what a sender has to show: token, or none, where whoever reaches the port may send.
	AskFor string `mapstructure:"ask_for"`
	// Authenticator is the extension that knows the tokens.
	Authenticator string `mapstructure:"authenticator"`
	// Hosts are the names under which senders reach this Collector, beside localhost and addresses.
	// They are checked where no token is asked for: a web page can make a name of its own point
	// here (DNS rebinding), but has no token.
	Hosts []string `mapstructure:"hosts"`
}

func (a *Access) validate() error {
	if a.AskFor != askForToken && a.AskFor != askForNone {
		return fmt.Errorf("access.ask_for: is %q, must be token or none (OTLP_AUTH)", a.AskFor)
	}
	if a.AskFor == askForNone {
		return nil
	}
	if a.Authenticator == "" {
		return errors.New("access.authenticator: name the extension that knows the tokens, such as bearertokenauth")
	}
	if err := new(component.ID).UnmarshalText([]byte(a.Authenticator)); err != nil {
		return fmt.Errorf("access.authenticator: %w", err)
	}
	return nil
}

// entrance turns away who may not send, before anything of a request's body is read.
type entrance struct {
	asksForToken  bool
	authenticator string
	hosts         []string
	logger        *zap.Logger

	server extensionauth.Server

	mu     sync.Mutex
	logged map[string]time.Time // by reason
}

func newEntrance(a Access, logger *zap.Logger) *entrance {
	e := &entrance{
		asksForToken:  a.AskFor == askForToken,
		authenticator: a.Authenticator,
		logger:        logger,
		logged:        map[string]time.Time{},
	}
	for _, name := range a.Hosts {
		if name = normalHost(name); name != "" {
			e.hosts = append(e.hosts, name)
		}
	}
	return e
}

// start finds the authenticator. Without it nothing may start.
func (e *entrance) start(host component.Host) error {
	if !e.asksForToken {
		e.logger.Warn("OTLP takes anything from anybody who reaches its ports: access.ask_for (OTLP_AUTH) is none")
		return nil
	}
	var id component.ID
	if err := id.UnmarshalText([]byte(e.authenticator)); err != nil {
		return fmt.Errorf("access.authenticator: %w", err)
	}
	server, ok := host.GetExtensions()[id].(extensionauth.Server)
	if !ok {
		return fmt.Errorf(
			"access.authenticator: %s is no extension under service.extensions that knows tokens", e.authenticator)
	}
	e.server = server
	return nil
}

// refuses returns why a request is turned away, nil if it is not. headers are those of HTTP, or the
// metadata of gRPC.
func (e *entrance) refuses(ctx context.Context, host string, headers map[string][]string) *refusal {
	if e.asksForToken {
		// The error is for no sender: it may say which of the two was wrong, name or value.
		if e.server == nil {
			return noToken
		}
		if _, err := e.server.Authenticate(ctx, headers); err != nil {
			return noToken
		}
		return nil
	}
	if !e.knows(host) {
		return foreignHost
	}
	return nil
}

// knows reports whether a host, with or without a port, may be this Collector's.
func (e *entrance) knows(host string) bool {
	name := normalHost(host)
	if name == "localhost" || slices.Contains(e.hosts, name) {
		return true
	}
	// No name service was asked for an address, so nobody can have made it point here.
	_, err := netip.ParseAddr(name)
	return err == nil
}

// normalHost returns a host without its port, brackets and case.
func normalHost(host string) string {
	host = strings.TrimSpace(host)
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// report logs that somebody was turned away, without any value of theirs, and not each time.
func (e *entrance) report(r *refusal, protocol string) {
	e.mu.Lock()
	now := time.Now()
	last, before := e.logged[r.reason]
	again := !before || now.Sub(last) >= quiet
	if again {
		e.logged[r.reason] = now
	}
	e.mu.Unlock()
	if again {
		e.logger.Warn("A sender was turned away: "+r.text, zap.String("protocol", protocol))
	}
}
