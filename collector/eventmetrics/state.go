// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
)

// What is stored is one document a series, under "series/<family>/<slot>". A document is whole by
// itself, so one that is damaged costs its series alone, and a flush writes those that changed.
// Slots are filled from 0: what is stored is found again by looking until nothing is there.
const (
	slotsAtOnce = 256
	// emptySlot is what a document becomes that is of no use. The slot is taken again by the next
	// new series.
	emptySlot = "{}"
)

// storedSeries is one document. It brings the family's labels and buckets along, which show
// whether it still fits.
type storedSeries struct {
	Labels  []string  `json:"labels,omitempty"`
	Bounds  []float64 `json:"bounds,omitempty"`
	Values  []string  `json:"values"`
	Start   time.Time `json:"start"`
	Count   uint64    `json:"count"`
	Sum     sum       `json:"sum"`
	Buckets []uint64  `json:"buckets,omitempty"`
	// Under its first name: what is stored must be found again.
	Initialized bool `json:"announced"`
}

// slots are the places of a family's series in the storage.
type slots struct {
	count int
	free  []int
}

// next takes a slot. It returns its key.
func (s *slots) next(f *family) string {
	if n := len(s.free); n > 0 {
		slot := s.free[n-1]
		s.free = s.free[:n-1]
		return f.slotKey(slot)
	}
	s.count++
	return f.slotKey(s.count - 1)
}

func (f *family) slotKey(slot int) string {
	return "series/" + f.config.Name + "/" + strconv.Itoa(slot)
}

func (r *reading) encode(f *family) ([]byte, error) {
	return json.Marshal(storedSeries{
		Labels: f.labelNames(), Bounds: f.config.Buckets, Values: r.series.values, Start: r.start,
		Count: r.count, Sum: r.sum, Buckets: r.buckets, Initialized: r.initialized,
	})
}

// restore puts the stored counts into the families. An error is one of the storage; what was
// stored and cannot be used costs its series alone.
func (c *eventMetrics) restore(ctx context.Context) error {
	var useless []*storage.Operation
	for _, f := range c.families {
		keys, err := c.restoreFamily(ctx, f)
		if err != nil {
			return err
		}
		for _, key := range keys {
			useless = append(useless, storage.SetOperation(key, []byte(emptySlot)))
		}
	}
	if err := c.restoreOutdated(ctx); err != nil {
		return err
	}
	if len(useless) == 0 {
		return nil
	}
	if err := c.client.Batch(ctx, useless...); err != nil {
		// They are found again at the next start.
		c.logger.Warn("Stored counts of no use could not be removed", zap.Error(err))
	}
	return nil
}

// restoreFamily restores one family. It returns the keys of what is of no use.
func (c *eventMetrics) restoreFamily(ctx context.Context, f *family) (useless []string, err error) {
	var result restored
	for first := 0; ; first += slotsAtOnce {
		found, err := c.lookUp(ctx, f, first)
		if err != nil {
			return nil, err
		}
		last := -1
		for i, one := range found {
			slot := first + i
			if len(one.Value) == 0 {
				continue
			}
			last = slot
			if string(one.Value) == emptySlot {
				f.slots.free = append(f.slots.free, slot)
				continue
			}
			if !result.add(f, one.Key, one.Value) {
				useless = append(useless, one.Key)
				f.slots.free = append(f.slots.free, slot)
			}
		}
		if last < 0 {
			break
		}
		f.slots.count = last + 1
	}
	c.reportRestored(ctx, f, result)
	return useless, nil
}

func (c *eventMetrics) lookUp(ctx context.Context, f *family, first int) ([]*storage.Operation, error) {
	found := make([]*storage.Operation, slotsAtOnce)
	for i := range found {
		found[i] = storage.GetOperation(f.slotKey(first + i))
	}
	return found, c.client.Batch(ctx, found...)
}

// restored is what became of a family's stored series.
type restored struct {
	series          map[*series]bool
	changed, broken int
}

// add restores one document. It reports whether that was of use.
func (r *restored) add(f *family, key string, value []byte) bool {
	var was storedSeries
	if err := json.Unmarshal(value, &was); err != nil || !was.hasStart() {
		r.broken++
		return false
	}
	if !slices.Equal(was.Labels, f.labelNames()) || !slices.Equal(was.Bounds, f.config.Buckets) {
		r.changed++
		return false
	}
	return r.take(f, &was, key)
}

// take puts one stored series into the family, unless it makes no sense.
func (r *restored) take(f *family, was *storedSeries, key string) bool {
	if !f.makesSense(was) {
		r.broken++
		return false
	}
	s := f.at(was.Values, was.Start)
	if r.series[s] { // the same labels twice
		r.broken++
		return false
	}
	if r.series == nil {
		r.series = map[*series]bool{}
	}
	r.series[s] = true
	s.restore(was, key)
	return true
}

func (c *eventMetrics) reportRestored(ctx context.Context, f *family, result restored) {
	if result.changed > 0 {
		c.logger.Warn("Labels or buckets have changed, so counts start at zero",
			zap.String("family", f.config.Name), zap.Int("series", result.changed))
	}
	if result.broken > 0 {
		c.failed(ctx, stageRestore, f, result.broken,
			fmt.Errorf("%d stored series cannot be used and start at zero", result.broken))
	}
}

func (s *series) restore(was *storedSeries, key string) {
	s.start, s.count, s.sum, s.initialized = was.Start, was.Count, was.Sum, was.Initialized
	copy(s.buckets, was.Buckets)
	s.storedAs, s.unstored = key, key == ""
	values := was.Values
	if s.family.config.EventLabel != "" {
		values = values[1:]
	}
	for i, l := range s.family.labels {
		if value := values[i]; !l.known[value] && value != otherValue {
			l.dynamic[value] = true
		}
	}
}

// makesSense reports whether a stored series fits the family and can have been counted.
func (f *family) makesSense(was *storedSeries) bool {
	buckets := 0
	if f.isHistogram() {
		buckets = len(f.config.Buckets) + 1
	}
	if len(was.Values) != len(f.labelNames()) || len(was.Buckets) != buckets {
		return false
	}
	left := was.Count
	for _, n := range was.Buckets {
		if n > left {
			return false
		}
		left -= n
	}
	if buckets > 0 && left > 0 {
		return false
	}
	if sum := was.Sum; !sum.isFinite() || sum.value() < 0 || was.Count == 0 && sum.value() != 0 {
		return false
	}
	return was.hasStart()
}

// hasStart is false for a document that is none, and for times that nanoseconds cannot hold.
func (s *storedSeries) hasStart() bool { return 1970 <= s.Start.Year() && s.Start.Year() < 2262 }
