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

// overBound is the answer to a sender whose service is over its bound. It says when to try
// again, on gRPC and HTTP alike (OTLP specification, "OTLP/gRPC Throttling").
func overBound(wait time.Duration) error {
	wait = max((wait + time.Second - 1).Truncate(time.Second), time.Second)
	answer := status.New(codes.ResourceExhausted,
		"admission: this service is over its bound (services.records_per_second or bytes_per_second)")
	if detailed, err := answer.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)}); err == nil {
		answer = detailed
	}
	return answer.Err()
}

// throttle bounds each service. When all of a batch belongs to services that are over their
// bound, the sender has to wait, and nothing is lost. Otherwise, as behind a gateway that joins
// many senders, what is over is shed: the others in the batch are not to wait for it.
func (p *admission[B, R]) throttle(ctx context.Context, resources slice[R], now time.Time) error {
	var longest time.Duration
	var over map[*service]bool // decided once: others charge the same services meanwhile
	for i := range resources.Len() {
		if p.signal.records(resources.At(i)) == 0 {
			continue
		}
		sender := p.sender(resources.At(i), now)
		if wait := p.services.wait(sender, now); wait > 0 {
			if over == nil {
				over = map[*service]bool{}
			}
			over[sender] = true
			longest = max(longest, wait)
		}
	}
	if over == nil {
		return nil
	}
	outcome := waited
	for i := range resources.Len() {
		if r := resources.At(i); p.signal.records(r) > 0 && !over[p.sender(r, now)] {
			outcome = shed
		}
	}
	resources.RemoveIf(func(r R) bool {
		sender := p.sender(r, now)
		if !over[sender] {
			return false
		}
		p.telemetry.throttle(ctx, outcome, sender.label, p.signal.records(r))
		return outcome == shed
	})
	if outcome == waited {
		return overBound(longest)
	}
	return nil
}

// sender is the service of a resource.
func (p *admission[B, R]) sender(r R, now time.Time) *service {
	return p.services.of(identityOf(r.Resource().Attributes()), now)
}
