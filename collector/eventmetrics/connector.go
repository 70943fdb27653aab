// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
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

	mutex     sync.Mutex
	families  []*family
	interests map[string][]interest
	dirty     bool

	stop    chan struct{}
	stopped chan struct{}
}

func newConnector(
	set connector.Settings, config *Config, next consumer.Metrics,
) (*eventMetrics, error) {
	telemetry, err := newTelemetry(set.MeterProvider)
	if err != nil {
		return nil, err
	}
	return &eventMetrics{
		config: config, id: set.ID, next: next, logger: set.Logger, telemetry: telemetry,
		clock: time.Now, interests: map[string][]interest{},
	}, nil
}

// Capabilities tells that log records are only read.
func (*eventMetrics) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: false}
}

// Start restores the counts and begins to hand them on.
func (c *eventMetrics) Start(ctx context.Context, host component.Host) error {
	now := c.clock()
	for i := range c.config.Families {
		f := newFamily(&c.config.Families[i], now)
		c.families = append(c.families, f)
		for event, value := range f.config.Events {
			c.interests[event] = append(c.interests[event], interest{f, value})
		}
	}
	if err := c.openStorage(ctx, host); err != nil {
		return err
	}
	c.stop, c.stopped = make(chan struct{}), make(chan struct{})
	go c.run()
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
	data, err := client.Get(ctx, stateKey)
	if err != nil {
		return fmt.Errorf("storage: %s: %w", c.config.StorageID, err)
	}
	if data == nil {
		return nil
	}
	changed, err := restoreState(data, c.families)
	if err != nil {
		// Refusing to start would stop all telemetry for the sake of old counts.
		c.logger.Error("Counts start at zero", zap.Error(err))
	}
	if len(changed) > 0 {
		c.logger.Warn("Counts of changed families start at zero", zap.Strings("families", changed))
	}
	return nil
}

// Shutdown hands on and stores what has been counted.
func (c *eventMetrics) Shutdown(ctx context.Context) error {
	if c.stop == nil {
		return nil
	}
	close(c.stop)
	<-c.stopped
	c.stop = nil
	err := c.flush(ctx)
	if c.client != nil {
		if closing := c.client.Close(ctx); err == nil {
			err = closing
		}
	}
	return err
}

func (c *eventMetrics) run() {
	defer close(c.stopped)
	ticker := time.NewTicker(c.config.FlushInterval)
	defer ticker.Stop()
	c.tick()
	for {
		select {
		case <-c.stop:
			return
		case <-ticker.C:
			c.tick()
		}
	}
}

func (c *eventMetrics) tick() {
	if err := c.flush(context.Background()); err != nil {
		c.logger.Error("Counts could not be handed on", zap.Error(err))
	}
}

// ConsumeLogs counts the events among the records.
func (c *eventMetrics) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	now := c.clock()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for i := range logs.ResourceLogs().Len() {
		scopes := logs.ResourceLogs().At(i).ScopeLogs()
		for j := range scopes.Len() {
			records := scopes.At(j).LogRecords()
			for k := range records.Len() {
				c.count(ctx, records.At(k), now)
			}
		}
	}
	return nil
}

func (c *eventMetrics) count(ctx context.Context, record plog.LogRecord, now time.Time) {
	event := record.EventName()
	if event == "" {
		attribute, present := record.Attributes().Get(c.config.EventAttribute)
		if !present || attribute.Type() != pcommon.ValueTypeStr {
			return
		}
		event = attribute.Str()
	}
	for _, interested := range c.interests[event] {
		readable, others := interested.family.record(interested.value, record, now)
		name := interested.family.config.Name
		if !readable {
			c.telemetry.unreadable(ctx, name)
			continue
		}
		for _, label := range others {
			c.telemetry.other(ctx, name, label)
		}
		c.dirty = true
	}
}

// flush stores the counts, then hands them on. In this order a count that was shown is never
// forgotten: a counter that falls would be taken for one that began anew, and counted double.
func (c *eventMetrics) flush(ctx context.Context) error {
	metrics, state, err := c.snapshot()
	if err != nil || metrics.MetricCount() == 0 {
		return err
	}
	if c.client != nil {
		if err := c.client.Set(ctx, stateKey, state); err != nil {
			// Counts are still shown; only a restart would miss them.
			c.logger.Error("Counts could not be stored", zap.Error(err))
		}
	}
	return c.next.ConsumeMetrics(ctx, metrics)
}

// snapshot returns what is to be shown now, and what is to be stored; no metrics when nothing
// has changed.
func (c *eventMetrics) snapshot() (pmetric.Metrics, []byte, error) {
	now := c.clock()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	metrics := pmetric.NewMetrics()
	stepped := false
	for _, f := range c.families {
		for _, s := range f.series {
			stepped = s.step(now, c.config.ZeroFor) || stepped
		}
	}
	if !c.dirty && !stepped {
		return metrics, nil, nil
	}
	c.dirty = false
	scope := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	scope.Scope().SetName(scopeName)
	for _, f := range c.families {
		f.write(scope.Metrics(), pcommon.NewTimestampFromTime(now))
	}
	state, err := encodeState(c.families)
	return metrics, state, err
}
