// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensionmiddleware"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

var (
	_ extension.Extension            = (*limits)(nil)
	_ extensionmiddleware.HTTPServer = (*limits)(nil)
	_ extensionmiddleware.GRPCServer = (*limits)(nil)
)

// limits is one extension. All receivers that name it share its memory.
type limits struct {
	maxRequest int
	scanners   *scanners
	memory     *memoryBudget
	calls      *calls
	watch      watch
	garbage    garbage
	pool       *countingPool
	telemetry  *telemetry
	paths      map[string]messageID
	entrance   *entrance
	handshake  time.Duration
}

func newLimits(set extension.Settings, cfg *Config) (*limits, error) {
	memory := &memoryBudget{shares: shares{most: int64(cfg.MaxInFlightMiB) * mib}}
	telemetry, err := newTelemetry(set.MeterProvider, memory)
	if err != nil {
		return nil, err
	}
	calls := &calls{
		memory:      memory,
		telemetry:   telemetry,
		readTimeout: cfg.ReadTimeout,
		open:        map[*call]struct{}{},
		places:      shares{most: int64(cfg.MaxConcurrent)},
		some:        make(chan struct{}, 1),
	}
	return &limits{
		maxRequest: cfg.MaxRequestMiB * mib,
		scanners:   newScanners(cfg.bounds()),
		memory:     memory,
		calls:      calls,
		watch:      watch{calls: calls},
		garbage:    garbage{least: uint64(cfg.LeastGarbageMiB) * mib},
		pool:       newCountingPool(memory, mem.DefaultBufferPool(), calls.endOldest),
		telemetry:  telemetry,
		paths:      cfg.paths(),
		entrance:   newEntrance(cfg.Access, set.Logger),
		handshake:  cfg.HandshakeTimeout,
	}, nil
}

// Start begins to watch the memory.
func (l *limits) Start(_ context.Context, host component.Host) error {
	if err := l.entrance.start(host); err != nil {
		return err
	}
	l.watch.start()
	l.garbage.start()
	return nil
}

// Shutdown ends that. Requests in flight go on: receivers end before extensions.
func (l *limits) Shutdown(context.Context) error {
	l.watch.end()
	l.garbage.end()
	return nil
}

// take reserves memory for a request of a signal, and reports whether there was enough.
func (l *limits) take(signal messageID, bytes int64) bool {
	if l.memory.take(signal, bytes) {
		return true
	}
	l.pool.reclaim()
	return l.memory.take(signal, bytes)
}

// turnAway returns why a request may not come in, and notes it.
func (l *limits) turnAway(
	ctx context.Context, protocol, host string, headers map[string][]string,
) *refusal {
	refusal := l.entrance.refuses(ctx, host, headers)
	if refusal != nil {
		l.telemetry.refused(protocol, refusal.reason)
		l.entrance.report(refusal, protocol)
	}
	return refusal
}

// GetHTTPHandler is called by the receiver for each HTTP server.
func (l *limits) GetHTTPHandler(context.Context) (extensionmiddleware.WrapHTTPHandlerFunc, error) {
	return func(_ context.Context, next http.Handler) (http.Handler, error) {
		return &httpHandler{limits: l, next: next}, nil
	}, nil
}

// GetGRPCServerOptions is called by the receiver for each gRPC server.
func (l *limits) GetGRPCServerOptions(context.Context) ([]grpc.ServerOption, error) {
	return (&grpcServer{limits: l, stock: encoding.GetCodecV2("proto")}).options()
}
