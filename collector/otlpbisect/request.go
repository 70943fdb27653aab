// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"
)

// request is a batch on its way, as it is encoded once: the same bytes are written to the queue, read
// from it, joined with others and sent. Only what has to be parted is decoded.
type request[T any] struct {
	signal *signal[T]
	bytes  []byte
	items  int // as the Collector counts them
}

var _ xexporterhelper.RequestErrorHandler = (*request[any])(nil)

func newRequest[T any](signal *signal[T], encoded []byte) (*request[T], error) {
	items, err := signal.items.count(encoded)
	if err != nil {
		return nil, fmt.Errorf("no OTLP: %w", err)
	}
	return &request[T]{signal: signal, bytes: encoded, items: items}, nil
}

// converter returns what encodes the data of one call, unless it is encoded already.
func converter[T any](signal *signal[T]) xexporterhelper.RequestConverterFunc[T] {
	return func(ctx context.Context, data T) (xexporterhelper.Request, error) {
		if one, is := ctx.Value(gathered{}).(*request[T]); is {
			return one, nil
		}
		encoded, err := signal.encode(data)
		if err != nil {
			return nil, err
		}
		return newRequest(signal, encoded)
	}
}

// ItemsCount returns the number of records.
func (r *request[T]) ItemsCount() int { return r.items }

// BytesSize returns the size of the OTLP message.
func (r *request[T]) BytesSize() int { return len(r.bytes) }

func (r *request[T]) size(by exporterhelper.RequestSizerType) int {
	switch by {
	case exporterhelper.RequestSizerTypeBytes:
		return len(r.bytes)
	case exporterhelper.RequestSizerTypeItems:
		return r.items
	default:
		return 1
	}
}

// MergeSplit joins two requests, in their order, to one of at most so many items; what is more goes
// into further ones. Bounds on bytes keep requests apart and part none: max_request_bytes does that.
func (r *request[T]) MergeSplit(
	_ context.Context, most int, by exporterhelper.RequestSizerType, other xexporterhelper.Request,
) ([]xexporterhelper.Request, error) {
	all := []*request[T]{r}
	if other != nil {
		next, ok := other.(*request[T])
		if !ok {
			return nil, errors.New("a request of another exporter")
		}
		all = append(all, next)
	}
	total := 0
	for _, one := range all {
		total += one.size(by)
	}
	switch {
	case most == 0 || total <= most:
		return []xexporterhelper.Request{join(all)}, nil
	case by != exporterhelper.RequestSizerTypeItems:
		return apart(all), nil
	}
	parts, err := join(all).split(most)
	if err != nil {
		return apart(all), nil // it is refused by the backend, if at all
	}
	return parts, nil
}

func apart[T any](all []*request[T]) []xexporterhelper.Request {
	made := make([]xexporterhelper.Request, len(all))
	for i, one := range all {
		made[i] = one
	}
	return made
}

// join makes one request of some: a message behind another is their repeated fields joined.
func join[T any](all []*request[T]) *request[T] {
	if len(all) == 1 {
		return all[0]
	}
	size, items := 0, 0
	for _, one := range all {
		size += len(one.bytes)
		items += one.items
	}
	joined := make([]byte, 0, size)
	for _, one := range all {
		joined = append(joined, one.bytes...)
	}
	return &request[T]{signal: all[0].signal, bytes: joined, items: items}
}

// split parts a request into some of so many items each, the last of them what is left.
func (r *request[T]) split(most int) ([]xexporterhelper.Request, error) {
	var parts []xexporterhelper.Request
	if all, ok := r.signal.layers.count(r.bytes); ok {
		for from := 0; from < all; from += most {
			to := min(all, from+most)
			parts = append(parts, &request[T]{signal: r.signal, bytes: r.signal.layers.cut(r.bytes, from, to), items: to - from})
		}
		return parts, nil
	}
	data, err := r.signal.decode(r.bytes)
	if err != nil {
		return nil, err
	}
	for from, all := 0, r.signal.count(data); from < all; from += most {
		encoded, err := r.signal.encode(r.signal.part(data, from, min(all, from+most)))
		if err != nil {
			return nil, err
		}
		part, err := newRequest(r.signal, encoded)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// unsettled is an error with what the backend has neither taken nor refused.
type unsettled struct {
	error
	left []byte
}

// Unwrap returns what went wrong.
func (u *unsettled) Unwrap() error { return u.error }

// OnError returns what the helper has to try again.
func (r *request[T]) OnError(err error) xexporterhelper.Request {
	rest, ok := errors.AsType[*unsettled](err)
	if !ok {
		return r
	}
	left, err := newRequest(r.signal, rest.left)
	if err != nil {
		return r
	}
	return left
}
