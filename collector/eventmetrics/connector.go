// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

const scopeName = "glasshouse.example/collector/eventmetrics"

// interest is one family that counts an event, and the value its event label gets.
type interest struct {
	family *family
	value  string
}

// eventMetrics counts under a lock and hands on what has changed from one goroutine. So the
// order is kept whatever the number of senders, and a count is never handed on twice.
type eventMetrics struct {
	config    *Config
	id        component.ID
	next      consumer.Metrics
	logger    *zap.Logger
	telemetry *telemetry
	client    storage.Client
	clock     func() time.Time
	interests map[string][]interest // only read once started
	requests  sync.Pool
	idKey     idKey // only read once started

	// mutex guards what is counted. It is held for sums and look-ups alone, never while a record
	// is read or anything is encoded, stored or handed on.
	mutex    sync.Mutex
	families []*family
	repeats  *repeats
	pending  pending
	// counted numbers the requests that were counted; stored is the last of those that are on disk.
	counted, stored uint64

	flusher flusher
	watched metric.Registration
	stop    chan struct{}
	stopped chan struct{}
}

func newConnector(
	set connector.Settings, config *Config, next consumer.Metrics,
) (*eventMetrics, error) {
	telemetry, err := newTelemetry(set.MeterProvider, config.Families)
	if err != nil {
		return nil, err
	}
	c := &eventMetrics{
		config: config, id: set.ID, next: next, logger: set.Logger, telemetry: telemetry,
		clock: time.Now, interests: map[string][]interest{}, idKey: newIDKey(),
		flusher: flusher{logged: map[string]time.Time{}},
	}
	c.requests.New = func() any {
		return &request{writer: writer{key: c.idKey}, ordinals: map[identity]uint32{}}
	}
	return c, nil
}

// Capabilities says that log records are only read.
func (*eventMetrics) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: false}
}

// Start restores the counts and begins to hand them on.
func (c *eventMetrics) Start(ctx context.Context, host component.Host) error {
	now := c.clock()
	c.repeats = newRepeats(c.config.Repeats, now)
	for i := range c.config.Families {
		f := newFamily(&c.config.Families[i], i, now)
		c.families = append(c.families, f)
		for event, value := range f.config.Events {
			c.interests[event] = append(c.interests[event], interest{f, value})
		}
	}
	if err := c.openStorage(ctx, host); err != nil {
		return err
	}
	// The next component knows nothing yet: everything is exposed once.
	for _, f := range c.families {
		for _, key := range slices.Sorted(maps.Keys(f.series)) {
			c.pending.add(f.series[key], now)
		}
	}
	var err error
	if c.watched, err = c.telemetry.watch(c.behind); err != nil {
		return err
	}
	c.stop, c.stopped = make(chan struct{}), make(chan struct{})
	go c.run(c.stop, c.stopped)
	return nil
}

func (c *eventMetrics) openStorage(ctx context.Context, host component.Host) error {
	if c.config.StorageID == nil {
		return nil
	}
	extension, found := host.GetExtensions()[*c.config.StorageID]
	if !found {
		return fmt.Errorf("storage: there is no extension %s", c.config.StorageID)
	}
	store, ok := extension.(storage.Extension)
	if !ok {
		return fmt.Errorf("storage: %s is no storage extension", c.config.StorageID)
	}
	client, err := store.GetClient(ctx, component.KindConnector, c.id, "")
	if err != nil {
		return fmt.Errorf("storage: %s: %w", c.config.StorageID, err)
	}
	c.client = client
	err = c.restore(ctx)
	if err == nil {
		err = c.restoreRepeats(ctx)
	}
	if err != nil {
		_ = client.Close(ctx) // the first error says more
		return fmt.Errorf("storage: %s: %w", c.config.StorageID, err)
	}
	return nil
}

// Shutdown stores and hands on what has been counted.
func (c *eventMetrics) Shutdown(ctx context.Context) error {
	if c.stop == nil {
		return nil
	}
	close(c.stop)
	c.stop = nil
	err := c.watched.Unregister()
	select {
	case <-c.stopped:
	case <-ctx.Done(): // a storage that hangs
		return ctx.Err()
	}
	err = errors.Join(err, c.flush(ctx))
	if c.client != nil {
		err = errors.Join(err, c.client.Close(ctx))
	}
	return err
}

func (c *eventMetrics) run(stop <-chan struct{}, stopped chan<- struct{}) {
	defer close(stopped)
	ticker := time.NewTicker(c.config.FlushInterval)
	defer ticker.Stop()
	for {
		_ = c.flush(context.Background()) // logged and counted where it failed
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
	}
}

// ConsumeLogs counts the events among the records. Where repeats are known, and there is a storage,
// it returns when both the counts and what came are stored: so who is acknowledged is counted, and
// who is not and tries again is not counted twice, whenever the process is killed.
func (c *eventMetrics) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	r := c.requests.Get().(*request)
	c.read(logs, r)
	var number uint64
	if len(r.events) > 0 {
		number = c.count(r)
	}
	c.telemetry.report(ctx, r)
	if !r.isLarge() {
		r.reset()
		c.requests.Put(r)
	}
	if number > 0 && c.client != nil && c.repeats != nil {
		return c.commit(ctx, number)
	}
	return nil
}

// count adds what a request brings. What was counted before is left out. It returns the request's
// number.
func (c *eventMetrics) count(r *request) uint64 {
	now := c.clock()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	begin := 0
	for i := range r.events {
		e := &r.events[i]
		again := c.repeats.seen(e.id, now)
		if again {
			r.repeated++
		}
		for j := begin; j < e.end; j++ {
			m := &r.measurements[j]
			switch {
			case again:
				m.outcome = repeated
			case m.outcome == counted:
				s := m.family.find(r, m, now)
				if s.add(m.number, e, now) {
					s.unstored = true
					c.pending.add(s, now)
				} else {
					m.outcome = outOfRange
				}
			}
		}
		begin = e.end
	}
	r.forgotten = c.repeats.lost()
	c.counted++
	return c.counted
}
