// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"context"
	"errors"

	"go.uber.org/zap"
)

// reasonMaxSplits marks dead letters of which only some records were refused.
const reasonMaxSplits = "max_splits"

// errDamaged is of a batch that came out of the queue and cannot be decoded.
var errDamaged = errors.New("they cannot be decoded; the queue's file was damaged")

// mostQuoted is how much of a backend's words a debug line has.
const mostQuoted = 512

// lines are written at most once in a while, each kind for itself. The backend's words may quote
// a record: they are in debug lines only.
type lines struct {
	partial, kept, lost, putOff seldom
}

// reasonOf is the reason that a dead letter gets.
func reasonOf(status string) string {
	if status == statusEncode || status == statusNoAnswer {
		return status
	}
	return "status_" + status
}

func usualReasons() []string {
	reasons := []string{reasonMaxSplits}
	for _, status := range usualStatuses {
		if status != statusPartial {
			reasons = append(reasons, reasonOf(status))
		}
	}
	return reasons
}

// partial counts what the backend says it did not take of what it took.
func (p *pusher[T]) partial(ctx context.Context, one *piece[T], got answer) {
	if len(got.body) == 0 {
		return
	}
	reported, words, err := p.signal.rejected(got.body, got.json)
	if err != nil {
		p.logger.Debug("The backend's answer is not OTLP", zap.String("status", got.status))
		return
	}
	if words != "" {
		p.logger.Debug("The backend remarks", zap.String("words", words[:min(len(words), mostQuoted)]))
	}
	if reported <= 0 {
		return
	}
	items := p.count(one)
	rejected := int(min(reported, int64(items))) // no more can be lost than was sent
	p.telemetry.refused(ctx, statusPartial, rejected)
	if p.lines.partial.now(p.clock()) {
		p.logger.Warn("The backend took only a part of a request. What it did not take is lost",
			zap.Int("rejected", rejected), zap.Int("sent", items))
	}
}

// refuse sets a piece aside for good.
func (p *pusher[T]) refuse(ctx context.Context, one *piece[T], got answer) {
	if one.items == 0 {
		return // there is nothing in it
	}
	p.telemetry.refused(ctx, got.status, one.items)
	if len(got.body) > 0 {
		p.logger.Debug("The backend refuses", zap.String("status", got.status),
			zap.ByteString("words", got.body[:min(len(got.body), mostQuoted)]))
	}
	about := []zap.Field{zap.String("status", got.status), zap.Int("items", one.items)}
	if p.store == nil {
		if p.lines.lost.now(p.clock()) {
			p.logger.Error("The backend refused records. They are lost; set dead_letter to keep such records", about...)
		}
		return
	}
	reason := reasonOf(got.status)
	if one.items > 1 {
		reason = reasonMaxSplits
	}
	err := errDamaged
	if p.decode(one) {
		err = p.signal.keep(ctx, p.store, reason, p.source, one.data)
	}
	if err != nil {
		if p.lines.lost.now(p.clock()) {
			p.logger.Error("The backend refused records. They are lost: the dead letters cannot take them",
				append(about, zap.Error(err))...)
		}
		return
	}
	if p.lines.kept.now(p.clock()) {
		p.logger.Warn("The backend refused records. They are kept as dead letters", about...)
	}
}

func (p *pusher[T]) logPutOff(one *piece[T], got answer) {
	if p.lines.putOff.now(p.clock()) {
		p.logger.Info("The backend puts records off. They are sent again",
			zap.Error(got.err), zap.Int("items", one.items), zap.Int("tries", one.tries))
	}
}
