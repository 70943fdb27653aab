// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"
	otelmetric "go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"glasshouse.example/collector/deadletter"
)

const (
	// repairedKey lists, on a log record or span, what was repaired of it.
	repairedKey = "admission.repaired"
	// originalTimeKey has the time that was sent where it was out of range.
	originalTimeKey = "admission.original_time"
	// warnEvery bounds how often the log reports records that are not passed on. The counters
	// have all.
	warnEvery = 10 * time.Second
)

// resource is what the resources of the three signals have in common.
type resource interface {
	Resource() pcommon.Resource
	schemed
}

// signal is what the three signals do each in their own way. B is a batch, R one of its resources.
type signal[B any, R resource] struct {
	name      string
	resources func(B) slice[R]
	// records returns how many records a resource has.
	records func(R) int
	// admit checks the records of one resource.
	admit func(*visit, *aside[B, R], R)
	// takeAll sets a whole resource aside.
	takeAll func(*aside[B, R], reason, R)
	empty   func() B
	put     func(deadletter.Store, context.Context, string, string, B) error
}

// slice is what pdata's slices have in common.
type slice[E any] interface {
	Len() int
	At(int) E
	RemoveIf(func(E) bool)
}

// admission is the processor of one signal.
type admission[B any, R resource] struct {
	id         component.ID
	signal     signal[B, R]
	deadLetter *component.ID
	times      TimeConfig
	index      indexing
	services   *table
	series     bool // they are counted
	actions    [reasonCount]action
	telemetry  *telemetry
	logger     *zap.Logger
	letters    deadletter.Store
	watched    otelmetric.Registration
	visits     sync.Pool
	clock      func() time.Time
	random     func() uint64 // for ids, which are no secret
	warned     atomic.Int64
}

// part is what one signal takes from the configuration.
type part struct {
	times   TimeConfig
	text    limits
	index   indexing
	bounds  bounds
	series  bool
	actions map[string]string
}

func newAdmission[B any, R resource](
	set processor.Settings, config *Config, one signal[B, R], own part,
) (*admission[B, R], error) {
	actions, err := actionsOf(one.name, own.actions)
	if err != nil {
		return nil, err
	}
	counters, err := newTelemetry(set.MeterProvider, one.name)
	if err != nil {
		return nil, err
	}
	if config.DeadLetter == nil { // nowhere to set anything aside
		for i, does := range actions {
			if does == setAside {
				actions[i] = refuse
			}
		}
	}
	if config.shared == nil {
		config.shared = &shared{}
	}
	p := &admission[B, R]{
		id: set.ID, signal: one, deadLetter: config.DeadLetter, times: own.times, index: own.index,
		services: config.shared.services(config), actions: actions, telemetry: counters,
		logger: set.Logger,
		series: own.series && actions[series] != keep,
		clock:  time.Now, random: rand.Uint64,
	}
	seed := p.services.seed
	p.visits.New = func() any {
		return &visit{
			walk: walk{limits: own.text, actions: actions}, bounds: own.bounds, random: p.random,
			shape: shape{seed: seed},
		}
	}
	return p, nil
}

// start finds the extension that keeps dead letters, and begins to expose how many series there are.
func (p *admission[B, R]) start(_ context.Context, host component.Host) (err error) {
	if p.series {
		if p.watched, err = p.telemetry.watch(p.services); err != nil {
			return err
		}
	}
	if p.deadLetter == nil {
		return nil
	}
	found, present := host.GetExtensions()[*p.deadLetter]
	if !present {
		return fmt.Errorf("dead_letter: there is no extension %s", p.deadLetter)
	}
	letters, ok := found.(deadletter.Store)
	if !ok {
		return fmt.Errorf("dead_letter: the extension %s keeps no dead letters", p.deadLetter)
	}
	p.letters = letters
	if initializer, ok := found.(deadletter.Initializer); ok {
		for why, does := range p.actions {
			if does == setAside {
				initializer.InitializeReasons(p.signal.name, reasonNames[why])
			}
		}
	}
	return nil
}

// shutdown ends what start began.
func (p *admission[B, R]) shutdown(context.Context) error {
	if p.watched == nil {
		return nil
	}
	return p.watched.Unregister()
}

var errBatch = consumererror.NewPermanent(errors.New("admission: this batch breaks the check and is refused"))

// process makes one batch acceptable. It returns what is left of it.
func (p *admission[B, R]) process(ctx context.Context, data B) (B, error) {
	now := p.clock()
	resources := p.signal.resources(data)
	if err := p.throttle(ctx, resources, now); err != nil {
		return data, err
	}
	v := p.visits.Get().(*visit)
	v.start(ctx, p.times.around(now))
	letters := aside[B, R]{empty: p.signal.empty}
	done := run(func() {
		resources.RemoveIf(func(r R) bool {
			return v.err == nil && !p.admit(v, &letters, r, now)
		})
	})
	err := v.err
	if done {
		v.ctx = nil // a pool must not keep what the request holds
		p.visits.Put(v)
	}
	p.send(ctx, &letters)
	switch {
	case !done: // outside of single records; what is left of it is nothing that can be passed on
		p.refuseAll(ctx, resources)
		return data, errBatch
	case err != nil:
		return data, err
	case resources.Len() == 0:
		return data, processorhelper.ErrSkipProcessingData
	default:
		return data, nil
	}
}

// admit checks one resource with its records. It reports whether anything of it stays.
func (p *admission[B, R]) admit(v *visit, letters *aside[B, R], r R, now time.Time) bool {
	before := p.signal.records(r)
	if before == 0 {
		return false
	}
	id := identityOf(r.Resource().Attributes())
	sender := p.services.of(id, now)
	letters.sender = sender.label
	v.bytes, v.cutAway, v.shared = 0, 0, size{}
	var has *inventory
	if p.series {
		has = p.services.seriesOf(sender)
	}
	stays := v.item(before, func() {
		v.resource(r, p.index, sender.others && !id.others())
		if !v.shape.on(r.Resource().Attributes(), has, now) {
			v.hit(series)
		}
	})
	switch {
	case stays:
		v.bytes += v.shared.bytes
		p.signal.admit(v, letters, r)
	case v.verdict == setAside:
		p.signal.takeAll(letters, v.why, r)
	}
	p.services.charge(sender, before, v.bytes+v.cutAway)
	if why, any := v.tally.refused(); any {
		p.warn(why, refuse)
	}
	p.telemetry.report(v.ctx, &v.tally, sender.label)
	return stays && (p.signal.records(r) > 0 || v.err != nil)
}

// refuseAll counts a batch that is given up.
func (p *admission[B, R]) refuseAll(ctx context.Context, resources slice[R]) {
	records := 0
	run(func() {
		for i := range resources.Len() {
			records += p.signal.records(resources.At(i))
		}
	})
	p.telemetry.count(ctx, refuse, broken, otherService, records)
	p.warn(broken, refuse)
}

// send puts what was set aside into the dead letters. What does not fit there is refused.
func (p *admission[B, R]) send(ctx context.Context, letters *aside[B, R]) {
	for why := range letters.batches {
		if letters.batches[why] == nil {
			continue
		}
		does := setAside
		// What is set aside has left its request: it is kept although the sender has gone.
		kept := context.WithoutCancel(ctx)
		if err := p.signal.put(p.letters, kept, reasonNames[why], p.id.String(), *letters.batches[why]); err != nil {
			does = refuse
		}
		for _, one := range letters.counted {
			if one.why == reason(why) {
				p.telemetry.count(ctx, does, one.why, one.service, one.records)
			}
		}
		p.warn(reason(why), does)
	}
}

// warn reports records that are not passed on, without a word of what is in them.
func (p *admission[B, R]) warn(why reason, does action) {
	now, last := p.clock().UnixNano(), p.warned.Load()
	if now-last < int64(warnEvery) || !p.warned.CompareAndSwap(last, now) {
		return
	}
	p.logger.Warn("Records are not passed on; the counters show how many",
		zap.String("signal", p.signal.name), zap.String("reason", reasonNames[why]),
		zap.String("action", actionNames[does]))
}
