// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"errors"
	"fmt"
	"math/bits"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// each runs a test for the three signals.
func each(t *testing.T, logs func(*testing.T, trial[logData]), traces func(*testing.T, trial[traceData]), metrics func(*testing.T, trial[metricData])) {
	t.Run("logs", func(t *testing.T) { logs(t, logTrial()) })
	t.Run("traces", func(t *testing.T) { traces(t, traceTrial()) })
	t.Run("metrics", func(t *testing.T) { metrics(t, metricTrial()) })
}

func TestARefusedRecordCostsItself(t *testing.T) {
	each(t, refusedCostsItself, refusedCostsItself, refusedCostsItself)
}

func refusedCostsItself[T any](t *testing.T, trial trial[T]) {
	const all = 5000
	deep := bits.Len(all - 1)
	for name, badOnes := range map[string][]int{
		"none": nil, "first": {0}, "last": {all - 1}, "one": {3217}, "two": {1234, 4321},
		"two neighbours": {2499, 2500}, "three": {7, 2500, 4998},
	} {
		t.Run(name, func(t *testing.T) {
			r := assemble(t, trial, nil, dislikes(http.StatusBadRequest))
			names := numbered(all, badOnes...)
			if left := r.send(t, names, 0); left != nil {
				t.Errorf("%d are left", len(left))
			}
			stored, requests := r.backend.seen()
			if !slices.Equal(stored, good(names)) { // in their order, too
				expectSame(t, "stored", stored, good(names))
				t.Error("the order is lost")
			}
			if most := 1 + 2*deep*len(badOnes); requests > most {
				t.Errorf("%d requests, over %d", requests, most)
			}
			want, reasons := map[string]int64{}, map[string][]string{}
			if len(badOnes) > 0 {
				want["400"], reasons["status_400"] = int64(len(badOnes)), onlyBad(names)
			}
			r.expectRefused(t, want)
			expectSame(t, "dead letters", r.letters.names["status_400"], onlyBad(names))
			if len(r.letters.names) != len(reasons) {
				t.Errorf("reasons are %v", r.letters.names)
			}
			splits := counted(t, r.telemetry, "otelcol_exporter_otlp_bisect_splits")
			if got := splits["exporter=otlp_bisect/there,signal="+r.trial.signal.name]; got != int64(requests-1)/2 {
				t.Errorf("%v splits for %d requests", splits, requests)
			}
			if len(r.watch.waits) != 0 {
				t.Error("there were waits")
			}
			r.expectQuiet(t)
		})
	}
}

func TestAMetricWithoutPointsIsFoundToo(t *testing.T) {
	trial := metricTrial()
	r := assemble(t, trial, nil, dislikes(http.StatusBadRequest))
	data := trial.make(numbered(9))
	empty := data.ResourceMetrics().At(2).ScopeMetrics().At(0).Metrics().AppendEmpty()
	empty.SetName("bad-empty")
	fatal(t, r.push(t.Context(), data))
	r.expectStored(t, numbered(9))
	expectSame(t, "dead letters", r.letters.names["status_400"], []string{"bad-empty"})
	r.expectRefused(t, map[string]int64{"400": 1})
}

func TestWhenAllIsRefusedTheRequestsAreBounded(t *testing.T) {
	each(t, boundedRequests, boundedRequests, boundedRequests)
}

func boundedRequests[T any](t *testing.T, trial trial[T]) {
	const all, splits = 5000, 20
	r := assemble(t, trial, func(cfg *Config) { cfg.MaxSplits = splits }, func([]string, int) reply {
		return reply{status: http.StatusUnprocessableEntity}
	})
	names := numbered(all)
	if left := r.send(t, names, 0); left != nil {
		t.Errorf("%d are left", len(left))
	}
	if _, requests := r.backend.seen(); requests != 1+2*splits {
		t.Errorf("%d requests", requests)
	}
	r.expectRefused(t, map[string]int64{"422": all})
	kept := slices.Concat(r.letters.names["status_422"], r.letters.names[reasonMaxSplits])
	expectSame(t, "dead letters", kept, names)
	if len(r.letters.names[reasonMaxSplits]) == 0 || len(r.letters.names["status_422"]) == 0 {
		t.Error("the two reasons are not distinguished")
	}
}

func TestWithoutSplitsABatchGoesWhole(t *testing.T) {
	r := assemble(t, logTrial(), func(cfg *Config) { cfg.MaxSplits = 0 }, dislikes(http.StatusBadRequest))
	names := numbered(100, 50)
	r.send(t, names, 0)
	expectSame(t, "dead letters", r.letters.names[reasonMaxSplits], names)
	r.expectRefused(t, map[string]int64{"400": 100})
}

// TestStatusesOfTheEndpointHoldABatch has them all: none of them may cost a record.
func TestStatusesOfTheEndpointHoldABatch(t *testing.T) {
	about := map[int]verdict{
		400: refused, 409: refused, 412: refused, 413: refused, 416: refused, 418: refused,
		422: refused, 423: refused, 424: refused, 429: throttled, 500: broken, 501: broken,
	}
	for status := 100; status < 600; status++ {
		want, listed := about[status]
		switch {
		case listed:
		case status >= 200 && status <= 299:
			want = taken
		case status >= 400 && status <= 499 && http.StatusText(status) == "":
			want = refused // of no meaning that could be the endpoint's
		default:
			want = unavailable
		}
		if got := verdictOf(status); got != want {
			t.Errorf("%d %s is %d, not %d", status, http.StatusText(status), got, want)
		}
	}
	for _, status := range []int{401, 403, 404, 405, 407, 408, 502, 503, 504, 507, 304} {
		r := assemble(t, logTrial(), nil, dislikes(status))
		names := numbered(100, 50)
		expectSame(t, "what is left", r.send(t, names, 2), names)
		if _, requests := r.backend.seen(); requests != 3 {
			t.Errorf("%d: %d requests", status, requests)
		}
		if r.letters.puts != 0 {
			t.Errorf("%d: something is set aside", status)
		}
		r.expectRefused(t, map[string]int64{})
	}
}

func TestABackendThatCannotBeReachedLeavesAll(t *testing.T) {
	r := assemble(t, logTrial(), nil, dislikes(http.StatusBadRequest))
	r.backend.Close()
	names := numbered(100)
	expectSame(t, "what is left", r.send(t, names, 3), names)
	if len(r.watch.waits) != 0 {
		t.Error("the wait is not left to the helper")
	}
}

func TestABackendThatIsUnavailableNowAndThenSeesABatchHalvedToItsEnd(t *testing.T) {
	each(t, awayNowAndThen, awayNowAndThen, awayNowAndThen)
}

func awayNowAndThen[T any](t *testing.T, trial trial[T]) {
	// Every third request finds the backend away.
	turn := 0
	r := assemble(t, trial, nil, func(names []string, size int) reply {
		if turn++; turn%3 == 0 {
			return reply{status: http.StatusServiceUnavailable}
		}
		return dislikes(http.StatusBadRequest)(names, size)
	})
	names := numbered(1000, 10, 700)
	if left := r.send(t, names, 5); left != nil {
		t.Errorf("%d are left", len(left))
	}
	stored, _ := r.backend.seen()
	if !slices.Equal(stored, good(names)) {
		expectSame(t, "stored", stored, good(names))
		t.Error("the order is lost")
	}
	for _, wait := range r.watch.waits {
		if wait > time.Second { // the first of the backoff, because others were answered between
			t.Errorf("a wait of %v", wait)
		}
	}
	r.expectRefused(t, map[string]int64{"400": 2})
	expectSame(t, "dead letters", r.letters.names["status_400"], onlyBad(names))
}

func TestABackendThatGoesAwayMidwayIsNotAskedWithoutEnd(t *testing.T) {
	r := assemble(t, logTrial(), nil, nil)
	var away time.Time
	r.backend.say = func(names []string, size int) reply {
		if len(names) == 1000 {
			away = r.watch.now().Add(10 * time.Minute)
		} else if r.watch.now().Before(away) {
			return reply{status: http.StatusBadGateway}
		}
		return dislikes(http.StatusBadRequest)(names, size)
	}
	names := numbered(1000, 700)
	if left := r.send(t, names, 0); left != nil {
		t.Errorf("%d are left", len(left))
	}
	r.expectStored(t, good(names))
	r.expectRefused(t, map[string]int64{"400": 1})
	if _, requests := r.backend.seen(); requests > 150 { // every 5 to 15 s, then the halving
		t.Errorf("%d requests", requests)
	}
}

// TestAnErrorCarriesOnlyTheRest: with an end to retries the helper has to keep the time.
func TestAnErrorCarriesOnlyTheRest(t *testing.T) {
	turn := 0
	r := assemble(t, logTrial(), func(cfg *Config) { cfg.RetryConfig.MaxElapsedTime = time.Hour }, func(names []string, size int) reply {
		if turn++; turn == 4 {
			return reply{status: http.StatusServiceUnavailable, header: map[string]string{"Retry-After": "9"}}
		}
		return dislikes(http.StatusBadRequest)(names, size)
	})
	names := numbered(8, 7)
	err := r.push(t.Context(), r.make(names)) // 8: refused; 4: taken; 4: refused; 2: away
	data, ok := r.unsettled(err)
	if !ok {
		t.Fatalf("%v carries nothing", err)
	}
	expectSame(t, "what is left", r.names(data), names[4:])
	r.expectStored(t, names[:4])
	if !strings.HasPrefix(err.Error(), "Throttle (9s)") {
		t.Errorf("%v does not say to the helper how long to wait", err)
	}
	fatal(t, r.push(t.Context(), data))
	r.expectStored(t, good(names))
}

func TestARequestThatIsTooLargeIsSentInParts(t *testing.T) {
	const most = 64 << 10
	t.Run("because the backend says so", func(t *testing.T) {
		r := assemble(t, logTrial(), func(cfg *Config) { cfg.MaxRequestBytes = 0 }, func(names []string, size int) reply {
			if size > most {
				return reply{status: http.StatusRequestEntityTooLarge}
			}
			return reply{status: http.StatusOK}
		})
		names := numbered(5000)
		r.send(t, names, 0)
		r.expectStored(t, names)
		r.expectRefused(t, map[string]int64{})
	})
	t.Run("because of max_request_bytes", func(t *testing.T) {
		r := assemble(t, logTrial(), func(cfg *Config) { cfg.MaxRequestBytes, cfg.MaxSplits = most, 0 },
			func([]string, int) reply { return reply{status: http.StatusOK} })
		names := append(numbered(5000), strings.Repeat("x", 2*most))
		r.send(t, names, 0)
		r.expectStored(t, names) // the last one alone, although it is too large
		larger := slices.DeleteFunc(slices.Clone(r.backend.sizes), func(size int) bool { return size <= most })
		if len(larger) != 1 || larger[0] > 3*most || len(r.backend.sizes) < 5 {
			t.Errorf("requests have %v bytes", r.backend.sizes)
		}
	})
}

func TestABatchOverTheBurstGetsThrough(t *testing.T) {
	const burst = 100 << 10
	r := assemble(t, logTrial(), nil, func(names []string, size int) reply {
		if size > burst {
			return reply{status: http.StatusTooManyRequests}
		}
		return reply{status: http.StatusOK}
	})
	names := numbered(5000)
	r.send(t, names, 0)
	r.expectStored(t, names)
	r.expectRefused(t, map[string]int64{})
	if waited := r.watch.waited(); waited > 2*time.Minute {
		t.Errorf("it took %v", waited)
	}
}

func TestAThrottledRecordHoldsNobodyUp(t *testing.T) {
	each(t, holdsNobodyUp, holdsNobodyUp, holdsNobodyUp)
}

func holdsNobodyUp[T any](t *testing.T, trial trial[T]) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusInternalServerError, 0} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			r := assemble(t, trial, nil, nil)
			names := numbered(300, 111)
			var othersAt time.Time
			r.backend.say = func(names []string, size int) reply {
				said := dislikes(status)(names, size)
				if said.status == http.StatusOK {
					othersAt = r.watch.now()
				}
				return said
			}
			start := r.watch.now()
			if left := r.send(t, names, 0); left != nil {
				t.Errorf("%d are left", len(left))
			}
			r.expectStored(t, good(names))
			label, reason := "429", "status_429"
			switch status {
			case http.StatusInternalServerError:
				label, reason = "500", "status_500"
			case 0:
				label, reason = statusNoAnswer, statusNoAnswer
			}
			r.expectRefused(t, map[string]int64{label: 1})
			expectSame(t, "dead letters", r.letters.names[reason], onlyBad(names))
			last := r.watch.now().Sub(othersAt)
			if last < r.config.ThrottledFor || last > r.config.ThrottledFor+30*time.Second {
				t.Errorf("the record was given up %v after the others were stored", last)
			}
			if took := othersAt.Sub(start); took > 20*time.Minute {
				t.Errorf("the others took %v", took)
			}
			r.expectQuiet(t)
			if r.logged.FilterMessageSnippet("puts records off").Len() == 0 {
				t.Error("nothing reports the waits")
			}
		})
	}
}

func TestWhatPassesCostsNothing(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusInternalServerError, 0} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			r := assemble(t, logTrial(), nil, nil)
			until := r.watch.now().Add(30 * time.Minute)
			if status == http.StatusTooManyRequests {
				until = r.watch.now().Add(5 * time.Minute)
			}
			r.backend.say = func([]string, int) reply {
				if r.watch.now().Before(until) {
					return reply{status: status}
				}
				return reply{status: http.StatusOK}
			}
			names := numbered(100)
			if left := r.send(t, names, 0); left != nil {
				t.Errorf("%d are left", len(left))
			}
			r.expectStored(t, names)
			r.expectRefused(t, map[string]int64{})
			_, requests := r.backend.seen()
			// Not more often than twice a second, whatever the number of pieces, but for the
			// halves, which are tried once at once.
			if most := 2*int(until.Sub(time.Unix(1_800_000_000, 0)).Seconds()) + 3*len(names); requests > most {
				t.Errorf("%d requests, over %d", requests, most)
			}
		})
	}
}

func TestARecordThatGets500WhileNothingElseGoesIsGivenUpInTheEnd(t *testing.T) {
	r := assemble(t, logTrial(), nil, dislikes(http.StatusInternalServerError))
	r.send(t, numbered(1, 0), 0)
	r.expectRefused(t, map[string]int64{"500": 1})
	if waited := r.watch.waited(); waited < hopelessTimes*r.config.ThrottledFor {
		t.Errorf("it was given up after %v", waited)
	}
}

func TestARecordThatGetsNoAnswerWhileNothingElseGoesIsNotGivenUp(t *testing.T) {
	r := assemble(t, logTrial(), nil, nil)
	back := r.watch.now().Add(2 * hopelessTimes * r.config.ThrottledFor)
	r.backend.say = func([]string, int) reply {
		if r.watch.now().Before(back) {
			return reply{} // hangs up
		}
		return reply{status: http.StatusOK}
	}
	r.send(t, numbered(1), 0)
	r.expectStored(t, numbered(1))
	r.expectRefused(t, map[string]int64{})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for name, one := range map[string]struct {
		header      string
		least, most time.Duration
	}{
		"none":         {"", 250 * time.Millisecond, 750 * time.Millisecond},
		"seconds":      {"7", 7 * time.Second, 7 * time.Second},
		"too long":     {"86400", 10 * time.Second, 10 * time.Second},
		"date":         {"in 8 seconds", 6 * time.Second, 8 * time.Second},
		"past":         {time.Unix(0, 0).UTC().Format(http.TimeFormat), 250 * time.Millisecond, 750 * time.Millisecond},
		"no number":    {"soon", 250 * time.Millisecond, 750 * time.Millisecond},
		"negative":     {"-5", 250 * time.Millisecond, 750 * time.Millisecond},
		"out of range": {"99999999999999999999", 250 * time.Millisecond, 750 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			first := true
			r := assemble(t, logTrial(), nil, func([]string, int) reply {
				if !first {
					return reply{status: http.StatusOK}
				}
				first = false
				header := one.header
				if strings.HasPrefix(header, "in ") {
					header = time.Now().Add(8 * time.Second).UTC().Format(http.TimeFormat)
				}
				return reply{status: http.StatusTooManyRequests, header: map[string]string{"Retry-After": header}}
			})
			r.send(t, numbered(3), 0)
			r.expectStored(t, numbered(3))
			if len(r.watch.waits) != 1 || r.watch.waits[0] < one.least || r.watch.waits[0] > one.most {
				t.Errorf("waits are %v", r.watch.waits)
			}
		})
	}
}

func TestPartialSuccessIsCountedAsReported(t *testing.T) {
	each(t, partialSuccess, partialSuccess, partialSuccess)
}

func partialSuccess[T any](t *testing.T, trial trial[T]) {
	for rejected, want := range map[int64]int64{0: 0, 1: 1, 3: 3, 10: 10, 1 << 40: 10, -5: 0} {
		r := assemble(t, trial, nil, func([]string, int) reply {
			return reply{status: http.StatusOK, rejected: rejected}
		})
		for range 2 {
			r.send(t, numbered(10), 0)
		}
		wanted := map[string]int64{}
		if want > 0 {
			wanted[statusPartial] = 2 * want
		}
		r.expectRefused(t, wanted)
		if lines := r.logged.FilterMessageSnippet("only a part").Len(); lines != int(min(want, 1)) {
			t.Errorf("%d lines for %d", lines, rejected)
		}
		if r.letters.puts != 0 {
			t.Error("something is set aside")
		}
		r.expectQuiet(t)
		if _, requests := r.backend.seen(); requests != 2 {
			t.Errorf("%d requests", requests)
		}
	}
}

func TestDeadLettersThatFailAreCountedAndLogged(t *testing.T) {
	for name, without := range map[string]bool{"failing": false, "none": true} {
		t.Run(name, func(t *testing.T) {
			r := assemble(t, logTrial(), func(cfg *Config) {
				if without {
					cfg.DeadLetter = nil
				}
			}, dislikes(http.StatusBadRequest))
			r.letters.err = errors.New("disk full")
			names := numbered(100, 3, 50, 99)
			if left := r.send(t, names, 0); left != nil {
				t.Errorf("%d are left", len(left))
			}
			r.expectStored(t, good(names))
			r.expectRefused(t, map[string]int64{"400": 3})
			if n := r.logged.FilterMessageSnippet("They are lost").Len(); n != 1 || r.logged.Len() != 1 {
				t.Errorf("%d lines of %d say so", n, r.logged.Len())
			}
			r.expectQuiet(t)
		})
	}
}

func TestAStopEndsTheWaitAndKeepsTheRest(t *testing.T) {
	r := assemble(t, logTrial(), nil, dislikes(http.StatusTooManyRequests))
	waiting := make(chan struct{}, 100)
	r.after = func(d time.Duration) <-chan time.Time {
		if d > time.Second { // not the first ones, so that the batch has been halved
			waiting <- struct{}{}
			return nil
		}
		return r.watch.after(d)
	}
	go func() {
		<-waiting
		r.stop()
		r.stop()
	}()
	names := numbered(100, 40)
	left := r.send(t, names, 0)
	stored, _ := r.backend.seen()
	if len(onlyBad(left)) != 1 {
		t.Errorf("left are %v", left)
	}
	expectSame(t, "stored and left", slices.Concat(stored, left), names)
	// After the stop a batch is tried, but not waited for.
	expectSame(t, "what is left", r.send(t, numbered(5, 1), 1), numbered(5, 1))
	r.send(t, numbered(5), 0)
}

func TestAStopDoesNotTryEachPieceOfABackendInTrouble(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable, 0} {
		r := assemble(t, logTrial(), nil, nil)
		r.backend.say = func(names []string, _ int) reply {
			if len(names) == 8 {
				return reply{status: http.StatusBadRequest}
			}
			r.stop()
			return reply{status: status}
		}
		expectSame(t, "what is left", r.send(t, numbered(8), 0), numbered(8))
		if _, requests := r.backend.seen(); requests != 2 {
			t.Errorf("%d: %d requests", status, requests)
		}
	}
}

func TestAContextThatEndsKeepsTheRest(t *testing.T) {
	r := assemble(t, metricTrial(), nil, dislikes(http.StatusTooManyRequests))
	ctx, cancel := contextWithCancel(t)
	r.after = func(time.Duration) <-chan time.Time { cancel(); return nil }
	err := r.push(ctx, r.make(numbered(10, 3)))
	data, ok := r.unsettled(err)
	if !ok {
		t.Fatalf("%v carries nothing", err)
	}
	expectSame(t, "what is left", r.names(data), numbered(10, 3))
}

func TestNothingIsLostOfNothing(t *testing.T) {
	r := assemble(t, metricTrial(), nil, func([]string, int) reply { return reply{status: http.StatusBadRequest} })
	fatal(t, r.push(t.Context(), pmetric.NewMetrics()))
	r.expectRefused(t, map[string]int64{})
	if r.letters.puts != 0 || r.logged.Len() != 0 {
		t.Error("nothing is set aside as if it were something")
	}
}
