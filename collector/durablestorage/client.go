// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package durablestorage

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
)

// quietFor is how long a failure is not logged again.
const quietFor = 10 * time.Second

// client stands before one file.
//
// A queue reads on when its storage cannot note that it has done so, and then drops what it read
// (persistent_queue.go, getNextItem, 0.161.0). On a full disk every request that leaves the queue
// would be lost like that. So what a queue notes about itself, and what it has settled, is kept here
// until the disk takes it. A process that is killed meanwhile finds an older note, and delivers
// again. A new request that the disk does not take is refused, as it should be.
type client struct {
	storage.Client
	logger *zap.Logger
	clock  func() time.Time

	mutex sync.Mutex
	// state is the queue's newest state, deleted what is settled, where the disk does not know yet.
	state   []byte
	deleted []string
	logged  time.Time
}

// Get returns what is stored under a key.
func (c *client) Get(ctx context.Context, key string) ([]byte, error) {
	operation := storage.GetOperation(key)
	if err := c.Batch(ctx, operation); err != nil {
		return nil, err
	}
	return operation.Value, nil
}

// Set stores a value.
func (c *client) Set(ctx context.Context, key string, value []byte) error {
	return c.Batch(ctx, storage.SetOperation(key, value))
}

// Delete removes a key.
func (c *client) Delete(ctx context.Context, key string) error {
	return c.Batch(ctx, storage.DeleteOperation(key))
}

// Batch runs operations in one transaction.
func (c *client) Batch(ctx context.Context, operations ...*storage.Operation) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	held := c.held()
	err := c.Client.Batch(ctx, append(held, operations...)...)
	if err == nil {
		c.state, c.deleted = nil, nil
		return nil
	}
	reads, ok := c.keep(operations)
	if !ok {
		return err
	}
	c.log(err)
	if len(reads) == 0 {
		return nil
	}
	// Nothing is written by this, so it needs no space.
	return c.Client.Batch(ctx, reads...)
}

// Close closes the file. What could not be written is tried once more.
func (c *client) Close(ctx context.Context) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if held := c.held(); len(held) > 0 {
		if err := c.Client.Batch(ctx, held...); err != nil {
			c.log(err)
		}
	}
	return c.Client.Close(ctx)
}

func (c *client) held() []*storage.Operation {
	var operations []*storage.Operation
	for _, key := range c.deleted {
		operations = append(operations, storage.DeleteOperation(key))
	}
	if c.state != nil {
		operations = append(operations, storage.SetOperation(metadataKey, c.state))
	}
	return operations
}

// keep holds operations that a queue does not survive the failure of. It returns those that read;
// false when there are others, which have to fail.
func (c *client) keep(operations []*storage.Operation) (reads []*storage.Operation, ok bool) {
	for _, one := range operations {
		_, isItem := itemIndex(one.Key)
		switch {
		case one.Type == storage.Get:
			reads = append(reads, one)
		case one.Type == storage.Set && one.Key == metadataKey:
		case one.Type == storage.Delete && isItem:
		default:
			return nil, false
		}
	}
	for _, one := range operations {
		switch one.Type {
		case storage.Set:
			c.state = one.Value
		case storage.Delete:
			c.deleted = append(c.deleted, one.Key)
		case storage.Get:
		}
	}
	return reads, true
}

func (c *client) log(err error) {
	now := c.clock()
	if !c.logged.IsZero() && now.Sub(c.logged) < quietFor {
		return
	}
	c.logged = now
	c.logger.Error("The disk does not take what a queue notes: free space on it. Nothing is lost; "+
		"what is delivered meanwhile may be delivered again after a crash", zap.Error(err))
}
