// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"
)

// logEvery bounds how often a stage that fails is logged. The counter has every time.
const logEvery = 10 * time.Second

// pending is what has to be stored and exposed.
type pending struct {
	changed []*series
	// oldest is since when the first of these waits; taken is the same of those that are being
	// stored and exposed just now.
	oldest, taken time.Time
	// waiting are exposed at 0, and not yet for long enough.
	waiting []*series
}

func (p *pending) add(s *series, since time.Time) {
	if p.oldest.IsZero() || since.Before(p.oldest) {
		p.oldest = since
	}
	if !s.listed {
		s.listed = true
		p.changed = append(p.changed, s)
	}
}

// initialize ends the 0 of series that have exposed it for long enough.
func (p *pending) initialize(now time.Time, initialZero time.Duration) {
	p.waiting = slices.DeleteFunc(p.waiting, func(s *series) bool {
		if now.Sub(s.exposed) < initialZero {
			return false
		}
		s.initialized = true
		if s.count > 0 {
			s.unstored = true
			p.add(s, now)
		}
		return true
	})
}

// flusher is what flushes need. Its mutex lets one run at a time.
type flusher struct {
	mutex sync.Mutex
	// logged is when a failure of a stage was last logged.
	logged map[string]time.Time
	// outdated: the counts as the former version stored them are still there.
	outdated bool
	// repeated is when all series were last handed on.
	repeated time.Time
	// stamp is the newest time handed on.
	stamp pcommon.Timestamp
	// ids are what came since the last write, up to a mark: read together with the counts, and
	// written with them.
	ids     []*storage.Operation
	idsUpTo mark
}

// reading is a series as it was at one moment. What is stored and what is exposed come from the
// same one, so nothing is exposed that is not on disk.
type reading struct {
	series      *series
	key         string
	start       time.Time
	count       uint64
	sum         sum
	buckets     []uint64
	exemplars   []exemplar
	initialized bool
	// store: what is on disk is older. failed: it cannot be encoded.
	store, failed bool
}

// read returns the series as it is. It gets its place in the storage now, if it has none.
func (s *series) read() reading {
	if s.storedAs == "" {
		s.storedAs = s.family.slots.next(s.family)
	}
	return reading{
		series: s, key: s.storedAs, start: s.start, count: s.count, sum: s.sum,
		buckets: slices.Clone(s.buckets), exemplars: slices.Clone(s.exemplars),
		initialized: s.initialized, store: s.unstored,
	}
}

// portion is what has changed of one family, and how far it has come.
type portion struct {
	family          *family
	readings        []reading
	operations      []*storage.Operation
	stored, exposed bool
}

// flush stores what has changed, then hands it on. In this order a count that was exposed is never
// forgotten: a counter that falls would be taken for one that began anew, and counted double.
// What fails, fails for its family alone, and is tried again with the next flush.
func (c *eventMetrics) flush(ctx context.Context) error {
	c.flusher.mutex.Lock()
	defer c.flusher.mutex.Unlock()
	portions := c.take()
	stored := c.attempt(ctx, stageStore, c.encode(ctx, portions), c.store)
	c.storeRepeats(ctx) // when no count has changed
	for _, p := range stored {
		p.stored = true
	}
	for _, p := range c.attempt(ctx, stageExpose, stored, c.expose) {
		p.exposed = true
	}
	unstored, unexposed := c.settle(portions)
	if c.flusher.outdated && unstored == 0 {
		c.removeOutdated(ctx)
	}
	if unexposed > 0 {
		return fmt.Errorf("%d series could not be stored and exposed", unexposed)
	}
	return nil
}

// take reads what has changed, by family.
func (c *eventMetrics) take() []*portion {
	now := c.clock()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.repeats.age(now)
	c.flusher.ids, c.flusher.idsUpTo = c.repeats.take()
	p := &c.pending
	p.initialize(now, c.config.InitialZeroDuration)
	c.repeat(now)
	byFamily := make([]*portion, len(c.families))
	for _, s := range p.changed {
		s.listed = false
		s.initialized = s.initialized || c.config.InitialZeroDuration == 0
		to := byFamily[s.family.place]
		if to == nil {
			to = &portion{family: s.family}
			byFamily[s.family.place] = to
		}
		to.readings = append(to.readings, s.read())
		s.unstored = false
	}
	clear(p.changed)
	p.changed, p.taken, p.oldest = p.changed[:0], p.oldest, time.Time{}
	return slices.DeleteFunc(byFamily, func(one *portion) bool { return one == nil })
}

// repeat has all series handed on when it is time. It is called with the lock held.
func (c *eventMetrics) repeat(now time.Time) {
	every, since := c.config.RepeatInterval, now.Sub(c.flusher.repeated)
	if every == 0 || since >= 0 && since < every { // a clock that was set back waits for nothing
		return
	}
	c.flusher.repeated = now
	for _, f := range c.families {
		for _, s := range f.series {
			c.pending.add(s, now)
		}
	}
}

// encode makes of the portions what is to be stored. It returns those of which something can be.
func (c *eventMetrics) encode(ctx context.Context, portions []*portion) (encoded []*portion) {
	if c.client == nil {
		return portions
	}
	for _, p := range portions {
		failed := 0
		for i := range p.readings {
			one := &p.readings[i]
			if !one.store {
				continue
			}
			value, err := one.encode(p.family)
			if err != nil {
				one.failed = true
				failed++
				continue
			}
			p.operations = append(p.operations, storage.SetOperation(one.key, value))
		}
		if failed > 0 {
			c.failed(ctx, stageEncode, p.family, 1, fmt.Errorf("%d series", failed))
		}
		if failed < len(p.readings) {
			encoded = append(encoded, p)
		}
	}
	return encoded
}

// attempt does something with all portions together. When that fails it does it with each alone,
// so that one family does not stop the others. It returns those that it was done with.
func (c *eventMetrics) attempt(
	ctx context.Context, stage string, portions []*portion, do func(context.Context, []*portion) error,
) []*portion {
	if len(portions) == 0 {
		return nil
	}
	err := guarded(func() error { return do(ctx, portions) })
	if err == nil {
		return portions
	}
	if len(portions) == 1 {
		c.failed(ctx, stage, portions[0].family, 1, err)
		return nil
	}
	var done []*portion
	for i := range portions {
		done = append(done, c.attempt(ctx, stage, portions[i:i+1], do)...)
	}
	return done
}

// guarded makes an error of a panic: a storage that is damaged is not to stop the Collector.
func guarded(do func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the storage or the next component panicked")
		}
	}()
	return do()
}

// commit stores what has been counted up to a request, with the ids of what came, in one transaction.
// Requests that wait for each other share it.
func (c *eventMetrics) commit(ctx context.Context, number uint64) error {
	c.flusher.mutex.Lock()
	defer c.flusher.mutex.Unlock()
	c.mutex.Lock()
	if c.stored >= number {
		c.mutex.Unlock()
		return nil
	}
	upTo := c.counted
	var taken []*series
	var operations []*storage.Operation
	for _, s := range c.pending.changed {
		if !s.unstored {
			continue
		}
		one := s.read()
		value, err := one.encode(s.family)
		if err != nil {
			continue // the flush says so, and counts it
		}
		operations = append(operations, storage.SetOperation(one.key, value))
		s.unstored = false
		taken = append(taken, s)
	}
	ids, upToID := c.repeats.take()
	c.mutex.Unlock()
	var err error
	if operations = append(operations, ids...); len(operations) > 0 {
		err = guarded(func() error { return c.client.Batch(ctx, operations...) })
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if err != nil {
		for _, s := range taken {
			s.unstored = true
		}
		return fmt.Errorf("counts could not be stored: %w", err)
	}
	c.repeats.settle(upToID)
	c.stored = upTo
	return nil
}

// storeRepeats stores the ids that are not stored with a count.
func (c *eventMetrics) storeRepeats(ctx context.Context) {
	if c.client == nil || len(c.flusher.ids) == 0 {
		return
	}
	// The failure of the counts is logged and counted; this is tried again with the next flush.
	_ = guarded(func() error { return c.store(ctx, nil) })
}

func (c *eventMetrics) store(ctx context.Context, portions []*portion) error {
	var operations []*storage.Operation
	for _, p := range portions {
		operations = append(operations, p.operations...)
	}
	operations = append(operations, c.flusher.ids...)
	if len(operations) == 0 {
		return nil
	}
	if err := c.client.Batch(ctx, operations...); err != nil {
		return err
	}
	if len(c.flusher.ids) > 0 {
		c.flusher.ids = nil
		c.mutex.Lock()
		defer c.mutex.Unlock()
		c.repeats.settle(c.flusher.idsUpTo)
	}
	return nil
}

func (c *eventMetrics) expose(ctx context.Context, portions []*portion) error {
	// A clock that was set back must not hide what is new: the exporter keeps the newest point.
	c.flusher.stamp = max(c.flusher.stamp, pcommon.NewTimestampFromTime(c.clock()))
	metrics := pmetric.NewMetrics()
	scope := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	scope.Scope().SetName(scopeName)
	for _, p := range portions {
		p.write(scope.Metrics().AppendEmpty(), c.flusher.stamp)
	}
	return c.next.ConsumeMetrics(ctx, metrics)
}

// settle notes what was exposed, and takes back what was not. It returns how many series are not
// stored, and how many not exposed.
func (c *eventMetrics) settle(portions []*portion) (unstored, unexposed int) {
	now := c.clock()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, p := range portions {
		for i := range p.readings {
			one := &p.readings[i]
			s := one.series
			if one.store && (one.failed || !p.stored) {
				s.unstored = true
				unstored++
			}
			if one.failed || !p.exposed {
				c.pending.add(s, c.pending.taken)
				unexposed++
				continue
			}
			if s.exposed.IsZero() {
				s.exposed = now
				if !s.initialized {
					c.pending.waiting = append(c.pending.waiting, s)
				}
			}
		}
	}
	c.pending.taken = time.Time{}
	return unstored, unexposed
}

// failed counts what failed, and logs it now and then.
func (c *eventMetrics) failed(ctx context.Context, stage string, f *family, n int, err error) {
	c.telemetry.failed(ctx, f, stage, n)
	if c.mayLog(stage) {
		c.logger.Error("Counts failed; otelcol_connector_event_metrics_failed has every time",
			zap.String("stage", stage), zap.String("family", f.config.Name), zap.Error(err))
	}
}

// mayLog reports whether the log has been silent about a stage for long enough.
func (c *eventMetrics) mayLog(stage string) bool {
	now := c.clock()
	if last, logged := c.flusher.logged[stage]; logged && now.Sub(last) < logEvery {
		return false
	}
	c.flusher.logged[stage] = now
	return true
}

// behind is for how long the oldest change has waited, in seconds: the flush interval at most,
// while everything works.
func (c *eventMetrics) behind() float64 {
	now := c.clock()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	oldest := c.pending.taken
	if oldest.IsZero() {
		oldest = c.pending.oldest
	}
	if oldest.IsZero() {
		return 0
	}
	return max(0, now.Sub(oldest).Seconds())
}
