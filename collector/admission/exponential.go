// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"math"
	"math/bits"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

const (
	// mostScale is the finest scale that SDKs use (OpenTelemetry, Metrics SDK, base-2 exponential
	// bucket histogram, MaxScale). A finer one is merged down to it.
	mostScale = 20
	// finest is the finest scale that Prometheus stores (native histograms, schema). It merges what
	// is finer itself; deltas are merged here, because delta_to_cumulative walks from one position
	// to another, one by one: at scale 20 one point could cost it seven seconds.
	finest = 8
	// farthest bounds the positions of deltas for the same reason. At scale 8 it is reached by 2^64.
	farthest = 1 << 14
	// mostBuckets is how many buckets one side may have. SDKs use 160.
	mostBuckets = 1024
	// exponents is more than the binary exponents of all numbers there are (IEEE 754, binary64).
	exponents = 1100
)

// buckets makes an exponential histogram one that Prometheus and delta_to_cumulative can take: its
// scale in their range, its positions where numbers are, its counts adding up.
func (v *visit) buckets(p pmetric.ExponentialHistogramDataPoint, delta bool) {
	if delta && p.ZeroThreshold() != 0 {
		// Prometheus does not store it, and delta_to_cumulative would walk up to it.
		p.SetZeroThreshold(0)
	}
	if p.Flags().NoRecordedValue() { // whatever is in it is none
		clearBuckets(p.Positive())
		clearBuckets(p.Negative())
		p.SetZeroCount(0)
	}
	positive, negative := filledOf(p.Positive()), filledOf(p.Negative())
	is := p.Scale()
	if !positive.inRange(is) || !negative.inRange(is) {
		v.hit(offset)
		return
	}
	sum, carry := bits.Add64(positive.sum, negative.sum, 0)
	sum, more := bits.Add64(sum, p.ZeroCount(), 0)
	if positive.over || negative.over || carry+more > 0 || sum > math.MaxInt64 {
		v.hit(offset)
		return
	}
	to := min(max(is, v.limits.leastScale), mostScale)
	usual := to
	if delta {
		usual = min(to, finest)
		to = usual
	}
	for to > v.limits.leastScale && !(positive.handy(is, to, delta) && negative.handy(is, to, delta)) {
		to--
	}
	if is < v.limits.leastScale || is > mostScale || to < usual {
		if !v.hit(scale) {
			to = is
		}
	}
	positive.rescale(is, to)
	negative.rescale(is, to)
	p.SetScale(to)
	if sum != p.Count() && !p.Flags().NoRecordedValue() && v.hit(counts) {
		p.SetCount(sum)
	}
}

func clearBuckets(b pmetric.ExponentialHistogramDataPointBuckets) {
	if b.BucketCounts().Len() > 0 {
		b.BucketCounts().FromRaw(nil)
	}
	b.SetOffset(0)
}

// filled is one side of a histogram, from the first bucket with a count to the last.
type filled struct {
	buckets     pmetric.ExponentialHistogramDataPointBuckets
	first, last int64 // positions; first is over last when there is none
	sum         uint64
	over        bool // the sum is over all numbers
}

func filledOf(b pmetric.ExponentialHistogramDataPointBuckets) filled {
	f := filled{buckets: b, first: 1}
	for i, n := range b.BucketCounts().All() {
		if n == 0 {
			continue
		}
		at := int64(b.Offset()) + int64(i)
		if f.first > f.last {
			f.first = at
		}
		f.last = at
		var carry uint64
		f.sum, carry = bits.Add64(f.sum, n, 0)
		f.over = f.over || carry > 0
	}
	return f
}

func (f filled) empty() bool { return f.first > f.last }

// positions is how far from 0 a number can be.
func positions(scale int32) int64 {
	switch {
	case scale > mostScale:
		return math.MaxInt32 // every position there is
	case scale >= 0:
		return exponents << scale
	default:
		return exponents>>min(-int64(scale), 32) + 1
	}
}

// inRange reports whether all buckets are where a number can fall into them. Beyond, the arithmetic
// of those behind overflows.
func (f filled) inRange(scale int32) bool {
	most := positions(scale)
	return f.empty() || f.first >= -most && f.last <= most
}

// handy reports whether at another scale there would be few buckets, near enough.
func (f filled) handy(is, to int32, delta bool) bool {
	first, last := moved(f.first, is, to), moved(f.last, is, to)
	return f.empty() || last-first < mostBuckets && (!delta || first >= -farthest && last <= farthest)
}

// moved is where a bucket's count goes at another scale. At a coarser one buckets are merged, which
// is exact. At a finer one each count goes where its upper bound stays: how many numbers are below
// each of the old bounds stays exact, too (OpenTelemetry, Metrics Data Model, exponential scale).
func moved(position int64, is, to int32) int64 {
	if is >= to {
		return position >> min(int64(is)-int64(to), 62)
	}
	most := positions(to)
	return min(max((position+1)<<min(int64(to)-int64(is), 32)-1, -most), most)
}

// rescale moves counts to another scale, and drops empty buckets at both ends: delta_to_cumulative
// walks over them, one by one.
func (f filled) rescale(is, to int32) {
	counts := f.buckets.BucketCounts()
	switch {
	case f.empty():
		clearBuckets(f.buckets) // an empty side has no place
		return
	case is == to && int64(counts.Len()) == f.last-f.first+1:
		return
	}
	offset := int64(f.buckets.Offset())
	first, last := moved(f.first, is, to), moved(f.last, is, to)
	kept := make([]uint64, last-first+1)
	for at := f.first; at <= f.last; at++ {
		kept[moved(at, is, to)-first] += counts.At(int(at - offset))
	}
	f.buckets.SetOffset(int32(first)) // in the range of all scales
	counts.FromRaw(kept)
}
