// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// versionOne is what version 1 stored for payments.
const versionOne = `{"version":1,"families":[
	{"name":"payments","labels":["state","currency"],"series":[
		{"values":["created","EUR"],"start":"2020-01-01T00:00:00Z","count":4,"sum":{"Total":4,"Lost":0},"announced":true},
		{"values":["created","SEK"],"start":"2020-01-01T00:00:00Z","count":2,"sum":{"Total":2,"Lost":0},"announced":true},
		{"values":["failed","EUR"],"start":"2020-01-01T00:00:00Z","count":0,"sum":{"Total":0,"Lost":0},"announced":true}]},
	{"name":"payments.amount","labels":["currency"],"series":[
		{"values":["EUR"],"start":"2020-01-01T00:00:00Z","count":4,"sum":{"Total":80,"Lost":1e-15},"announced":true}]},
	{"name":"payment.delay","labels":null,"buckets":[1,5],"series":[
		{"values":null,"start":"2020-01-01T00:00:00Z","count":4,"sum":{"Total":12,"Lost":0},"buckets":[1,2,1],"announced":true}]},
	{"name":"gone","labels":null,"series":[{"values":null}]}]}`

var asOfVersionOne = map[string]string{
	"payments{state=created,currency=EUR}": "4",
	"payments{state=created,currency=SEK}": "2",
	"payments.amount{currency=EUR}":        "80",
	"payment.delay{}":                      "4 12 [1 2 1]",
}

func TestTheCountsOfVersionOneAreTakenOver(t *testing.T) {
	store := &memory{}
	store.set(outdatedKey, versionOne)
	r := start(t, kept(), store)
	expect(t, r.sink.page(), page(asOfVersionOne))
	r.expectCounts(t, "failed", map[string]int64{})
	if slices.Contains(store.keys(), outdatedKey) {
		t.Error("they are still there")
	}
	batches := store.batches()
	if len(batches) != 2 || len(batches[0]) != 7 {
		t.Errorf("wrote %v, want all series at once, then the removal", batches)
	}
	r.send(t, paid(1))
	r.shutdown(t)
	if batches := store.batches()[2:]; len(batches) != 1 || slices.Contains(batches[0], outdatedKey) {
		t.Errorf("wrote %v", batches)
	}
	again := start(t, kept(), store)
	defer again.shutdown(t)
	want := page(asOfVersionOne)
	want["payments{state=created,currency=EUR}"] = "5"
	want["payments.amount{currency=EUR}"] = "81"
	expect(t, again.sink.page(), want)
}

func TestTheCountsOfVersionOneStayUntilAllAreStored(t *testing.T) {
	store := &memory{}
	store.set(outdatedKey, versionOne)
	store.refusing(func(keys []string) error {
		if strings.Contains(strings.Join(keys, " "), "payment.delay") {
			return errRefused
		}
		return nil
	})
	first := start(t, kept(), store)
	first.send(t, measured(1, 3)) // one family is stored anew, the other not
	_ = first.flush(context.Background())
	first.crash()
	if !slices.Contains(store.keys(), outdatedKey) {
		t.Fatal("they are gone")
	}
	store.refusing(nil)
	second := start(t, kept(), store)
	defer second.shutdown(t)
	want := page(asOfVersionOne)
	want["payments{state=created,currency=EUR}"] = "5"
	want["payments.amount{currency=EUR}"] = "81"
	expect(t, second.sink.page(), want)
	if slices.Contains(store.keys(), outdatedKey) {
		t.Error("they are still there")
	}
}

func TestARemovalThatFailsIsTriedAgain(t *testing.T) {
	store := &memory{}
	store.set(outdatedKey, versionOne)
	store.refusing(func(keys []string) error {
		if keys[0] == outdatedKey {
			return errRefused
		}
		return nil
	})
	r := start(t, kept(), store)
	defer r.shutdown(t)
	store.refusing(nil)
	r.after(t, 0)
	if slices.Contains(store.keys(), outdatedKey) {
		t.Error("they are still there")
	}
}

func TestADamagedVersionOneCostsWhatIsDamaged(t *testing.T) {
	// without is the counts less one line.
	without := func(key string) map[string]string {
		left := map[string]string{}
		for one, value := range asOfVersionOne {
			if one != key {
				left[one] = value
			}
		}
		return left
	}
	cases := map[string]struct {
		old, new string
		want     map[string]string
		failed   map[string]int64
	}{
		"a series": {
			`"count":2,"sum":{"Total":2`, `"count":2,"sum":{"Total":1e999`,
			without("payments{state=created,currency=SEK}"), map[string]int64{"family=payments,stage=restore": 1},
		},
		"the same series twice": {
			`["created","SEK"]`, `["created","EUR"]`,
			without("payments{state=created,currency=SEK}"), map[string]int64{"family=payments,stage=restore": 1},
		},
		"a family":    {`"name":"payments.amount"`, `"name":7`, without("payments.amount{currency=EUR}"), nil},
		"its buckets": {`"buckets":[1,5]`, `"buckets":[1,6]`, without("payment.delay{}"), nil},
		"all": {"{", "", nil, map[string]int64{
			"family=payments,stage=restore": 1, "family=payments.amount,stage=restore": 1, "family=payment.delay,stage=restore": 1,
		}},
		"the version": {`"version":1`, `"version":3`, nil, map[string]int64{
			"family=payments,stage=restore": 1, "family=payments.amount,stage=restore": 1, "family=payment.delay,stage=restore": 1,
		}},
	}
	for name, one := range cases {
		t.Run(name, func(t *testing.T) {
			store := &memory{}
			store.set(outdatedKey, strings.Replace(versionOne, one.old, one.new, 1))
			r := start(t, kept(), store)
			defer r.shutdown(t)
			expect(t, r.sink.page(), page(one.want))
			if one.failed == nil {
				one.failed = map[string]int64{}
			}
			r.expectCounts(t, "failed", one.failed)
		})
	}
}
