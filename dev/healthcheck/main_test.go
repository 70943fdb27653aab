// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The program of the container, as /proc shows it: 1 is the engine's init, 7 its child, 12 the child's
// child, 40 a check.
const program = 7

type killed struct {
	pid    int
	signal syscall.Signal
}

// rig is a container without an engine: a folder in place of /proc, and what was killed.
type rig struct {
	t      *testing.T
	folder string
	kills  []killed
	// What the container's log said when the program was killed: what comes later may not be written.
	saidBefore string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	folder := t.TempDir()
	for pid, parent := range map[int]int{1: 0, 12: 7, 9: 1, program: 1, 40: 0} {
		place := filepath.Join(folder, fmt.Sprint(pid))
		if err := os.MkdirAll(filepath.Join(place, "fd"), 0o755); err != nil {
			t.Fatal(err)
		}
		writeStat(t, folder, pid, "S", parent)
	}
	if err := os.WriteFile(filepath.Join(folder, "1", "fd", "2"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, folder: folder}
}

func writeStat(t *testing.T, folder string, pid int, state string, parent int) {
	t.Helper()
	// A name may look like what comes behind it.
	stat := fmt.Sprintf("%d (a) T 1 (b) %s %d 1 1 0\n", pid, state, parent)
	if err := os.WriteFile(filepath.Join(folder, fmt.Sprint(pid), "stat"), []byte(stat), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) check(now time.Time, arguments ...string) error {
	r.t.Helper()
	given := append([]string{"-proc=" + r.folder, "-state=" + filepath.Join(r.folder, "state"), "-timeout=2s", "-kill-after=3"}, arguments...)
	chosen, err := parse(given, io.Discard)
	if err != nil {
		r.t.Fatal(err)
	}
	return run(chosen, now, func(pid int, signal syscall.Signal) error {
		r.kills = append(r.kills, killed{pid, signal})
		r.saidBefore = r.log()
		return nil
	})
}

func (r *rig) expectKills(number int) {
	r.t.Helper()
	for _, one := range r.kills {
		if one != (killed{program, syscall.SIGKILL}) {
			r.t.Errorf("killed %v, not the container's program", one)
		}
	}
	if len(r.kills) != number {
		r.t.Fatalf("killed %d times, not %d", len(r.kills), number)
	}
}

func (r *rig) log() string {
	r.t.Helper()
	content, err := os.ReadFile(filepath.Join(r.folder, "1", "fd", "2"))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(content)
}

func answering(status int) *atomic.Int64 {
	given := new(atomic.Int64)
	given.Store(int64(status))
	return given
}

// server answers with a status; 0 is no answer at all.
func server(t *testing.T, status *atomic.Int64) string {
	t.Helper()
	done := make(chan struct{})
	made := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		now := int(status.Load())
		if now == 0 {
			select {
			case <-request.Context().Done():
			case <-done:
			}
			return
		}
		answer.WriteHeader(now)
	}))
	t.Cleanup(made.Close)
	t.Cleanup(func() { close(done) })
	return made.URL
}

func TestAProgramThatNoLongerAnswersIsEndedAtTheThirdCheck(t *testing.T) {
	status, r := answering(200), newRig(t)
	url := "-url=" + server(t, status)
	if err := r.check(time.Now(), url, "-timeout=200ms"); err != nil {
		t.Fatalf("it answers: %v", err)
	}
	status.Store(0)
	for number, kills := range []int{0, 0, 1} {
		if err := r.check(time.Now(), url, "-timeout=200ms"); err == nil {
			t.Fatalf("check %d: healthy without an answer", number)
		}
		r.expectKills(kills)
	}
	if !strings.Contains(r.saidBefore, "3 checks without an answer") {
		t.Errorf("the container's log did not say why before its end: %q, then %q", r.saidBefore, r.log())
	}
}

func TestAfterAKillTheCountStartsAgain(t *testing.T) {
	r := newRig(t)
	file := filepath.Join(r.folder, "alive")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	late := time.Now().Add(time.Hour)
	r.check(time.Now(), "-file="+file)
	for range 3 {
		r.check(late, "-file="+file)
	}
	r.expectKills(1)
	// The program that starts now has never answered.
	for range 5 {
		r.check(late, "-file="+file)
	}
	r.expectKills(1)
}

func TestAnAnswerBetweenStartsTheCountAgain(t *testing.T) {
	status, r := answering(200), newRig(t)
	url := "-url=" + server(t, status)
	for _, next := range []int{200, 0, 0, 200, 0, 0} {
		status.Store(int64(next))
		r.check(time.Now(), url, "-timeout=200ms")
	}
	r.expectKills(0)
}

func TestAProgramThatHasNotAnsweredYetIsLeftAlone(t *testing.T) {
	r := newRig(t)
	for range 10 {
		if err := r.check(time.Now(), "-url=http://127.0.0.1:1/"); err == nil {
			t.Fatal("healthy without a listener")
		}
	}
	r.expectKills(0)
}

func TestAProgramThatSaysItIsUnhealthyIsLeftAlone(t *testing.T) {
	status, r := answering(200), newRig(t)
	url := "-url=" + server(t, status)
	r.check(time.Now(), url)
	status.Store(503)
	for range 10 {
		if err := r.check(time.Now(), url); err == nil || !strings.Contains(err.Error(), "2xx") {
			t.Fatalf("%v", err)
		}
	}
	r.expectKills(0)
}

func TestWhatSaysThatItRunsMayBeSlowToSayHowItIs(t *testing.T) {
	slow, runs, r := answering(0), answering(200), newRig(t)
	arguments := []string{"-url=" + server(t, slow), "-alive=" + server(t, runs), "-timeout=300ms"}
	for range 5 {
		if err := r.check(time.Now(), arguments...); err == nil {
			t.Fatal("healthy without an answer")
		}
	}
	r.expectKills(0)
	runs.Store(0)
	for range 3 {
		r.check(time.Now(), arguments...)
	}
	r.expectKills(1)
}

func TestACommandsExitCodeIsItsAnswer(t *testing.T) {
	for script, expected := range map[string]verdict{
		"exit 0":             {alive: true, healthy: true},
		"exit 1":             {alive: true},
		"exit 2":             {},
		"sleep 60":           {},
		"kill -9 $$; exit 0": {},
	} {
		r := newRig(t)
		chosen, err := parse([]string{"-timeout=300ms", "sh", "-c", script}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		found := check(chosen, time.Now())
		if found.alive != expected.alive || found.healthy != expected.healthy {
			t.Errorf("%q: %+v", script, found)
		}
		r.expectKills(0)
	}
}

func TestAFileThatIsNotWrittenAnyMoreIsNoSignOfLife(t *testing.T) {
	r := newRig(t)
	file := filepath.Join(r.folder, "alive")
	if err := r.check(time.Now(), "-file="+file); err == nil {
		t.Fatal("healthy without a file")
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.check(time.Now().Add(59*time.Second), "-file="+file); err != nil {
		t.Fatal(err)
	}
	if err := r.check(time.Now().Add(62*time.Second), "-file="+file); err == nil {
		t.Fatal("healthy with an old file")
	}
}

func TestAProgramThatASignalStoppedHangsThoughItsChildrenAnswer(t *testing.T) {
	status, r := answering(200), newRig(t)
	url := "-url=" + server(t, status)
	writeStat(t, r.folder, 12, "T", program) // a child of it says nothing of the program
	if err := r.check(time.Now(), url); err != nil {
		t.Fatal(err)
	}
	writeStat(t, r.folder, program, "T", 1)
	for range 3 {
		if err := r.check(time.Now(), url); err == nil || !strings.Contains(err.Error(), "process 7 is stopped") {
			t.Fatalf("%v", err)
		}
	}
	r.expectKills(1)
}

// watched runs a whole check by a clock of its own. answers are what the program says, one a look.
func (r *rig) watched(answers ...int) (looks int, slept []time.Duration, err error) {
	r.t.Helper()
	status := answering(answers[0])
	url := server(r.t, status)
	chosen, err := parse([]string{
		"-proc=" + r.folder, "-state=" + filepath.Join(r.folder, "state"), "-url=" + url, "-timeout=200ms",
		"-stay=1m", "-every=15s", "-kill-after=3",
	}, io.Discard)
	if err != nil {
		r.t.Fatal(err)
	}
	now := time.Now()
	looks = 1
	err = watch(chosen, func() time.Time { return now }, func(d time.Duration) {
		slept = append(slept, d)
		now = now.Add(d)
		status.Store(int64(answers[min(looks, len(answers)-1)]))
		looks++
	}, func(pid int, signal syscall.Signal) error {
		r.kills = append(r.kills, killed{pid, signal})
		return nil
	})
	return looks, slept, err
}

func TestACheckOfAHealthyProgramStays(t *testing.T) {
	r := newRig(t)
	// Who waits for the program receives at once that it is healthy.
	if looks, _, err := r.watched(200); looks != 1 || err != nil {
		t.Fatalf("the first check: %d looks, %v", looks, err)
	}
	looks, slept, err := r.watched(200)
	if looks != 4 || err != nil {
		t.Fatalf("a later check: %d looks, %v", looks, err)
	}
	for _, one := range slept {
		if one != 15*time.Second {
			t.Errorf("looked again after %s", one)
		}
	}
}

func TestAStayEndsWhenTheProgramIsNotHealthyAnyMore(t *testing.T) {
	r := newRig(t)
	r.watched(200)
	if looks, _, err := r.watched(200, 503); looks != 2 || err == nil {
		t.Fatalf("%d looks, %v", looks, err)
	}
	if looks, _, err := r.watched(200); looks != 1 || err != nil {
		t.Fatalf("when it is healthy again: %d looks, %v", looks, err)
	}
}

func TestAProgramThatHangsDuringAStayIsEndedAtTheThirdLook(t *testing.T) {
	r := newRig(t)
	r.watched(200)
	for number, expected := range []int{2, 1, 1} {
		r.expectKills(0)
		if looks, _, err := r.watched([]int{200, 0}[min(number, 1)], 0); looks != expected || err == nil {
			t.Fatalf("check %d: %d looks, %v", number, looks, err)
		}
	}
	r.expectKills(1)
}

func TestWithoutTheOptionFiveChecksAreWaitedFor(t *testing.T) {
	chosen, err := parse([]string{"true"}, io.Discard)
	if err != nil || chosen.killAfter != 5 {
		t.Fatalf("%d, %v", chosen.killAfter, err)
	}
}

func TestKillingCanBeTurnedOff(t *testing.T) {
	r := newRig(t)
	file := filepath.Join(r.folder, "alive")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.check(time.Now(), "-file="+file, "-kill-after=0")
	for range 6 {
		r.check(time.Now().Add(time.Hour), "-file="+file, "-kill-after=0")
	}
	r.expectKills(0)
}

func TestOneThingIsChecked(t *testing.T) {
	for _, arguments := range [][]string{{}, {"-url=x", "-file=y"}, {"-file=y", "true"}} {
		if _, err := parse(arguments, io.Discard); err == nil || !strings.Contains(err.Error(), "give one of") {
			t.Errorf("%v: %v", arguments, err)
		}
	}
}

func TestInstallReplacesWhatIsThere(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, name), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := install(folder); err != nil {
		t.Fatal(err)
	}
	found, err := os.Stat(filepath.Join(folder, name))
	if err != nil || found.Size() < 1000 || found.Mode().Perm() != 0o755 {
		t.Fatalf("%v %v", found, err)
	}
}
