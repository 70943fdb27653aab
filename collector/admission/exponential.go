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
	// exponents is more than the binary exponents of all numbers there are (IEEE 754, binary64).
	exponents = 1100
)

// buckets makes an exponential histogram one that Prometheus and delta_to_cumulative can take: its
// scale in their range, its positions where numbers are, its counts adding up.
func (v *visit) buckets(p pmetric.ExponentialHistogramDataPoint) {
	if !inRange(p.Positive(), p.Scale()) || !inRange(p.Negative(), p.Scale()) {
		v.hit(offset)
		return
	}
	if is := p.Scale(); (is < v.limits.leastScale || is > mostScale) && v.hit(scale) {
		to := min(max(is, v.limits.leastScale), mostScale)
		rescale(p.Positive(), is, to)
		rescale(p.Negative(), is, to)
		p.SetScale(to)
	}
	trim(p.Positive())
	trim(p.Negative())
	if p.Flags().NoRecordedValue() {
		return
	}
	positive, ok := total(p.Positive())
	negative, fine := total(p.Negative())
	sum, carry := bits.Add64(positive, negative, 0)
	sum, more := bits.Add64(sum, p.ZeroCount(), 0)
	if !ok || !fine || carry+more > 0 || sum > math.MaxInt64 {
		v.hit(offset)
		return
	}
	if sum != p.Count() && v.hit(counts) {
		p.SetCount(sum)
	}
}

// inRange tells whether all buckets are where a number can fall into them. Beyond, the arithmetic
// of those behind overflows.
func inRange(b pmetric.ExponentialHistogramDataPointBuckets, scale int32) bool {
	n := int64(b.BucketCounts().Len())
	if n == 0 {
		return true
	}
	most := int64(exponents)
	switch {
	case scale > mostScale:
		most <<= min(int64(scale), 31) // every position an int32 can have
	case scale >= 0:
		most <<= scale
	default:
		most = most>>min(-int64(scale), 32) + 1
	}
	return int64(b.Offset()) >= -most && int64(b.Offset())+n <= most+1
}

// rescale moves counts to another scale. To a coarser one buckets are merged, which is exact. To a
// finer one each count goes where its upper bound stays: how many numbers are below each of the
// old bounds stays exact, too (OpenTelemetry, Metrics Data Model, exponential scale).
func rescale(b pmetric.ExponentialHistogramDataPointBuckets, from, to int32) {
	n := b.BucketCounts().Len()
	if n == 0 || from == to {
		return
	}
	move := func(index int64) int64 {
		if from > to {
			return index >> min(int64(from)-int64(to), 62)
		}
		finer := min(int64(to)-int64(from), 32)
		limit := int64(exponents)>>min(int64(-min(to, 0)), 32) + 1
		return min(max((index+1)<<finer-1, -limit), limit)
	}
	first := move(int64(b.Offset()))
	last := move(int64(b.Offset()) + int64(n) - 1)
	moved := make([]uint64, last-first+1)
	for i := range n {
		moved[move(int64(b.Offset())+int64(i))-first] += b.BucketCounts().At(i)
	}
	b.SetOffset(int32(first))
	b.BucketCounts().FromRaw(moved)
}

// trim drops empty buckets at both ends: delta_to_cumulative walks over them, one by one.
func trim(b pmetric.ExponentialHistogramDataPointBuckets) {
	n := b.BucketCounts().Len()
	first, end := 0, n
	for first < end && b.BucketCounts().At(first) == 0 {
		first++
	}
	for end > first && b.BucketCounts().At(end-1) == 0 {
		end--
	}
	if first == 0 && end == n {
		return
	}
	kept := make([]uint64, 0, end-first)
	for i := first; i < end; i++ {
		kept = append(kept, b.BucketCounts().At(i))
	}
	if len(kept) == 0 {
		first = -int(b.Offset()) // an empty side has no place
	}
	b.SetOffset(b.Offset() + int32(first))
	b.BucketCounts().FromRaw(kept)
}

// total adds counts up. It tells whether the sum, and each count, can be a number of Prometheus'.
func total(b pmetric.ExponentialHistogramDataPointBuckets) (sum uint64, ok bool) {
	var carry uint64
	for _, n := range b.BucketCounts().All() {
		sum, carry = bits.Add64(sum, n, 0)
		if carry > 0 || n > math.MaxInt64 {
			return 0, false
		}
	}
	return sum, true
}
