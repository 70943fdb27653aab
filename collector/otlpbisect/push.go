// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exporterhelper/xexporterhelper"
	"go.uber.org/zap"

	"glasshouse.example/collector/deadletter"
)

const (
	// A piece is halved after so many answers that did not settle it, over so much time.
	throttledTries = 5
	brokenTries    = 10
	brokenFor      = time.Minute

	// hopelessTimes throttled_for ends the wait for a record that gets 500 while nothing else
	// gets through either. That is most likely an outage, but could be consumers that all hold
	// such a record.
	hopelessTimes = 12

	// stopGrace is how long a request that is under way at a stop may still take. Exporters stop one
	// after the other, and all of them have to be done before the process is killed.
	stopGrace = 2 * time.Second

	// leastInterval keeps a configuration without intervals from asking without end.
	leastInterval = 100 * time.Millisecond
)

var errStopping = errors.New("the exporter stops while the backend puts records off")

// pusher delivers batches of one signal.
type pusher[T any] struct {
	config    *Config
	signal    signal[T]
	source    string
	sender    *sender
	logger    *zap.Logger
	telemetry *telemetry
	store     deadletter.Store

	clock func() time.Time
	after func(time.Duration) <-chan time.Time

	// delivered is when something was last taken, in nanoseconds. It distinguishes a record that
	// cannot get through from a backend that takes nothing.
	delivered atomic.Int64
	stopping  chan struct{}
	stopOnce  sync.Once
	// requests ends with the grace of a stop.
	requests    context.Context
	endRequests context.CancelFunc
	lines       lines
}

func newPusher[T any](
	set exporter.Settings, config *Config, signal signal[T], own string,
) (*pusher[T], *url.URL, error) {
	address, err := signalURL(config, own, signal.name)
	if err != nil {
		return nil, nil, err
	}
	telemetry, err := newTelemetry(set.MeterProvider, set.ID.String(), signal.name)
	if err != nil {
		return nil, nil, err
	}
	requests, end := context.WithCancel(context.Background())
	return &pusher[T]{
		config: config, signal: signal, source: set.ID.String(), sender: newSender(set, config, address),
		logger: set.Logger, telemetry: telemetry, clock: time.Now, after: time.After,
		stopping: make(chan struct{}), requests: requests, endRequests: end,
	}, address, nil
}

func (p *pusher[T]) start(ctx context.Context, host component.Host) error {
	if id := p.config.DeadLetter; id != nil {
		found, there := host.GetExtensions()[*id]
		if !there {
			return fmt.Errorf("dead_letter: there is no extension %s", id)
		}
		store, ok := found.(deadletter.Store)
		if !ok {
			return fmt.Errorf("dead_letter: extension %s keeps no dead letters", id)
		}
		p.store = store
		if initializer, ok := found.(deadletter.Initializer); ok {
			initializer.InitializeReasons(p.signal.name, usualReasons()...)
		}
	}
	return p.sender.start(ctx, host)
}

// stop ends all waits, and soon all requests. What they hold goes back to the queue.
func (p *pusher[T]) stop() {
	p.stopOnce.Do(func() {
		close(p.stopping)
		time.AfterFunc(stopGrace, p.endRequests)
	})
}

func (p *pusher[T]) stopped() bool {
	select {
	case <-p.stopping:
		return true
	default:
		return false
	}
}

// push delivers a batch. What is refused alone is set aside. What nobody said anything about is
// returned with the error, for the helper to go on with.
func (p *pusher[T]) push(ctx context.Context, sent xexporterhelper.Request) error {
	batch := pieces[T]{all: []piece[T]{{bytes: sent.(*request[T]).bytes}}, splits: p.config.MaxSplits}
	for len(batch.all) > 0 {
		i := batch.soonest()
		one := &batch.all[i]
		if err := p.wait(ctx, batch.mayGo(one)); err != nil {
			return p.left(&batch, err)
		}
		got := p.send(ctx, one)
		what := p.decide(&batch, one, got)
		if p.stopped() && (what == later || what == pause) {
			// Else each piece that has not been tried yet could take a whole timeout.
			return p.left(&batch, errStopping)
		}
		switch what {
		case done:
			p.delivered.Store(p.clock().UnixNano())
			p.partial(ctx, one, got)
			batch.remove(i)
		case setAside:
			p.refuse(ctx, one, got)
			batch.remove(i)
		case split:
			batch.splits--
			p.telemetry.split(ctx, 1)
			batch.halve(i, &p.signal)
		case splitFree:
			batch.halve(i, &p.signal)
		case later:
			p.putOff(&batch, one, got)
		case pause:
			p.rest(&batch, one, got)
		case leave:
			return p.left(&batch, p.throttle(got))
		}
	}
	return nil
}

// decision is what becomes of a piece.
type decision int

const (
	done decision = iota
	setAside
	split
	splitFree // of no cost to max_splits
	later
	pause // all pieces
	leave
)

func (p *pusher[T]) decide(batch *pieces[T], one *piece[T], got answer) decision {
	if got.verdict != unavailable {
		batch.pause = 0
	}
	switch got.verdict {
	case taken:
		return done
	case tooLarge:
		return splitFree
	case unavailable:
		if len(batch.all) > 1 && p.config.RetryConfig.MaxElapsedTime == 0 {
			// The helper would begin again with all pieces in one, and a backend that is
			// unavailable now and then would never see the batch halved to its end.
			return pause
		}
		return leave
	}
	p.count(one)
	mayHalve := one.items > 1 && !one.whole && batch.splits > 0
	if got.verdict == refused {
		if mayHalve {
			return split
		}
		return setAside
	}

	now := p.clock()
	if one.tries == 0 {
		one.first = now
	}
	if one.since.IsZero() {
		one.since = now
	}
	one.tries++
	waited := now.Sub(one.first)
	switch {
	case mayHalve && got.verdict == throttled && one.tries >= throttledTries:
		return split
	case mayHalve && got.verdict == broken && one.tries >= brokenTries && waited >= brokenFor:
		return split
	case !mayHalve && one.tries >= throttledTries && p.endless(one, got, waited):
		return setAside
	}
	return later
}

// endless reports that a piece which cannot be halved has waited long enough. One that breaks the
// backend is distinguished from an outage by others that got through since.
func (p *pusher[T]) endless(one *piece[T], got answer, waited time.Duration) bool {
	if waited < p.config.ThrottledFor {
		return false
	}
	if got.verdict == throttled || p.delivered.Load() > one.since.UnixNano() {
		return true
	}
	return got.status != statusNoAnswer && waited >= hopelessTimes*p.config.ThrottledFor
}

// send makes one request of a piece, unless it is too large to be one.
func (p *pusher[T]) send(ctx context.Context, one *piece[T]) answer {
	request, err := p.encoded(one)
	if err != nil {
		return answer{verdict: refused, status: statusEncode}
	}
	if most := p.config.MaxRequestBytes; most > 0 && len(request) > most && p.count(one) > 1 && !one.whole {
		return answer{verdict: tooLarge}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.requests, cancel)()
	return p.sender.send(ctx, request)
}

// encoded returns the message of a piece.
func (p *pusher[T]) encoded(one *piece[T]) ([]byte, error) {
	if one.bytes != nil || !one.decoded {
		return one.bytes, nil
	}
	return p.signal.encode(one.data)
}

// count returns how many items a piece has, and decodes it where that cannot be seen otherwise.
func (p *pusher[T]) count(one *piece[T]) int {
	if one.items > 0 || one.whole {
		return one.items
	}
	if !one.decoded {
		if items, ok := p.signal.layers.count(one.bytes); ok {
			one.items = items
			return items
		}
		if !p.decode(one) {
			return one.items
		}
	}
	one.items = p.signal.count(one.data)
	return one.items
}

// decode reports whether a piece is data. Where that fails it stays in one.
func (p *pusher[T]) decode(one *piece[T]) bool {
	if one.decoded || one.whole {
		return one.decoded
	}
	data, err := p.signal.decode(one.bytes)
	if err != nil {
		items, _ := p.signal.items.count(one.bytes)
		one.whole, one.items = true, max(1, items)
		return false
	}
	one.data, one.decoded = data, true
	return true
}

// putOff has a piece wait as retry_on_failure says, or longer when the backend asks for it.
func (p *pusher[T]) putOff(batch *pieces[T], one *piece[T], got answer) {
	wait := p.backOff(&one.interval, got)
	batch.delay(one, p.clock(), wait, max(leastInterval, p.config.RetryConfig.InitialInterval))
	p.logPutOff(one, got)
}

// rest has all pieces wait.
func (p *pusher[T]) rest(batch *pieces[T], one *piece[T], got answer) {
	batch.pausedUntil = p.clock().Add(p.backOff(&batch.pause, got))
	p.logPutOff(one, got)
}

// backOff lengthens an interval and returns how long to wait now.
func (p *pusher[T]) backOff(interval *time.Duration, got answer) time.Duration {
	retry := &p.config.RetryConfig
	if *interval == 0 {
		*interval = retry.InitialInterval
	} else {
		*interval = time.Duration(float64(*interval) * max(1, retry.Multiplier))
	}
	*interval = max(leastInterval, min(*interval, retry.MaxInterval))
	spread := 1 + retry.RandomizationFactor*(2*rand.Float64()-1)
	return max(time.Duration(float64(*interval)*spread), p.asked(got))
}

// asked is how long the backend wants to be left alone, within max_interval: a wrong header must
// not stop a queue for days.
func (p *pusher[T]) asked(got answer) time.Duration {
	return min(got.retryAfter, p.config.RetryConfig.MaxInterval)
}

// throttle is the error for the helper's retry.
func (p *pusher[T]) throttle(got answer) error {
	if wait := p.asked(got); wait > 0 {
		return exporterhelper.NewThrottleRetry(got.err, wait)
	}
	return got.err
}

// wait returns when a piece may be sent. A stop does not keep what may be sent now from being so.
func (p *pusher[T]) wait(ctx context.Context, until time.Time) error {
	left := until.Sub(p.clock())
	if left <= 0 {
		return ctx.Err()
	}
	if p.stopped() {
		return errStopping
	}
	select {
	case <-p.after(left):
		return nil
	case <-p.stopping:
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	}
}

// left is the error that carries what has not been settled, and no more.
func (p *pusher[T]) left(batch *pieces[T], err error) error {
	if len(batch.all) == 1 && batch.all[0].bytes != nil {
		return &unsettled{err, batch.all[0].bytes}
	}
	var left []byte
	for i := range batch.all {
		message, failed := p.encoded(&batch.all[i])
		if failed != nil {
			return err // all of it comes again
		}
		left = append(left, message...)
	}
	return &unsettled{err, left}
}
