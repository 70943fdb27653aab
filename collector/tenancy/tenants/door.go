// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package tenants

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensionmiddleware"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"glasshouse.example/collector/tenancy"
)

const (
	// quiet is how long nothing more is logged of clients that are refused for the same reason.
	quiet = time.Minute
	// longestShown bounds what is logged of a certificate.
	longestShown = 200
)

var (
	_ extension.Extension            = (*door)(nil)
	_ extensionmiddleware.HTTPServer = (*door)(nil)
	_ extensionmiddleware.GRPCServer = (*door)(nil)
)

// door lets a client in under its tenant, or not at all.
type door struct {
	component.StartFunc
	component.ShutdownFunc
	tenants   map[string]string
	logger    *zap.Logger
	telemetry *telemetry

	mu     sync.Mutex
	logged map[string]time.Time // by reason
}

func newDoor(set extension.Settings, config *Config) (*door, error) {
	telemetry, err := newTelemetry(set.MeterProvider)
	if err != nil {
		return nil, err
	}
	return &door{
		tenants: config.Clients, logger: set.Logger, telemetry: telemetry, logged: map[string]time.Time{},
	}, nil
}

// admit returns the request's context under its tenant, or what the client is answered.
func (d *door) admit(ctx context.Context, state *tls.ConnectionState) (context.Context, *refusal) {
	// VerifiedChains is empty where the server asks for no certificate, or takes any.
	if state == nil || len(state.VerifiedChains) == 0 {
		return nil, d.refuse(withoutCertificate, nil)
	}
	certificate := state.PeerCertificates[0]
	for _, name := range names(certificate) {
		if tenant, known := d.tenants[name]; known {
			return tenancy.Into(ctx, tenant), nil
		}
	}
	return nil, d.refuse(unknownClient, certificate)
}

// names are what a certificate calls its owner. The common name counts where there is nothing else, as
// RFC 6125 has it.
func names(certificate *x509.Certificate) []string {
	if len(certificate.URIs) > 0 {
		return []string{certificate.URIs[0].String()}
	}
	if len(certificate.DNSNames) > 0 {
		return certificate.DNSNames
	}
	return []string{certificate.Subject.CommonName}
}

func (d *door) refuse(why *refusal, certificate *x509.Certificate) *refusal {
	d.telemetry.refused(why.reason)
	d.mu.Lock()
	now := time.Now()
	last, before := d.logged[why.reason]
	again := !before || now.Sub(last) >= quiet
	if again {
		d.logged[why.reason] = now
	}
	d.mu.Unlock()
	if !again {
		return why
	}
	shown := ""
	if certificate != nil {
		shown = fmt.Sprintf("%.*q", longestShown, names(certificate))
	}
	d.logger.Warn("A client was refused: "+why.text, zap.String("certificate", shown))
	return why
}

// GetHTTPHandler is called by the receiver for each HTTP server.
func (d *door) GetHTTPHandler(context.Context) (extensionmiddleware.WrapHTTPHandlerFunc, error) {
	return func(_ context.Context, next http.Handler) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, refused := d.admit(r.Context(), r.TLS)
			if refused != nil {
				http.Error(w, refused.text, http.StatusForbidden)
				return
			}
			next.ServeHTTP(w, r.WithContext(ctx))
		}), nil
	}, nil
}

// GetGRPCServerOptions is called by the receiver for each gRPC server.
func (d *door) GetGRPCServerOptions(context.Context) ([]grpc.ServerOption, error) {
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(d.intercept)}, nil
}

func (d *door) intercept(
	ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (any, error) {
	var state *tls.ConnectionState
	if from, known := peer.FromContext(ctx); known {
		if info, encrypted := from.AuthInfo.(credentials.TLSInfo); encrypted {
			state = &info.State
		}
	}
	ctx, refused := d.admit(ctx, state)
	if refused != nil {
		return nil, status.Error(codes.PermissionDenied, refused.text)
	}
	return handler(ctx, request)
}
