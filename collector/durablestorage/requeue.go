// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package durablestorage

import (
	"context"
	"slices"

	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// requeue puts the requests that were under way when the last process ended back to the head of
// the queue, in one transaction.
//
// exporterhelper does the same, but deletes all of them first and then adds one after the other: who
// is killed in between loses the rest (persistent_queue.go, enqueueNotDispatchedReqs, 0.161.0). Here
// nothing is left for it to do.
func requeue(ctx context.Context, client storage.Client) (int, error) {
	stored, err := client.Get(ctx, metadataKey)
	if err != nil || len(stored) == 0 {
		return 0, err
	}
	state, known := decodeQueue(stored)
	if !known || len(state.dispatched) == 0 {
		return 0, nil
	}
	slices.Sort(state.dispatched)
	under := slices.Compact(state.dispatched)
	reads := make([]*storage.Operation, len(under))
	for i, index := range under {
		reads[i] = storage.GetOperation(itemKey(index))
	}
	if err := client.Batch(ctx, reads...); err != nil {
		return 0, err
	}
	var operations []*storage.Operation
	var values [][]byte
	for i, index := range under {
		// What is already gone was settled.
		if reads[i].Value != nil && index < state.readIndex {
			values = append(values, reads[i].Value)
			operations = append(operations, storage.DeleteOperation(itemKey(index)))
		}
	}
	if uint64(len(values)) > state.readIndex {
		return 0, nil // no queue is like that
	}
	first := state.readIndex - uint64(len(values))
	for i, value := range values {
		operations = append(operations, storage.SetOperation(itemKey(first+uint64(i)), value))
	}
	state.readIndex, state.dispatched = first, nil
	operations = append(operations, storage.SetOperation(metadataKey, state.encode()))
	return len(values), client.Batch(ctx, operations...)
}
