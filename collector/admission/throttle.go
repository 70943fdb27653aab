// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// overBound is the answer to a sender whose service is over its bound. It tells when to try
// again, on gRPC and HTTP alike (OTLP specification, "OTLP/gRPC Throttling").
func overBound(wait time.Duration) error {
	wait = max(wait.Round(time.Second), time.Second)
	answer := status.New(codes.ResourceExhausted,
		"admission: this service is over its bound (services.records_per_second or bytes_per_second)")
	if told, err := answer.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)}); err == nil {
		answer = told
	}
	return answer.Err()
}

// throttle bounds each service. When all of a batch belongs to services that are over their
// bound, the sender has to wait, and nothing is lost. Otherwise, as behind a gateway that joins
// many senders, what is over is shed: the others in the batch are not to wait for it.
func (p *admission[B, R]) throttle(ctx context.Context, resources slice[R], now time.Time) error {
	over := func(r R) (*service, time.Duration) {
		sender := p.services.of(identityOf(r.Resource().Attributes()), now)
		return sender, p.services.wait(sender, now)
	}
	var longest time.Duration
	limited, others := 0, 0
	for i := range resources.Len() {
		r := resources.At(i)
		if p.signal.records(r) == 0 {
			continue
		}
		if _, wait := over(r); wait > 0 {
			limited++
			longest = max(longest, wait)
		} else {
			others++
		}
	}
	if limited == 0 {
		return nil
	}
	if others == 0 {
		for i := range resources.Len() {
			r := resources.At(i)
			sender, _ := over(r)
			p.telemetry.throttle(ctx, waited, sender.label, p.signal.records(r))
		}
		return overBound(longest)
	}
	resources.RemoveIf(func(r R) bool {
		sender, wait := over(r)
		if wait == 0 {
			return false
		}
		p.telemetry.throttle(ctx, shed, sender.label, p.signal.records(r))
		return true
	})
	return nil
}
