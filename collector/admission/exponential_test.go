// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"math"
	"math/big"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// below is how many of a side's numbers are not over base^bound at a scale, exactly; ok reports
// whether a bucket ends there, so that it can be known. bound is a position of the scale `of`.
func below(b pmetric.ExponentialHistogramDataPointBuckets, scale int32, bound int64, of int32) (n uint64, ok bool) {
	// A bucket at position p holds numbers up to 2^((p+1) * 2^-scale): compare exponents of 2.
	exponent := func(position int64, scale int32) *big.Rat {
		r := new(big.Rat).SetInt64(position + 1)
		power := new(big.Int).Lsh(big.NewInt(1), uint(min(abs(int64(scale)), 64)))
		if scale >= 0 {
			return r.Quo(r, new(big.Rat).SetInt(power))
		}
		return r.Mul(r, new(big.Rat).SetInt(power))
	}
	most := exponent(bound, of)
	ok = true
	for i, count := range b.BucketCounts().All() {
		position := int64(b.Offset()) + int64(i)
		upper := exponent(position, scale)
		if upper.Cmp(most) <= 0 {
			n += count
			continue
		}
		// The bucket goes over the bound: it must lie over it as a whole, or be empty.
		if lower := exponent(position-1, scale); count > 0 && lower.Cmp(most) < 0 {
			ok = false
		}
	}
	return n, ok
}

func abs(n int64) int64 { return max(n, -n) }

// TestRescalingKeepsWhatIsBelowEachBound makes histograms of any scale and compares, at each bound
// that both have, how many numbers are below it: at a coarser scale at the new bounds, at a finer
// one at the old.
func TestRescalingKeepsWhatIsBelowEachBound(t *testing.T) {
	random, seed := seeded(t)
	for range 500 {
		is := int32(random.IntN(33) - 12)
		delta := random.IntN(2) == 0
		p := pmetric.NewExponentialHistogramDataPoint()
		p.SetScale(is)
		total := uint64(0)
		for _, side := range []pmetric.ExponentialHistogramDataPointBuckets{p.Positive(), p.Negative()} {
			n := random.IntN(40)
			most := int(positions(is))
			side.SetOffset(int32(random.IntN(2*most+1) - most))
			for range n {
				if int64(side.Offset())+int64(side.BucketCounts().Len()) > int64(most) {
					break
				}
				count := uint64(random.IntN(3))
				total += count
				side.BucketCounts().Append(count)
			}
		}
		p.SetCount(total)
		before := pmetric.NewExponentialHistogramDataPoint()
		p.CopyTo(before)
		v := &visit{walk: walk{limits: limits{leastScale: -4}}}
		for i := range v.actions {
			v.actions[i] = repair
		}
		v.buckets(p, delta)

		now := p.Scale()
		if v.verdict != keep || now < -4 || now > 20 || delta && now > 8 {
			t.Fatalf("seed %d: scale %d became %d, verdict %s", seed, is, now, actionNames[v.verdict])
		}
		for _, sides := range [][2]pmetric.ExponentialHistogramDataPointBuckets{
			{before.Positive(), p.Positive()}, {before.Negative(), p.Negative()},
		} {
			old, made := sides[0], sides[1]
			bounds, of := old, is
			if now < is {
				bounds, of = made, now
			}
			for i := range bounds.BucketCounts().Len() + 2 {
				bound := int64(bounds.Offset()) + int64(i) - 1
				want, known := below(old, is, bound, of)
				got, stays := below(made, now, bound, of)
				past := float64(bound+1)*math.Pow(2, -float64(of)) > exponents // no number is there
				if !past && (!known || !stays || got != want) {
					t.Fatalf("seed %d: scale %d to %d: below position %d of scale %d are %d, were %d",
						seed, is, now, bound, of, got, want)
				}
			}
		}
		if v.repaired.has(counts) {
			t.Fatalf("seed %d: the count did not add up any more", seed)
		}
	}
}

// TestNoHistogramTakesLong makes what was sent to stall those behind: positions far apart, and
// buckets by the million.
func TestNoHistogramTakesLong(t *testing.T) {
	p := newMetrics(t, testConfig(), testSettings(componenttest.NewTelemetry()), &recorder{})
	for _, scale := range []int32{math.MinInt32, -20, -4, 0, 8, 20, 21, math.MaxInt32} {
		data := aged(time.Hour)
		m := data.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
		m.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		for _, n := range []int{0, 1, 2000} {
			point := m.ExponentialHistogram().DataPoints().AppendEmpty()
			point.SetTimestamp(at(0))
			point.SetScale(scale)
			point.SetZeroThreshold(math.MaxFloat64)
			side := point.Positive()
			side.SetOffset(int32(positions(scale) - int64(n)))
			for range n {
				side.BucketCounts().Append(1)
			}
			point.SetCount(uint64(n))
		}
		left, err := p.process(t.Context(), data)
		must(t, err)
		for _, point := range left.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).ExponentialHistogram().DataPoints().All() {
			side := point.Positive()
			if n := side.BucketCounts().Len(); n > mostBuckets || abs(int64(side.Offset())) > farthest || point.ZeroThreshold() != 0 {
				t.Errorf("scale %d: %d buckets at %d, with a threshold of %g", scale, n, side.Offset(), point.ZeroThreshold())
			}
		}
	}
}
