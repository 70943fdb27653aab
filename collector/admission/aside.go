// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

// aside collects, by reason, what one batch sets aside.
type aside[B any, R resource] struct {
	batches [reasonCount]*B
	last    [reasonCount]place
	counted []counted
	sender  string
	empty   func() B
}

// place is where the last item of a reason went, so that items that share a resource, scope or
// metric still do. from are the ones it was taken of, to their copies.
type place struct{ fromResource, fromScope, fromMetric, toResource, toScope, toMetric any }

type counted struct {
	why     reason
	service string
	records int
}

// batch returns the batch of one reason, made when new, and notes that records go there.
func (a *aside[B, R]) batch(why reason, records int) (*B, *place) {
	if a.batches[why] == nil {
		made := a.empty()
		a.batches[why] = &made
	}
	if n := len(a.counted); n > 0 && a.counted[n-1].why == why && a.counted[n-1].service == a.sender {
		a.counted[n-1].records += records
	} else {
		a.counted = append(a.counted, counted{why, a.sender, records})
	}
	return a.batches[why], &a.last[why]
}
