// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

func TestCountsGoOnAfterARestart(t *testing.T) {
	store := &memory{}
	one := event("payment.created", map[string]any{
		"payment.currency": "SEK", "payment.amount": 1.5, "payment.delay": 2,
	})
	first := start(t, kept(), store)
	first.send(t, one, one)
	first.shutdown(t)
	second := start(t, kept(), store)
	second.send(t, one)
	second.shutdown(t)
	want := page(map[string]string{
		"payments{state=created,currency=SEK}": "3",
		"payments.amount{currency=SEK}":        "4.5",
		"payment.delay{}":                      "3 6 [0 3 0]",
	})
	expect(t, second.sink.page(), want)
	third := start(t, kept(), store)
	defer third.shutdown(t)
	expect(t, third.sink.page(), want)
	third.expectCounts(t, "failed", map[string]int64{})
}

// What was learnt keeps its place, and what was initialized is not exposed at 0 again.
func TestARestartKnowsWhatWasExposed(t *testing.T) {
	store := &memory{}
	config := kept()
	config.InitialZeroDuration = 3 * time.Second
	sek := event("payment.failed", map[string]any{"payment.currency": "SEK"})
	nok := event("payment.failed", map[string]any{"payment.currency": "NOK"})
	first := start(t, config, store)
	first.send(t, sek)
	first.after(t, 0)
	first.after(t, 3*time.Second)
	first.send(t, nok)
	first.after(t, time.Second) // at 0
	first.crash()
	second := start(t, config, store)
	defer second.shutdown(t)
	expect(t, second.sink.page(), page(map[string]string{
		"payments{state=failed,currency=SEK}": "1", "payments{state=failed,currency=NOK}": "0",
	}))
	second.send(t, event("payment.failed", map[string]any{"payment.currency": "DKK"})) // no place left
	second.after(t, 3*time.Second)
	second.after(t, 3*time.Second)
	expect(t, second.sink.page(), page(map[string]string{
		"payments{state=failed,currency=SEK}": "1", "payments{state=failed,currency=NOK}": "1",
		"payments{state=failed,currency=other}": "1",
	}))
}

func TestAChangedFamilyStartsAnewAndTheOthersGoOn(t *testing.T) {
	store := &memory{}
	first := start(t, kept(), store)
	first.send(t, measured(1, 2))
	first.shutdown(t)
	config := kept()
	config.Families[2].Buckets = []float64{1, 5, 10}
	second := start(t, config, store)
	second.send(t, measured(1, 2))
	second.shutdown(t)
	want := page(map[string]string{
		"payments{state=created,currency=EUR}": "2",
		"payments.amount{currency=EUR}":        "2",
		"payment.delay{}":                      "1 2 [0 1 0 0]",
	})
	expect(t, second.sink.page(), want)
	second.expectCounts(t, "failed", map[string]int64{})
	if n := second.lines.FilterMessage("Labels or buckets have changed, so counts start at zero").Len(); n != 1 {
		t.Errorf("logged %d times", n)
	}
	third := start(t, config, store)
	defer third.shutdown(t)
	expect(t, third.sink.page(), want)
	if n := third.lines.Len(); n != 0 {
		t.Errorf("%d lines", n)
	}
}

func TestOnlyWhatChangedIsWrittenAndExposed(t *testing.T) {
	config := kept()
	config.Families[0].Labels[0].MaxDynamicValues = 1000
	store := &memory{}
	r := start(t, config, store)
	for i := range 1000 {
		r.send(t, event("payment.failed", map[string]any{"payment.currency": fmt.Sprint("X", i)}))
	}
	r.after(t, time.Second)
	if n := len(store.keys()); n != 1005 {
		t.Errorf("%d keys, want 1000 and 5 known", n)
	}
	before := len(store.batches())
	r.send(t, event("payment.failed", map[string]any{"payment.currency": "X7"}))
	expect(t, r.after(t, time.Second), map[string]string{"payments{state=failed,currency=X7}": "2"})
	written := store.batches()[before:]
	if want := "[[series/payments/11]]"; fmt.Sprint(written) != want {
		t.Errorf("wrote %v, want %s", written, want)
	}
	if again := r.after(t, time.Second); again != nil || len(store.batches()) != before+1 {
		t.Errorf("nothing has changed, yet %v was exposed, %v written", again, store.batches()[before+1:])
	}
	r.shutdown(t)

	before = len(store.batches())
	second := start(t, config, store)
	defer second.shutdown(t)
	expect(t, second.sink.page(), r.sink.page()) // everything, once
	if written := store.batches()[before:]; len(written) != 0 {
		t.Errorf("a start wrote %v", written)
	}
}

// A series that cannot be used costs itself alone; its slot is taken again.
func TestADamagedSeriesCostsItselfAlone(t *testing.T) {
	const usd = `{"labels":["state","currency"],"values":["created","USD"],"start":"2020-01-01T00:00:00Z","count":3,"sum":{"Total":3,"Lost":0},"announced":true}`
	const delay = `{"bounds":[1,5],"values":[],"start":"2020-01-01T00:00:00Z","count":3,"sum":{"Total":6,"Lost":0},"buckets":[1,1,1],"announced":true}`
	sum := func(text string) string { return strings.Replace(usd, `"Total":3`, `"Total":`+text, 1) }
	buckets := func(text string) string { return strings.Replace(delay, "[1,1,1]", text, 1) }
	cases := map[string]struct{ payments, delay string }{
		"no document":       {"{", delay},
		"half a document":   {usd[:len(usd)/2], delay},
		"another type":      {`[1]`, delay},
		"bytes":             {"\x00\xff", delay},
		"null":              {"null", "null"},
		"infinite sum":      {sum("1e999"), delay},
		"both parts huge":   {strings.Replace(sum("1.7e308"), `"Lost":0`, `"Lost":1.7e308`, 1), delay},
		"negative sum":      {sum("-1"), delay},
		"sum without count": {strings.Replace(usd, `"count":3`, `"count":0`, 1), delay},
		"negative count":    {strings.Replace(usd, `"count":3`, `"count":-3`, 1), delay},
		"too few values":    {strings.Replace(usd, `"created",`, "", 1), delay},
		"too many values":   {strings.Replace(usd, `"created",`, `"created","x",`, 1), delay},
		"no values":         {strings.Replace(usd, `"values":["created","USD"],`, "", 1), delay},
		"buckets":           {strings.Replace(usd, `"announced"`, `"buckets":[3],"announced"`, 1), delay},
		"no start":          {strings.Replace(usd, `"start":"2020-01-01T00:00:00Z",`, "", 1), delay},
		"a start far away":  {strings.Replace(usd, "2020", "9999", 1), delay},
		"too few buckets":   {usd, buckets("[2,1]")},
		"too many buckets":  {usd, buckets("[1,1,1,0]")},
		"no buckets":        {usd, buckets("null")},
		"buckets over":      {usd, buckets("[1,1,18446744073709551615]")},
		"buckets far over":  {usd, buckets("[4,18446744073709551615,0]")},
		"buckets under":     {usd, buckets("[1,1,0]")},
	}
	for name, one := range cases {
		t.Run(name, func(t *testing.T) {
			store := &memory{}
			store.set("series/payments/0", strings.Replace(usd, "created", "failed", 1))
			store.set("series/payments/1", one.payments)
			store.set("series/payments/2", strings.Replace(usd, "USD", "SEK", 1))
			store.set("series/payment.delay/0", one.delay)
			want, failed := page(map[string]string{
				"payments{state=failed,currency=USD}":  "3",
				"payments{state=created,currency=SEK}": "3",
			}), map[string]int64{}
			if one.payments == usd {
				want["payments{state=created,currency=USD}"] = "3"
			} else {
				failed["family=payments,stage=restore"] = 1
			}
			if one.delay == delay {
				want["payment.delay{}"] = "3 6 [1 1 1]"
			} else {
				failed["family=payment.delay,stage=restore"] = 1
			}
			r := start(t, kept(), store)
			expect(t, r.sink.page(), want)
			r.expectCounts(t, "failed", failed)
			r.shutdown(t)

			again := start(t, kept(), store)
			defer again.shutdown(t)
			expect(t, again.sink.page(), want)
			again.expectCounts(t, "failed", map[string]int64{})
			if n := len(store.keys()); n != 6 { // five of payments, one of delays: no slot was lost
				t.Errorf("keys %v", store.keys())
			}
		})
	}
}

func TestTheSameLabelsTwiceAreRestoredOnce(t *testing.T) {
	store := &memory{}
	one := `{"labels":["state","currency"],"values":["created","EUR"],"start":"2020-01-01T00:00:00Z","count":%d,"sum":{"Total":%d,"Lost":0},"announced":true}`
	store.set("series/payments/0", fmt.Sprintf(one, 4, 4))
	store.set("series/payments/1", fmt.Sprintf(one, 9, 9))
	r := start(t, kept(), store)
	defer r.shutdown(t)
	expect(t, r.sink.page(), page(map[string]string{"payments{state=created,currency=EUR}": "4"}))
	r.expectCounts(t, "failed", map[string]int64{"family=payments,stage=restore": 1})
}

// A whole stretch of damaged series, longer than what is looked up at once, hides none behind it.
func TestAllSeriesAreFoundBehindDamagedOnes(t *testing.T) {
	config := kept()
	config.Families[0].Labels[0].MaxDynamicValues = 1000
	store := &memory{}
	r := start(t, config, store)
	for i := range 3 * slotsAtOnce {
		r.send(t, event("payment.failed", map[string]any{"payment.currency": fmt.Sprint("X", i)}))
	}
	r.shutdown(t)
	for slot := range 2 * slotsAtOnce {
		store.set(fmt.Sprint("series/payments/", slot), "damaged")
	}
	failed := map[string]int64{"family=payments,stage=restore": 2 * slotsAtOnce}
	for range 2 {
		r = start(t, config, store)
		if got := r.sink.page()[fmt.Sprintf("payments{state=failed,currency=X%d}", 3*slotsAtOnce-1)]; got != "1" {
			t.Errorf("the last one is %q", got)
		}
		r.expectCounts(t, "failed", failed)
		failed = map[string]int64{}
		r.shutdown(t)
	}
}

func TestAStorageThatCannotBeReadStopsTheStart(t *testing.T) {
	r := ready(t, kept())
	err := r.Start(context.Background(), hostOf(&unreadableStore{}))
	if err == nil || err.Error() != "storage: memory: "+errRefused.Error() {
		t.Errorf("got %v", err)
	}
}

func TestNothingIsExposedThatIsNotStored(t *testing.T) {
	store := &memory{}
	r := start(t, kept(), store)
	store.refusing(func([]string) error { return errRefused })
	r.send(t, measured(2, 3))
	for range 5 {
		r.advance(11 * time.Second)
		if err := r.flush(context.Background()); err == nil {
			t.Error("no error")
		}
	}
	expect(t, r.sink.page(), page(nil))
	r.expectCounts(t, "failed", map[string]int64{
		"family=payments,stage=store": 5, "family=payments.amount,stage=store": 5, "family=payment.delay,stage=store": 5,
	})
	if got := r.seconds(t); got != 55 {
		t.Errorf("%v s behind", got)
	}
	r.send(t, measured(2, 3))
	store.refusing(nil)
	r.after(t, time.Second)
	want := page(map[string]string{
		"payments{state=created,currency=EUR}": "2",
		"payments.amount{currency=EUR}":        "4",
		"payment.delay{}":                      "2 6 [0 2 0]",
	})
	expect(t, r.sink.page(), want)
	r.crash()
	again := start(t, kept(), store)
	defer again.shutdown(t)
	expect(t, again.sink.page(), want)
}

// At the moment a count is exposed it is on disk. So a process that is killed at that very moment,
// or between the two, goes on from no less than what was exposed.
func TestACountIsStoredBeforeItIsExposed(t *testing.T) {
	store := &memory{}
	r := start(t, kept(), store)
	exposed := 0
	r.sink.refusing(func(metrics pmetric.Metrics) error {
		stored := storedCounts(t, store)
		values, _ := points(metrics)
		for key, text := range values {
			var value float64
			if _, err := fmt.Sscan(text, &value); err != nil {
				t.Fatal(err)
			}
			if value > stored[key] {
				t.Errorf("%s exposes %v while %v is stored", key, value, stored[key])
			}
			exposed++
		}
		return errRefused // killed before it is exposed
	})
	r.send(t, measured(2, 3), measured(4, 7))
	if err := r.flush(context.Background()); err == nil {
		t.Error("no error")
	}
	if exposed == 0 {
		t.Fatal("nothing was to be exposed")
	}
	r.crash()
	again := start(t, kept(), store)
	defer again.shutdown(t)
	expect(t, again.sink.page(), page(map[string]string{
		"payments{state=created,currency=EUR}": "2",
		"payments.amount{currency=EUR}":        "6",
		"payment.delay{}":                      "2 10 [0 1 1]",
	}))
}

func TestAFamilyThatCannotBeStoredStopsNoOther(t *testing.T) {
	store := &memory{}
	r := start(t, kept(), store)
	defer r.shutdown(t)
	store.refusing(func(keys []string) error {
		if slices.ContainsFunc(keys, func(key string) bool { return strings.HasPrefix(key, "series/payments/") }) {
			return errRefused
		}
		return nil
	})
	r.send(t, measured(2, 3))
	if err := r.flush(context.Background()); err == nil || err.Error() != "1 series could not be stored and exposed" {
		t.Errorf("got %v", err)
	}
	others := map[string]string{"payments.amount{currency=EUR}": "2", "payment.delay{}": "1 3 [0 1 0]"}
	expect(t, r.sink.page(), page(others))
	r.expectCounts(t, "failed", map[string]int64{"family=payments,stage=store": 1})
	store.refusing(nil)
	expect(t, r.after(t, 0), map[string]string{"payments{state=created,currency=EUR}": "1"})
}

func TestAStorageThatPanicsIsOneThatFails(t *testing.T) {
	store := &memory{}
	r := start(t, kept(), store)
	defer r.shutdown(t)
	store.refusing(func([]string) error { panic("page 7 already freed") })
	r.send(t, paid(2))
	if err := r.flush(context.Background()); err == nil {
		t.Error("no error")
	}
	store.refusing(nil)
	expect(t, r.after(t, 0), map[string]string{
		"payments{state=created,currency=EUR}": "1", "payments.amount{currency=EUR}": "2",
	})
}

func TestAFamilyThatCannotBeExposedStopsNoOther(t *testing.T) {
	store := &memory{}
	r := start(t, kept(), store)
	defer r.shutdown(t)
	r.sink.refusing(func(metrics pmetric.Metrics) error {
		if values, _ := points(metrics); values["payments{state=created,currency=EUR}"] != "" {
			return errors.New("not this one")
		}
		return nil
	})
	r.send(t, measured(2, 3))
	if err := r.flush(context.Background()); err == nil || err.Error() != "1 series could not be stored and exposed" {
		t.Errorf("got %v", err)
	}
	expect(t, r.sink.page(), page(map[string]string{"payments.amount{currency=EUR}": "2", "payment.delay{}": "1 3 [0 1 0]"}))
	r.expectCounts(t, "failed", map[string]int64{"family=payments,stage=expose": 1})
	r.sink.refusing(nil)
	before := len(store.batches())
	expect(t, r.after(t, 0), map[string]string{"payments{state=created,currency=EUR}": "1"})
	if written := store.batches()[before:]; len(written) != 0 {
		t.Errorf("it was stored, yet %v was written", written)
	}
}

// The time at 0 begins when the 0 was really exposed.
func TestASeriesThatCouldNotBeExposedIsStillAStepFromZero(t *testing.T) {
	store := &memory{}
	config := kept()
	config.InitialZeroDuration = 3 * time.Second
	r := start(t, config, store)
	defer r.shutdown(t)
	const key = "payments{state=failed,currency=SEK}"
	store.refusing(func([]string) error { return errRefused })
	r.send(t, event("payment.failed", map[string]any{"payment.currency": "SEK"}))
	_ = r.flush(context.Background())
	r.advance(time.Hour)
	_ = r.flush(context.Background())
	store.refusing(nil)
	expect(t, r.after(t, time.Second), map[string]string{key: "0"})
	if early := r.after(t, 2*time.Second); early != nil {
		t.Errorf("%v after 2 s", early)
	}
	expect(t, r.after(t, time.Second), map[string]string{key: "1"})
}

func TestASeriesThatCannotBeEncodedCostsItselfAlone(t *testing.T) {
	store := &memory{}
	r := start(t, kept(), store)
	r.send(t, measured(2, 3))
	r.send(t, event("payment.created", map[string]any{"payment.currency": "USD", "payment.amount": 4}))
	broken := r.families[1].series["EUR"]
	broken.sum.Lost = math.NaN() // what no event can bring about
	if err := r.flush(context.Background()); err == nil || err.Error() != "1 series could not be stored and exposed" {
		t.Errorf("got %v", err)
	}
	want := page(map[string]string{
		"payments{state=created,currency=EUR}": "1", "payments{state=created,currency=USD}": "1",
		"payments.amount{currency=USD}": "4", "payment.delay{}": "1 3 [0 1 0]",
	})
	expect(t, r.sink.page(), want)
	r.expectCounts(t, "failed", map[string]int64{"family=payments.amount,stage=encode": 1})
	broken.sum.Lost = 0
	expect(t, r.after(t, 0), map[string]string{"payments.amount{currency=EUR}": "2"})
	r.shutdown(t)
}

func TestTheLogReportsNowAndThenAndNoValue(t *testing.T) {
	store := &memory{}
	r := start(t, kept(), store)
	store.refusing(func([]string) error { return errRefused })
	r.send(t, event("payment.created", map[string]any{"payment.currency": "secret", "payment.amount": 424242}))
	for range 101 { // 20 s
		_ = r.flush(context.Background())
		r.advance(200 * time.Millisecond)
	}
	var text []string
	for _, line := range r.lines.All() {
		text = append(text, fmt.Sprint(line.Level, " ", line.Message, " ", line.ContextMap()))
	}
	want := "error Counts failed; otelcol_connector_event_metrics_failed has every time map[error:no space left on device family:payments stage:store]"
	if fmt.Sprint(text) != fmt.Sprint([]string{want, want, want}) {
		t.Errorf("logged\n%s", strings.Join(text, "\n"))
	}
	store.refusing(nil)
	r.shutdown(t)
}

// Whatever fails and whenever it is killed: what is exposed never falls, is never more than what is
// stored, and in the end is what came since the last flush before a kill.
func TestCountsNeverFall(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { neverFall(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func neverFall(t *testing.T, random *rand.Rand) {
	store := &memory{}
	config := kept()
	config.InitialZeroDuration = 2 * time.Second
	currencies := []string{"EUR", "USD", "SEK", "NOK", "DKK"}
	begun := func() *rig {
		store.refusing(nil)
		r := start(t, config, store)
		store.refusing(func([]string) error {
			if random.IntN(3) == 0 {
				return errRefused
			}
			return nil
		})
		r.sink.refusing(func(pmetric.Metrics) error {
			if random.IntN(4) == 0 {
				return errRefused
			}
			return nil
		})
		return r
	}
	highest := map[string]float64{}
	look := func(r *rig) {
		t.Helper()
		stored := storedCounts(t, store)
		for key, text := range r.sink.page() {
			var exposed float64
			if _, err := fmt.Sscan(text, &exposed); err != nil {
				t.Fatal(err)
			}
			if exposed < highest[key] {
				t.Errorf("%s fell from %v to %v", key, highest[key], exposed)
			}
			highest[key] = exposed
			if exposed > stored[key] {
				t.Errorf("%s exposes %v, stored are %v", key, exposed, stored[key])
			}
		}
	}
	r := begun()
	for range 300 {
		switch random.IntN(12) {
		case 0:
			r.crash()
			r = begun()
			look(r)
		case 1, 2, 3:
			r.advance(time.Second)
			_ = r.flush(context.Background())
			look(r)
		default:
			currency := currencies[random.IntN(len(currencies))]
			r.send(t, event("payment.created", map[string]any{
				"payment.currency": currency, "payment.amount": random.IntN(100), "payment.delay": random.IntN(10),
			}))
		}
	}
	store.refusing(nil)
	r.sink.refusing(nil)
	for range 3 {
		r.after(t, 3*time.Second)
	}
	look(r)
	page, stored := r.sink.page(), storedCounts(t, store)
	for _, s := range r.families[0].series {
		key := fmt.Sprintf("payments{state=%s,currency=%s}", s.values[0], s.values[1])
		if want := fmt.Sprint(s.count); page[key] != want || fmt.Sprint(stored[key]) != want {
			t.Errorf("%s: counted %s, exposed %s, stored %v", key, want, page[key], stored[key])
		}
	}
	r.shutdown(t)
}

// storedCounts is what a start would find, as the first number that is exposed of it.
func storedCounts(t *testing.T, store *memory) map[string]float64 {
	t.Helper()
	store.mutex.Lock()
	defer store.mutex.Unlock()
	counts := map[string]float64{}
	for key, document := range store.data {
		var one storedSeries
		if err := json.Unmarshal(document, &one); err != nil {
			t.Fatal(err)
		}
		var parts []string
		for i, name := range one.Labels {
			parts = append(parts, name+"="+one.Values[i])
		}
		value := one.Sum.Total + one.Sum.Lost
		if len(one.Buckets) > 0 {
			value = float64(one.Count)
		}
		counts[strings.Split(key, "/")[1]+"{"+strings.Join(parts, ",")+"}"] = value
	}
	return counts
}
