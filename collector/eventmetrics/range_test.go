// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"math"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
)

func measured(amount, delay any) func(plog.LogRecord) {
	return event("payment.created", map[string]any{
		"payment.currency": "EUR", "payment.amount": amount, "payment.delay": delay,
	})
}

func TestANumberOutOfRangeCostsThatMeasurementAlone(t *testing.T) {
	store := &memory{}
	r := start(t, kept(), store)
	// The largest float, and again: the second would make the sum infinite.
	r.send(t, measured(1e308, 1), measured(1e308, 2))
	r.send(t, measured(5, math.MaxFloat64), measured(7, math.MaxFloat64))
	r.send(t, event("payment.failed", map[string]any{"payment.currency": "USD"}))
	want := page(map[string]string{
		"payments{state=created,currency=EUR}": "4",
		"payments{state=failed,currency=USD}":  "1",
		"payments.amount{currency=EUR}":        "1e+308",
		"payment.delay{}":                      "3 1.7976931348623157e+308 [1 1 1]",
	})
	r.after(t, time.Second)
	expect(t, r.sink.page(), want)
	r.expectCounts(t, "out_of_range", map[string]int64{"family=payments.amount": 1, "family=payment.delay": 1})
	r.expectCounts(t, "failed", map[string]int64{})
	r.shutdown(t)

	again := start(t, kept(), store)
	defer again.shutdown(t)
	expect(t, again.sink.page(), want)
	again.send(t, measured(1e308, 9))
	again.send(t, event("payment.created", map[string]any{"payment.currency": "USD", "payment.amount": 3}))
	again.after(t, time.Second)
	want["payments{state=created,currency=EUR}"] = "5"
	want["payments{state=created,currency=USD}"] = "1"
	want["payments.amount{currency=USD}"] = "3"
	// 9 is nothing beside what is there, but it is counted.
	want["payment.delay{}"] = "4 1.7976931348623157e+308 [1 1 2]"
	expect(t, again.sink.page(), want)
	again.expectCounts(t, "out_of_range", map[string]int64{"family=payments.amount": 1})
	again.expectCounts(t, "failed", map[string]int64{})
}

func TestACountThatIsFullStaysWhatItIs(t *testing.T) {
	store := &memory{}
	store.set("series/payments/0", `{"labels":["state","currency"],"values":["created","EUR"],`+
		`"start":"1970-01-02T00:00:00Z","count":18446744073709551615,"sum":{"Total":18446744073709551615,"Lost":0},"announced":true}`)
	r := start(t, kept(), store)
	defer r.shutdown(t)
	r.send(t, paid(2))
	r.after(t, time.Second)
	expect(t, r.sink.page(), page(map[string]string{
		"payments{state=created,currency=EUR}": "1.8446744073709552e+19",
		"payments.amount{currency=EUR}":        "2",
	}))
	r.expectCounts(t, "out_of_range", map[string]int64{"family=payments": 1})
}

func TestANumberOverTheMaxIsNotTaken(t *testing.T) {
	config := atOnce()
	config.Families[1].Max = 1e9
	config.Families[2].Max = 60
	r := start(t, config, nil)
	defer r.shutdown(t)
	r.send(t, measured(1e9, 60), measured("1000000000.1", 60.5), measured(1e308, int64(61)))
	r.after(t, time.Second)
	expect(t, r.sink.page(), page(map[string]string{
		"payments{state=created,currency=EUR}": "3",
		"payments.amount{currency=EUR}":        "1e+09",
		"payment.delay{}":                      "1 60 [0 0 1]",
	}))
	r.expectCounts(t, "out_of_range", map[string]int64{"family=payments.amount": 2, "family=payment.delay": 2})
}

func TestAnInvalidNumberCostsOneMeasurementAndNoCount(t *testing.T) {
	r := start(t, atOnce(), nil)
	defer r.shutdown(t)
	bad := []any{
		"a lot", "", "NaN", "-1", -1, -0.5, "1e999", "Inf", math.Inf(1), math.Inf(-1), math.NaN(),
		true, nil, []any{1}, map[string]any{"a": 1}, []byte("1"),
	}
	for _, amount := range bad {
		r.send(t, paid(amount))
	}
	r.send(t, paid(5))
	r.after(t, time.Second)
	expect(t, r.sink.page(), page(map[string]string{
		"payments{state=created,currency=EUR}": "17",
		"payments.amount{currency=EUR}":        "5",
	}))
	r.expectCounts(t, "invalid_values", map[string]int64{"family=payments.amount": int64(len(bad))})
	r.expectCounts(t, "out_of_range", map[string]int64{})
}

func TestASumKnowsWhereItEnds(t *testing.T) {
	half := math.MaxFloat64 / 2
	for _, one := range []struct {
		sum   sum
		x     float64
		taken bool
	}{
		{sum{}, math.MaxFloat64, true},
		{sum{half, 0}, half, true},
		{sum{math.MaxFloat64, 0}, 0, true},
		{sum{math.MaxFloat64, 0}, 1, true}, // less than a step at that size
		{sum{math.MaxFloat64, 0}, 1e292, false},
		{sum{math.MaxFloat64, 9e291}, 2e291, false}, // the rest that was lost tips it over
		{sum{1e308, 0}, 1e308, false},
	} {
		added, taken := one.sum.plus(one.x)
		if taken != one.taken || taken && !(added.value() >= one.sum.value()) {
			t.Errorf("%v plus %v: %v, %v", one.sum, one.x, added, taken)
		}
	}
}
