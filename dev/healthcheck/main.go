// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Command healthcheck asks the program of its container whether it is healthy, and ends a program
// that hangs: the engine starts a container again that ended, but none that is unhealthy.
//
// It is for images without a shell, so it does everything itself. `healthcheck install FOLDER`
// copies it to where other containers find it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const name = "healthcheck"

// What a check found. A program that answers is alive, though it may say that it is unhealthy.
type verdict struct {
	alive   bool
	healthy bool
	reason  string
}

// state is what one check leaves for the next. It is gone when the container starts again.
type state struct {
	// AliveBefore: a program that never answered is still starting, which may take long.
	AliveBefore bool `json:"alive_before"`
	Healthy     bool `json:"healthy"`
	Silent      int  `json:"silent"`
}

type options struct {
	url, alive, file string
	age, timeout     time.Duration
	stay, every      time.Duration
	killAfter        int
	state, proc      string
	command          []string
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "install" {
		exit(install(os.Args[2]))
	}
	chosen, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		exit(err)
	}
	exit(watch(chosen, time.Now, time.Sleep, syscall.Kill))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func parse(arguments []string, output io.Writer) (options, error) {
	var chosen options
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(output)
	flags.StringVar(&chosen.url, "url", "", "healthy when it answers 2xx")
	flags.StringVar(&chosen.alive, "alive", "", "alive when it answers at all; by default as -url")
	flags.StringVar(&chosen.file, "file", "", "alive and healthy while the program writes it")
	flags.DurationVar(&chosen.age, "age", time.Minute, "of -file, at most")
	flags.DurationVar(&chosen.timeout, "timeout", 8*time.Second, "of one question")
	flags.DurationVar(&chosen.stay, "stay", 2*time.Minute, "go on for that long while it is healthy; 0: check once")
	flags.DurationVar(&chosen.every, "every", 15*time.Second, "between the checks of one stay")
	flags.IntVar(&chosen.killAfter, "kill-after", 5, "checks in a row without an answer; 0: never")
	flags.StringVar(&chosen.state, "state", filepath.Join(os.TempDir(), "."+name), "where to keep what was found")
	flags.StringVar(&chosen.proc, "proc", "/proc", "where the processes are")
	if err := flags.Parse(arguments); err != nil {
		return options{}, err
	}
	chosen.command = flags.Args()
	ways := 0
	for _, given := range []bool{chosen.url != "", chosen.file != "", len(chosen.command) > 0} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return options{}, errors.New("give one of -url, -file and a command: what is to be checked")
	}
	return chosen, nil
}

// watch checks now, and for as long as the program is healthy and the stay lasts. To begin a check costs
// the engine and the container a hundred times what the question does, so one that has begun stays.
// What changes is said at once: a program that is not healthy any more, one that is so again.
func watch(chosen options, now func() time.Time, sleep func(time.Duration), kill func(int, syscall.Signal) error) error {
	end := now().Add(chosen.stay)
	stays := load(chosen.state).Healthy
	for {
		err := run(chosen, now(), kill)
		if err != nil || !stays || !now().Add(chosen.every).Before(end) {
			return err
		}
		sleep(chosen.every)
	}
}

// run makes one check. It returns an error when the program is not healthy.
func run(chosen options, now time.Time, kill func(int, syscall.Signal) error) error {
	found := check(chosen, now)
	program, stopped, _ := mainProgram(chosen.proc)
	if stopped {
		// Children of it may still answer, as those of nginx do, but nobody looks after them.
		found = verdict{reason: fmt.Sprintf("process %d is stopped", program)}
	}
	before := load(chosen.state)
	after := state{AliveBefore: before.AliveBefore || found.alive, Healthy: found.healthy}
	if !found.alive {
		after.Silent = before.Silent + 1
	}
	if chosen.killAfter > 0 && after.AliveBefore && after.Silent >= chosen.killAfter {
		end(chosen, found.reason, after.Silent, kill)
		after = state{}
	}
	if err := save(chosen.state, after); err != nil {
		return err
	}
	if !found.healthy {
		return errors.New(found.reason)
	}
	return nil
}

func check(chosen options, now time.Time) verdict {
	ctx, cancel := context.WithTimeout(context.Background(), chosen.timeout)
	defer cancel()
	switch {
	case chosen.file != "":
		return fresh(chosen.file, chosen.age, now)
	case chosen.url != "":
		return asked(ctx, chosen)
	default:
		return ran(ctx, chosen.command)
	}
}

func fresh(file string, age time.Duration, now time.Time) verdict {
	found, err := os.Stat(file)
	if err != nil {
		return verdict{reason: err.Error()}
	}
	if old := now.Sub(found.ModTime()); old > age {
		return verdict{reason: fmt.Sprintf("%s was written %s ago", file, old.Round(time.Second))}
	}
	return verdict{alive: true, healthy: true}
}

func asked(ctx context.Context, chosen options) verdict {
	healthy, err := get(ctx, chosen.url)
	found := verdict{alive: err == nil, healthy: healthy}
	if err != nil {
		found.reason = err.Error()
	} else if !healthy {
		found.reason = chosen.url + " does not answer 2xx"
	}
	if chosen.alive != "" && !found.healthy {
		// Slow to say how it is, but it runs: with the time that the first question left over none
		// would be left.
		again, cancel := context.WithTimeout(context.Background(), chosen.timeout)
		defer cancel()
		_, err := get(again, chosen.alive)
		found.alive = err == nil
	}
	return found
}

func get(ctx context.Context, url string) (bool, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	return answer.StatusCode/100 == 2, nil
}

func ran(ctx context.Context, command []string) verdict {
	program := exec.CommandContext(ctx, command[0], command[1:]...)
	program.WaitDelay = time.Second
	output, err := program.CombinedOutput()
	if err == nil {
		return verdict{alive: true, healthy: true}
	}
	last := strings.TrimSpace(string(output))
	if ctx.Err() != nil {
		last = "no answer in time"
	}
	// Postgres' own check ends with 1 while it is starting, with 2 when there is no answer.
	var ended *exec.ExitError
	alive := errors.As(err, &ended) && ended.ExitCode() == 1
	return verdict{alive: alive, reason: fmt.Sprintf("%s: %v: %s", command[0], err, last)}
}

// end kills the container's program. The engine's init ends with it, and so does the container, with this
// check in it: what is to be said is said before.
func end(chosen options, reason string, silent int, kill func(int, syscall.Signal) error) {
	program, _, err := mainProgram(chosen.proc)
	if err == nil {
		say(chosen, fmt.Sprintf("%d checks without an answer (%s): the program is ended, to be started again", silent, reason))
		err = kill(program, syscall.SIGKILL)
	}
	if err != nil {
		say(chosen, fmt.Sprintf("a program that hangs cannot be ended: %v", err))
	}
}

// say writes a line to where the engine keeps what checks found, and into the container's log, where
// somebody looks for why it started again.
func say(chosen options, text string) {
	line := fmt.Sprintf("%s: %s\n", name, text)
	fmt.Fprint(os.Stderr, line)
	if log, err := os.OpenFile(filepath.Join(chosen.proc, "1", "fd", "2"), os.O_WRONLY|os.O_APPEND, 0); err == nil {
		fmt.Fprint(log, line)
		log.Close()
	}
}

// mainProgram returns the first child of the container's first process, which is the engine's init, and
// whether a signal has stopped it. What the engine itself starts in a running container, such as this check, has no parent in it.
func mainProgram(proc string) (int, bool, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return 0, false, err
	}
	first, stopped := 0, false
	for _, entry := range entries {
		number, err := strconv.Atoi(entry.Name())
		if err != nil || number == 1 {
			continue
		}
		status, err := os.ReadFile(filepath.Join(proc, entry.Name(), "stat"))
		if err != nil {
			continue // it has just ended
		}
		// The name stands in brackets and may hold blanks and brackets itself.
		_, rest, _ := strings.Cut(string(status[max(0, strings.LastIndexByte(string(status), ')')):]), " ")
		fields := strings.Fields(rest)
		if len(fields) > 1 && fields[1] == "1" && (first == 0 || number < first) {
			first, stopped = number, fields[0] == "T"
		}
	}
	if first == 0 {
		return 0, false, errors.New("the first process has no child: the container needs `init: true`")
	}
	return first, stopped, nil
}

func load(path string) state {
	var found state
	content, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(content, &found) != nil {
		return state{}
	}
	return found
}

func save(path string, found state) error {
	content, err := json.Marshal(found)
	if err != nil {
		return err
	}
	return replace(path, content, 0o600)
}

// install copies this program into a folder, under its name there at once or not at all.
func install(folder string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	content, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	return replace(filepath.Join(folder, name), content, 0o755)
}

func replace(path string, content []byte, mode os.FileMode) error {
	unfinished := path + ".new"
	if err := os.WriteFile(unfinished, content, mode); err != nil {
		return err
	}
	return os.Rename(unfinished, path)
}
