// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"context"

	"glasshouse.example/collector/deadletter"
)

// signal is what differs between logs, traces and metrics.
type signal[T any] struct {
	name string
	// count is the number of items, which is what can be parted.
	count func(T) int
	// items leads to what the Collector counts: log records, spans, data points.
	items path
	// layers lead to them as well, where a message can be parted without decoding it.
	layers layers
	encode func(T) ([]byte, error)
	decode func([]byte) (T, error)
	// rejected reads an answer: how many items were not taken, and why, in the backend's words.
	rejected func(body []byte, json bool) (int64, string, error)
	// part copies the items from one place to before another, in their order, each with its
	// resource and scope. What holds no item is left out.
	part func(data T, from, to int) T
	keep func(ctx context.Context, store deadletter.Store, reason, source string, data T) error
}
