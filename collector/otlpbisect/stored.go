// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"context"
	"encoding/binary"

	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	pdatarequest "go.opentelemetry.io/collector/pdata/xpdata/request"
	"google.golang.org/protobuf/encoding/protowire"
)

// In the queue stands what the stock exporters store, so that one reads what another has written: the
// format's version, the request's context and the OTLP message (pdata/xpdata/request/internal/
// request.proto, 0.161.0), the same for all signals. Before 0.130 it was the message alone.
const (
	fieldVersion  = 1
	fieldMessage  = 3
	formatVersion = 1
)

// encoding stores requests.
type encoding[T any] struct{ signal *signal[T] }

// Marshal returns a request as it is stored.
func (e encoding[T]) Marshal(ctx context.Context, one xexporterhelper.Request) ([]byte, error) {
	// What remembers the context is not exported. It is the same beside an empty message.
	head, err := pdatarequest.MarshalLogs(ctx, plog.NewLogs())
	if err != nil {
		return nil, err
	}
	if head, _, err = message(head); err != nil {
		return nil, err
	}
	encoded := one.(*request[T]).bytes
	stored := make([]byte, 0, len(head)+protowire.SizeTag(fieldMessage)+protowire.SizeBytes(len(encoded)))
	stored = append(stored, head...)
	stored = protowire.AppendTag(stored, fieldMessage, protowire.BytesType)
	return protowire.AppendBytes(stored, encoded), nil
}

// Unmarshal returns a stored request and its context.
func (e encoding[T]) Unmarshal(stored []byte) (context.Context, xexporterhelper.Request, error) {
	ctx := context.Background()
	encoded := stored
	if isVersioned(stored) {
		head, found, err := message(stored)
		if err != nil {
			return ctx, nil, err
		}
		if ctx, _, err = pdatarequest.UnmarshalLogs(head); err != nil {
			return ctx, nil, err
		}
		encoded = found
	}
	one, err := newRequest(e.signal, encoded)
	if err != nil {
		return ctx, nil, err
	}
	return ctx, one, nil
}

// isVersioned distinguishes the format from a message alone, whose first field is no fixed32.
func isVersioned(stored []byte) bool {
	field, kind, n := protowire.ConsumeTag(stored)
	return n > 0 && field == fieldVersion && kind == protowire.Fixed32Type && len(stored) >= n+4 &&
		binary.LittleEndian.Uint32(stored[n:]) == formatVersion
}

// message takes the message out of what is stored; head is the rest.
func message(stored []byte) (head, encoded []byte, err error) {
	for left := stored; len(left) > 0; {
		field, _, n := protowire.ConsumeField(left)
		if n < 0 {
			return nil, nil, protowire.ParseError(n)
		}
		if field == fieldMessage {
			_, _, tag := protowire.ConsumeTag(left)
			encoded, _ = protowire.ConsumeBytes(left[tag:])
		} else {
			head = append(head, left[:n]...)
		}
		left = left[n:]
	}
	return head, encoded, nil
}
