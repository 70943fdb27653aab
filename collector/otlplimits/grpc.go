// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"context"
	"errors"
	"reflect"
	"sync"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

// mostHeaders bounds the headers of a call; gRPC's own bound is 16 MiB, and they come before all
// others.
const mostHeaders = 64 << 10

// grpcServer is what one gRPC server of a receiver gets. A message passes it in this order: tap
// (headers are here), Unmarshal (the message is here, decompressed), HandleRPC (it is decoded),
// intercept (it is handed on), HandleRPC (the call is over).
type grpcServer struct {
	*limits
	stock encoding.CodecV2
	// found holds what Unmarshal found, by the message it decoded into, until HandleRPC takes it to
	// the call: a codec does not know which call it works for.
	found sync.Map
}

func (s *grpcServer) options() ([]grpc.ServerOption, error) {
	if s.stock == nil {
		return nil, errors.New("otlp_limits: gRPC has no codec for protobuf")
	}
	return []grpc.ServerOption{
		grpc.InTapHandle(s.tap),
		grpc.MaxHeaderListSize(mostHeaders),
		grpc.ConnectionTimeout(s.handshake),
		experimental.BufferPool(s.pool),
		grpc.ForceServerCodecV2(s),
		grpc.StatsHandler(s),
		grpc.ChainUnaryInterceptor(s.intercept),
	}, nil
}

func (s *grpcServer) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	authority := ""
	if named := info.Header.Get(":authority"); len(named) > 0 {
		authority = named[0]
	}
	if refusal := s.turnAway(ctx, overGRPC, authority, info.Header); refusal != nil {
		return nil, refusal.status().Err()
	}
	refusal, signal := outOfMemory, methods[info.FullMethodName]
	if s.hasMemory(signal) {
		ctx, refusal = s.calls.begin(ctx, signal)
	}
	if refusal != nil {
		s.telemetry.refused(overGRPC, refusal.reason)
		return nil, refusal.status().Err()
	}
	return ctx, nil
}

// hasMemory reports whether another message of a signal may begin to arrive.
func (s *grpcServer) hasMemory(signal messageID) bool {
	if s.memory.admits(signal) {
		return true
	}
	s.pool.reclaim()
	return s.memory.admits(signal)
}

// HandleRPC follows a call through gRPC.
func (s *grpcServer) HandleRPC(ctx context.Context, event stats.RPCStats) {
	c := callOf(ctx)
	if c == nil {
		return
	}
	switch event := event.(type) {
	case *stats.Begin:
		s.calls.use(c)
	case *stats.InPayload:
		if found, ok := s.found.LoadAndDelete(event.Payload); ok {
			s.calls.arrived(c, found.(finding))
		}
	case *stats.End:
		if s.calls.unfinished(c) && status.Code(event.Error) == codes.ResourceExhausted {
			s.telemetry.refused(overGRPC, forSize) // by max_recv_msg_size_mib
		}
		s.calls.leave(c)
	}
}

func (*grpcServer) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*grpcServer) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*grpcServer) HandleConn(context.Context, stats.ConnStats)                       {}

// intercept answers for messages that Unmarshal refused.
func (s *grpcServer) intercept(
	ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (any, error) {
	if c := callOf(ctx); c != nil && c.refusal != nil {
		return nil, c.refusal.status().Err()
	}
	return handler(ctx, request)
}

// methods maps the full name of a method to the root of its message.
var methods = map[string]messageID{
	"/opentelemetry.proto.collector.logs.v1.LogsService/Export":       logsRequest,
	"/opentelemetry.proto.collector.trace.v1.TraceService/Export":     traceRequest,
	"/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": metricsRequest,
}

// requests maps the type that the receiver decodes a message into to the root of it.
var requests = map[reflect.Type]messageID{
	reflect.TypeFor[plogotlp.ExportRequest]().Field(0).Type:    logsRequest,
	reflect.TypeFor[ptraceotlp.ExportRequest]().Field(0).Type:  traceRequest,
	reflect.TypeFor[pmetricotlp.ExportRequest]().Field(0).Type: metricsRequest,
}

// otlpMessage is what the receiver's codec decodes by itself, with no bound on nesting.
type otlpMessage interface{ UnmarshalProto([]byte) error }

// Name of the codec is that of the receiver's.
func (s *grpcServer) Name() string { return s.stock.Name() }

// Marshal leaves answers to the receiver's codec.
func (s *grpcServer) Marshal(v any) (mem.BufferSlice, error) { return s.stock.Marshal(v) }

// Unmarshal looks through a message before the receiver's codec decodes it. A message that is
// refused stays empty, for intercept to answer: an error here would become codes.Internal.
func (s *grpcServer) Unmarshal(data mem.BufferSlice, v any) error {
	root, known := requests[reflect.TypeOf(v)]
	if !known {
		if _, otlp := v.(otlpMessage); otlp {
			s.found.Store(v, finding{refusal: notKnown})
			return nil
		}
		return s.stock.Unmarshal(data, v)
	}
	s.pool.arrived(data, root)
	message, report := s.check(data, root)
	defer message.Free()
	if refusal := refusalOf(report.outcome); refusal != nil {
		s.found.Store(v, finding{refusal: refusal})
		return nil
	}
	needed := int64(data.Len()) + report.decoded // the decoder copies texts, and gRPC keeps its own
	if !s.take(root, needed) {
		s.found.Store(v, finding{refusal: outOfMemory})
		return nil
	}
	if err := s.stock.Unmarshal(mem.BufferSlice{message}, v); err != nil {
		s.memory.give(root, needed)
		return err
	}
	s.telemetry.repaired(overGRPC, report)
	s.found.Store(v, finding{held: needed})
	return nil
}

// check scans a message, in one piece. The bytes are gRPC's, and are read only: they are copied
// where there are several pieces, which the decoder would do as well, or something has to be cut.
func (s *grpcServer) check(data mem.BufferSlice, root messageID) (mem.Buffer, report) {
	if len(data) == 1 {
		found := s.scanners.protobuf(data[0].ReadOnlyData(), root, false)
		if found.outcome != unwritable {
			data[0].Ref()
			return data[0], found
		}
	}
	whole := s.pool.Get(data.Len())
	data.CopyTo(*whole)
	found := s.scanners.protobuf(*whole, root, true)
	return mem.NewBuffer(whole, s.pool), found
}
