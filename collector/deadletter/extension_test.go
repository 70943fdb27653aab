// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"
)

const secret = "what the record says"

// rig is an extension with all that it reports.
type rig struct {
	*deadLetter
	telemetry *componenttest.Telemetry
	logged    *observer.ObservedLogs
	now       time.Time
}

func newRig(t *testing.T, directory string) *rig {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.Directory = directory
	fatal(t, cfg.Validate())
	core, logged := observer.New(zap.DebugLevel)
	r := &rig{telemetry: componenttest.NewTelemetry(), logged: logged, now: time.Unix(1_800_000_000, 5).UTC()}
	set := extension.Settings{
		ID: component.NewID(componentType), TelemetrySettings: r.telemetry.NewTelemetrySettings(),
	}
	set.Logger = zap.New(core)
	made, err := NewFactory().Create(t.Context(), set, cfg)
	fatal(t, err)
	r.deadLetter = made.(*deadLetter)
	r.clock = func() time.Time { return r.now }
	return r
}

func start(t *testing.T, directory string) *rig {
	t.Helper()
	r := newRig(t, directory)
	fatal(t, r.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { fatal(t, r.Shutdown(t.Context())) })
	return r
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func someLogs(bodies ...string) plog.Logs {
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, body := range bodies {
		records.AppendEmpty().Body().SetStr(body)
	}
	return logs
}

type document struct {
	Time   time.Time       `json:"time"`
	Reason string          `json:"reason"`
	Source string          `json:"source"`
	Signal string          `json:"signal"`
	Items  int             `json:"items"`
	OTLP   json.RawMessage `json:"otlp"`
}

func read(t *testing.T, path string) []document {
	t.Helper()
	content, err := os.ReadFile(path)
	fatal(t, err)
	if !utf8.Valid(content) {
		t.Error("the file is not UTF-8")
	}
	var found []document
	scanner := bufio.NewScanner(bytes.NewReader(content))
	scanner.Buffer(nil, 1<<24)
	for scanner.Scan() {
		var one document
		decoder := json.NewDecoder(bytes.NewReader(scanner.Bytes()))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&one); err != nil {
			t.Fatalf("%v in %q", err, scanner.Text())
		}
		found = append(found, one)
	}
	fatal(t, scanner.Err())
	return found
}

// exposed returns all of a metric by its labels, zeros too.
func exposed(t *testing.T, telemetry *componenttest.Telemetry, name string) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	metric, err := telemetry.GetMetric(name)
	fatal(t, err)
	var points []metricdata.DataPoint[int64]
	switch data := metric.Data.(type) {
	case metricdata.Sum[int64]:
		points = data.DataPoints
	case metricdata.Gauge[int64]:
		points = data.DataPoints
	}
	for _, point := range points {
		found[point.Attributes.Encoded(attribute.DefaultEncoder())] = point.Value
	}
	return found
}

func expect(t *testing.T, r *rig, name string, want map[string]int64) {
	t.Helper()
	got := exposed(t, r.telemetry, "otelcol_extension_dead_letter_"+name)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s shows %v, not %v", name, got, want)
	}
}

func TestEachSignalHasItsFile(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "dead")
	r := start(t, directory)
	traces, metrics := ptrace.NewTraces(), pmetric.NewMetrics()
	traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetName("one span")
	some := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	some.AppendEmpty().SetName("without data")
	points := some.AppendEmpty().SetEmptyGauge().DataPoints()
	points.AppendEmpty().SetDoubleValue(math.NaN())
	points.AppendEmpty().SetDoubleValue(math.Inf(1))

	fatal(t, r.PutLogs(t.Context(), "status_400", "otlp_bisect/loki", someLogs("one", "two")))
	fatal(t, r.PutLogs(t.Context(), "late", "admission", someLogs("three")))
	fatal(t, r.PutTraces(t.Context(), "status_400", "otlp_bisect/tempo", traces))
	fatal(t, r.PutMetrics(t.Context(), "status_400", "otlp_bisect/prometheus", metrics))

	logs := read(t, filepath.Join(directory, "logs.jsonl"))
	if len(logs) != 2 {
		t.Fatalf("%d lines of logs", len(logs))
	}
	first := logs[0]
	if first.Reason != "status_400" || first.Source != "otlp_bisect/loki" || first.Signal != "logs" ||
		first.Items != 2 || !first.Time.Equal(r.now) {
		t.Errorf("the line says %+v", first)
	}
	back, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(first.OTLP)
	fatal(t, err)
	records := back.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	if records.Len() != 2 || records.At(0).Body().Str() != "one" || records.At(1).Body().Str() != "two" {
		t.Error("the records do not come back")
	}
	spans := read(t, filepath.Join(directory, "traces.jsonl"))
	if len(spans) != 1 || spans[0].Items != 1 || spans[0].Signal != "traces" {
		t.Errorf("traces have %+v", spans)
	}
	kept := read(t, filepath.Join(directory, "metrics.jsonl"))
	if len(kept) != 1 || kept[0].Items != 3 || kept[0].Signal != "metrics" {
		t.Errorf("metrics have %+v", kept)
	}
	numbers, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(kept[0].OTLP)
	fatal(t, err)
	if numbers.MetricCount() != 2 || numbers.DataPointCount() != 2 {
		t.Error("the metrics do not come back")
	}
	expect(t, r, "written", map[string]int64{
		"reason=status_400,signal=logs": 2, "reason=late,signal=logs": 1,
		"reason=status_400,signal=traces": 1, "reason=status_400,signal=metrics": 3,
	})
	expect(t, r, "capacity", map[string]int64{"": 64 << 20})
	size := int64(0)
	for _, signal := range signals {
		info, err := os.Stat(filepath.Join(directory, signal+".jsonl"))
		fatal(t, err)
		size += info.Size()
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", signal, info.Mode().Perm())
		}
	}
	expect(t, r, "used", map[string]int64{"": size})
	info, err := os.Stat(directory)
	fatal(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %o", info.Mode().Perm())
	}
	if left, _ := filepath.Glob(filepath.Join(directory, ".*")); len(left) != 0 {
		t.Errorf("%v is left from the start", left)
	}
}

// TestOddRecordsKeepTheLineWhole puts what breaks lines, JSON and UTF-8.
func TestOddRecordsKeepTheLineWhole(t *testing.T) {
	directory := t.TempDir()
	r := start(t, directory)
	odd := someLogs("a\nb\r\u2028", "\xff\xfe \xed\xa0\x80", "\x00\x01\"\\", "")
	record := odd.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(3)
	record.Attributes().PutStr("\xf0\x28 key", "\xc3")
	record.Attributes().PutEmptyBytes("bytes").FromRaw([]byte{0, 255, '\n'})
	record.Attributes().PutDouble("nan", math.NaN())
	fatal(t, r.PutLogs(t.Context(), "odd\n\"", "a\nb", odd))
	fatal(t, r.PutLogs(t.Context(), "plain", "x", someLogs("after")))
	lines := read(t, filepath.Join(directory, "logs.jsonl"))
	if len(lines) != 2 || lines[0].Items != 4 || lines[0].Reason != "odd\n\"" {
		t.Fatalf("lines are %+v", lines)
	}
	back, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(lines[0].OTLP)
	fatal(t, err)
	records := back.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	if got := records.At(0).Body().Str(); got != "a\nb\r\u2028" {
		t.Errorf("came back as %q", got)
	}
	if got := records.At(1).Body().Str(); !strings.Contains(got, "\uFFFD ") {
		t.Errorf("came back as %q", got)
	}
}

func TestNothingIsWrittenForNothing(t *testing.T) {
	directory := t.TempDir()
	r := start(t, directory)
	fatal(t, r.PutLogs(t.Context(), "status_400", "x", plog.NewLogs()))
	if _, err := os.Stat(filepath.Join(directory, "logs.jsonl")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file is there: %v", err)
	}
}

func TestAReaderMayTakeFilesAwayMeanwhile(t *testing.T) {
	directory := t.TempDir()
	r := start(t, directory)
	const writers, each = 4, 50
	var all sync.WaitGroup
	for writer := range writers {
		all.Go(func() {
			for i := range each {
				if err := r.PutLogs(t.Context(), "status_400", "x", someLogs(fmt.Sprintf("%d/%d", writer, i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()

	path, seen := filepath.Join(directory, "logs.jsonl"), map[string]int{}
	take := func(turn int) {
		away := fmt.Sprintf("%s.%d", path, turn)
		if os.Rename(path, away) != nil {
			return
		}
		reader, err := os.Open(away)
		fatal(t, err)
		defer reader.Close()
		fatal(t, unix.Flock(int(reader.Fd()), unix.LOCK_EX)) // waits for a line that is being written
		for _, one := range read(t, away) {
			back, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(one.OTLP)
			fatal(t, err)
			seen[back.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().Str()]++
		}
	}
	turn := 0
	for working := true; working; turn++ {
		select {
		case <-done:
			working = false
		default:
		}
		take(turn)
	}
	take(turn)
	if len(seen) != writers*each {
		t.Errorf("%d records of %d were read", len(seen), writers*each)
	}
	for record, times := range seen {
		if times != 1 {
			t.Errorf("%s was read %d times", record, times)
		}
	}
	if turn < 3 {
		t.Errorf("files were taken away only %d times", turn)
	}
}

func TestFilesStayUnderTheBoundTogether(t *testing.T) {
	directory := t.TempDir()
	r := newRig(t, directory)
	r.config.MaxMiB = 1
	r.files.capacity = r.config.capacity()
	// What an earlier run has left counts too.
	fatal(t, os.WriteFile(filepath.Join(directory, "traces.jsonl"), append(bytes.Repeat([]byte("x"), 1<<20-2000), '\n'), 0o600))
	fatal(t, r.Start(t.Context(), componenttest.NewNopHost()))
	fatal(t, r.PutLogs(t.Context(), "status_400", "x", someLogs(strings.Repeat("a", 1000))))
	for range 3 {
		if err := r.PutLogs(t.Context(), "status_400", "x", someLogs(secret+strings.Repeat("b", 1000), "and")); !errors.Is(err, ErrFull) {
			t.Fatalf("the second is answered with %v", err)
		}
	}
	expect(t, r, "written", map[string]int64{"reason=status_400,signal=logs": 1})
	expect(t, r, "lost", map[string]int64{"reason=status_400,signal=logs": 6})
	if used := exposed(t, r.telemetry, "otelcol_extension_dead_letter_used")[""]; used > 1<<20 {
		t.Errorf("%d bytes are used", used)
	}
	// One line for three failures, another when time has passed.
	if n := r.logged.Len(); n != 1 {
		t.Errorf("%d lines are logged", n)
	}
	r.now = r.now.Add(quietFor)
	_ = r.PutLogs(t.Context(), "status_400", "x", someLogs(strings.Repeat("b", 2000)))
	if n := r.logged.Len(); n != 2 {
		t.Errorf("%d lines are logged", n)
	}
	line := fmt.Sprint(r.logged.All()[0])
	for _, part := range []string{"max_mib", filepath.Join(directory, "logs.jsonl"), "replay"} {
		if !strings.Contains(line, part) {
			t.Errorf("%q does not say %q", line, part)
		}
	}
	if strings.Contains(line, secret) {
		t.Error("the line quotes the record")
	}
	// A replay frees space.
	fatal(t, os.Remove(filepath.Join(directory, "traces.jsonl")))
	fatal(t, r.PutLogs(t.Context(), "status_400", "x", someLogs(strings.Repeat("b", 2000))))
}

func TestAFullDiskLosesAndLogs(t *testing.T) {
	directory := t.TempDir()
	r := start(t, directory)
	fatal(t, os.Symlink("/dev/full", filepath.Join(directory, "logs.jsonl")))
	if err := r.PutLogs(t.Context(), "status_400", "x", someLogs("one")); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("is answered with %v", err)
	}
	fatal(t, os.Mkdir(filepath.Join(directory, "traces.jsonl"), 0o700)) // no file can be opened
	traces := ptrace.NewTraces()
	traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	if err := r.PutTraces(t.Context(), "status_400", "x", traces); !errors.Is(err, unix.EISDIR) {
		t.Errorf("is answered with %v", err)
	}
	expect(t, r, "lost", map[string]int64{"reason=status_400,signal=logs": 1, "reason=status_400,signal=traces": 1})
	if n := r.logged.Len(); n != 1 {
		t.Errorf("%d lines are logged", n)
	}
}

// narrow takes only so many bytes of a write.
type narrow struct {
	file
	space int
}

func (n narrow) Write(line []byte) (int, error) {
	written, err := n.file.Write(line[:n.space])
	if err == nil {
		err = io.ErrShortWrite
	}
	return written, err
}

func TestAPartOfALineIsTakenBack(t *testing.T) {
	directory := t.TempDir()
	r := start(t, directory)
	fatal(t, r.PutLogs(t.Context(), "status_400", "x", someLogs("one")))
	r.files.open = func(path string) (file, error) {
		whole, err := openFile(path)
		return narrow{whole, 20}, err
	}
	if err := r.PutLogs(t.Context(), "status_400", "x", someLogs("two")); err == nil {
		t.Error("a part of a line is no error")
	}
	r.files.open = openFile
	fatal(t, r.PutLogs(t.Context(), "status_400", "x", someLogs("three")))
	if lines := read(t, filepath.Join(directory, "logs.jsonl")); len(lines) != 2 {
		t.Errorf("%d lines are there", len(lines))
	}
	expect(t, r, "lost", map[string]int64{"reason=status_400,signal=logs": 1})
}

func TestAHalfLineOfAnEarlierRunDoesNotSpoilTheNext(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "logs.jsonl")
	fatal(t, os.WriteFile(path, []byte(`{"time":"20`), 0o600))
	r := start(t, directory)
	fatal(t, r.PutLogs(t.Context(), "status_400", "x", someLogs("one")))
	content, err := os.ReadFile(path)
	fatal(t, err)
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	if len(lines) != 2 || !json.Valid([]byte(lines[1])) {
		t.Errorf("the file has %q", content)
	}
}

func TestALockThatIsKeptDoesNotKeepLettersOut(t *testing.T) {
	directory := t.TempDir()
	r := start(t, directory)
	fatal(t, r.PutLogs(t.Context(), "status_400", "x", someLogs("one")))
	holder, err := os.Open(filepath.Join(directory, "logs.jsonl"))
	fatal(t, err)
	defer holder.Close()
	fatal(t, unix.Flock(int(holder.Fd()), unix.LOCK_EX))
	fatal(t, r.PutLogs(t.Context(), "status_400", "x", someLogs("two")))
	if lines := read(t, filepath.Join(directory, "logs.jsonl")); len(lines) != 2 {
		t.Errorf("%d lines are there", len(lines))
	}
}

func TestAnEncoderThatBreaksCostsItsOwnRecord(t *testing.T) {
	r := start(t, t.TempDir())
	for name, encode := range map[string]func() ([]byte, error){
		"panic": func() ([]byte, error) { panic(secret) },
		"error": func() ([]byte, error) { return nil, errors.New(secret) },
	} {
		err := r.put(t.Context(), letter{reason: "x", source: "x", signal: signalLogs, items: 2, encode: encode})
		if !errors.Is(err, errCannotBeWritten) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: is answered with %v", name, err)
		}
	}
	expect(t, r, "lost", map[string]int64{"reason=x,signal=logs": 4})
	if line := fmt.Sprint(r.logged.All()); strings.Contains(line, secret) {
		t.Errorf("%q quotes the record", line)
	}
}

func TestInitializedReasonsAreExposedAtZero(t *testing.T) {
	r := start(t, t.TempDir())
	r.InitializeReasons("logs", "status_400", "late")
	want := map[string]int64{"reason=status_400,signal=logs": 0, "reason=late,signal=logs": 0}
	expect(t, r, "written", want)
	expect(t, r, "lost", want)
}

func TestADirectoryThatCannotBeWrittenIsNamedAtStart(t *testing.T) {
	base := t.TempDir()
	fatal(t, os.WriteFile(filepath.Join(base, "file"), nil, 0o600))
	for name, directory := range map[string]string{
		"what it stands in is missing": filepath.Join(base, "missing", "dead"),
		"is a file":                    filepath.Join(base, "file"),
		"takes no files":               "/proc/self",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, directory)
			err := r.Start(t.Context(), componenttest.NewNopHost())
			if err == nil {
				t.Fatal("starts")
			}
			want := "dead_letter: directory " + directory + " cannot be written: "
			if !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("says %q", err)
			}
			fatal(t, r.Shutdown(t.Context())) // after a start that failed
		})
	}
}

func TestConfigNamesTheKeyToFix(t *testing.T) {
	fatal(t, componenttest.CheckConfigStruct(createDefaultConfig()))
	for key, cfg := range map[string]Config{
		"directory:": {MaxMiB: 64},
		"max_mib:":   {Directory: "/x"},
		"max_mib: ":  {Directory: "/x", MaxMiB: -1},
		"max_mib":    {Directory: "/x", MaxMiB: math.MaxInt},
	} {
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), key) {
			t.Errorf("%+v is answered with %v", cfg, err)
		}
	}
}

func TestShutdownBeforeStart(t *testing.T) {
	fatal(t, newRig(t, t.TempDir()).Shutdown(t.Context()))
}

func BenchmarkPut(b *testing.B) {
	files := newFiles(b.TempDir(), 1<<40)
	line, err := letter{
		reason: "status_400", source: "otlp_bisect/loki", signal: signalLogs, items: 1,
		encode: func() ([]byte, error) { return (&plog.JSONMarshaler{}).MarshalLogs(someLogs("one line of a log")) },
	}.line(time.Now())
	fatal(b, err)
	for b.Loop() {
		fatal(b, files.add(signalLogs, line))
	}
}
