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

// noteWithin is for how long a note may wait for a request to be written with.
const noteWithin = 200 * time.Millisecond

// client stands before one file.
//
// A queue notes each request that it hands out and each that is settled. Nobody waits for these notes
// to be on disk: who is killed before finds an older one, and delivers again. So they are kept here
// and written with the next request, or soon when none comes.
//
// The same keeps what a full disk would cost: a queue reads on when its storage cannot note that it
// has done so, and then drops what it read (persistent_queue.go, getNextItem, 0.161.0). Notes wait
// until the disk takes them. A new request that the disk does not take is refused, as it should be.
type client struct {
	storage.Client
	logger *zap.Logger
	clock  func() time.Time

	mutex sync.Mutex
	// state is the queue's newest state, deleted what is settled, where the disk does not know yet.
	state   []byte
	deleted []string
	timer   *time.Timer
	closed  bool
	logged  time.Time
	recent  recent
}

func newClient(inner storage.Client, logger *zap.Logger, clock func() time.Time) *client {
	return &client{Client: inner, logger: logger, clock: clock, recent: recent{most: mostRecent}}
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

// Batch runs operations in one transaction. Those that are only notes wait for the next one.
func (c *client) Batch(ctx context.Context, operations ...*storage.Operation) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	reads, onlyNotes := notes(operations)
	if onlyNotes && c.recent.answer(reads) {
		c.keep(operations)
		return nil
	}
	held := c.held()
	err := c.Client.Batch(ctx, append(held, operations...)...)
	if err == nil {
		c.state, c.deleted = nil, nil
		c.recent.note(operations)
		return nil
	}
	if !onlyNotes {
		return err
	}
	c.keep(operations)
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
	c.closed = true
	if c.timer != nil {
		c.timer.Stop()
	}
	c.write(ctx)
	return c.Client.Close(ctx)
}

// write writes what is held, where there is anything.
func (c *client) write(ctx context.Context) {
	held := c.held()
	if len(held) == 0 {
		return
	}
	if err := c.Client.Batch(ctx, held...); err != nil {
		c.log(err)
		return
	}
	c.state, c.deleted = nil, nil
}

// writeLater makes sure that what is held is written, also when no request comes.
func (c *client) writeLater() {
	if c.timer != nil || c.closed {
		return
	}
	c.timer = time.AfterFunc(noteWithin, func() {
		c.mutex.Lock()
		defer c.mutex.Unlock()
		c.timer = nil
		if c.closed {
			return
		}
		c.write(context.Background())
		if len(c.held()) > 0 {
			c.writeLater()
		}
	})
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

// notes reports whether operations are what a queue notes about itself, and does not survive the
// failure of. It returns those that read.
func notes(operations []*storage.Operation) (reads []*storage.Operation, only bool) {
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
	return reads, true
}

// keep holds notes.
func (c *client) keep(operations []*storage.Operation) {
	for _, one := range operations {
		switch one.Type {
		case storage.Set:
			c.state = one.Value
		case storage.Delete:
			c.deleted = append(c.deleted, one.Key)
			c.recent.drop(one.Key)
		case storage.Get:
		}
	}
	c.writeLater()
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
