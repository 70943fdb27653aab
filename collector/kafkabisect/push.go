// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package kafkabisect

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.uber.org/zap"

	"glasshouse.example/collector/deadletter"
)

// quietFor is how long a kind of line is not written again. Counters show how often.
const quietFor = 10 * time.Second

// pusher delivers batches of one signal.
type pusher[T any] struct {
	config    *Config
	signal    signal[T]
	source    string
	logger    *zap.Logger
	telemetry *telemetry
	store     deadletter.Store

	putOff, kept, lost seldom
}

func newPusher[T any](set exporter.Settings, config *Config, one signal[T]) (*pusher[T], error) {
	telemetry, err := newTelemetry(set.MeterProvider, set.ID.String(), one.name)
	if err != nil {
		return nil, err
	}
	return &pusher[T]{
		config: config, signal: one, source: set.ID.String(), logger: set.Logger, telemetry: telemetry,
	}, nil
}

func (p *pusher[T]) start(host component.Host) error {
	id := p.config.DeadLetter
	if id == nil {
		return nil
	}
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
		initializer.InitializeReasons(p.signal.name, usualReasons...)
	}
	return nil
}

// push delivers a batch, but for records that the brokers cannot take, which it sets aside. What is not
// delivered comes back in the error, and is sent again.
func (p *pusher[T]) push(ctx context.Context, data T) error {
	err := p.signal.send(ctx, data)
	if err == nil {
		return nil
	}
	answer := refused(err)
	switch {
	case answer == nil:
		return p.again(err, data)
	case p.signal.count(data) > 1:
		// Messages beside it may have been taken, and come twice: seldom, and backends know them again.
		return p.halve(ctx, data)
	case !onlyRefused(err):
		return p.again(err, data)
	}
	p.setAside(ctx, reasonOf(answer), data)
	return nil
}

func (p *pusher[T]) halve(ctx context.Context, data T) error {
	p.telemetry.split(ctx)
	one, other := p.signal.halve(data)
	// One half's trouble is not the other's.
	return p.signal.join(p.push(ctx, one), p.push(ctx, other))
}

// again returns an error that is no refusal for good, whatever the stock exporter takes it for: a right that is
// missing is given, and what has waited goes on.
func (p *pusher[T]) again(err error, data T) error {
	words := remedy(err)
	if p.putOff.now() {
		p.logger.Warn("Kafka does not take records. They are kept and sent again: "+words,
			zap.Error(err), zap.Int("items", p.signal.count(data)))
	}
	// Not wrapped: it would be permanent again.
	return p.signal.failed(errors.New(err.Error()), data)
}

func (p *pusher[T]) setAside(ctx context.Context, reason string, data T) {
	items := p.signal.count(data)
	p.telemetry.refused(ctx, reason, items)
	about := []zap.Field{zap.String("reason", reason), zap.Int("items", items)}
	if p.store == nil {
		if p.lost.now() {
			p.logger.Error("The brokers refused a record. It is lost; set dead_letter to keep such records", about...)
		}
		return
	}
	if err := p.signal.keep(ctx, p.store, reason, p.source, data); err != nil {
		if p.lost.now() {
			p.logger.Error("The brokers refused a record. It is lost: the dead letters cannot take it",
				append(about, zap.Error(err))...)
		}
		return
	}
	if p.kept.now() {
		p.logger.Warn("The brokers refused a record. It is kept as a dead letter", about...)
	}
}

// seldom lets one through in a while.
type seldom struct {
	mutex sync.Mutex
	last  time.Time
}

func (s *seldom) now() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if !s.last.IsZero() && time.Since(s.last) < quietFor {
		return false
	}
	s.last = time.Now()
	return true
}
