// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package casetest runs tests of processors that are files: what goes in, the whole of what comes
// out, and the whole of what was counted. A new case needs no Go.
//
// What stands before the first section says what the case shows. Sections begin with "-- name --":
//
//	config     keys of the processor's configuration, if other than the defaults
//	in         one OTLP request in YAML: resourceSpans, resourceLogs or resourceMetrics
//	out        what is passed on, in the same form; empty when nothing is
//	telemetry  what the processor counted, one line a counter
//
// A test may know more of them. Sections are templates of Go's text/template:
//
//	{{repeat "x" 300}}  300 times x
//	{{at "-2h"}}        a time in ns, two hours before Now
//	\uE0FF              in a quoted text: the byte FF, which is no UTF-8
package casetest

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"

	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"
)

// Now is what times are counted from. The clock of the processor under test has to show it.
var Now = time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC)

// Case is one file.
type Case struct {
	Signal   string // traces, logs or metrics
	sections map[string]string
}

// Run runs every case of a folder.
func Run(t *testing.T, folder string, run func(*testing.T, *Case)) {
	files, err := filepath.Glob(filepath.Join(folder, "*.case"))
	fatal(t, err)
	if len(files) == 0 {
		t.Fatalf("no cases in %s", folder)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".case"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			fatal(t, err)
			run(t, parse(t, string(text)))
		})
	}
}

func parse(t testing.TB, text string) *Case {
	t.Helper()
	one := &Case{sections: map[string]string{}}
	name := ""
	for _, line := range strings.SplitAfter(text, "\n") {
		if found, ok := strings.CutPrefix(line, "-- "); ok {
			name = strings.TrimSuffix(strings.TrimSpace(found), " --")
			if _, twice := one.sections[name]; twice {
				t.Fatalf("section %q stands twice", name)
			}
			one.sections[name] = ""
			continue
		}
		one.sections[name] += line
	}
	for _, needed := range []string{"in", "out", "telemetry"} {
		if _, ok := one.sections[needed]; !ok {
			t.Fatalf("section %q is missing", needed)
		}
	}
	for name, section := range one.sections {
		if name != "" {
			one.sections[name] = expand(t, section)
		}
	}
	one.Signal = signalOf(t, one.sections["in"])
	return one
}

func expand(t testing.TB, section string) string {
	t.Helper()
	parsed, err := template.New("section").Funcs(template.FuncMap{
		"repeat": strings.Repeat,
		"at": func(offset string) (string, error) {
			by, err := time.ParseDuration(offset)
			return strconv.FormatInt(Now.Add(by).UnixNano(), 10), err
		},
	}).Parse(section)
	fatal(t, err)
	var expanded strings.Builder
	fatal(t, parsed.Execute(&expanded, nil))
	return expanded.String()
}

// Configure sets what the section config has.
func (c *Case) Configure(t testing.TB, cfg any) {
	t.Helper()
	changes := map[string]any{}
	fatal(t, yaml.Unmarshal([]byte(c.sections["config"]), &changes))
	fatal(t, confmap.NewFromStringMap(changes).Unmarshal(cfg))
}

// Request is the section in, as protobuf.
func (c *Case) Request(t testing.TB) []byte {
	t.Helper()
	request, err := encode(c.Signal, c.sections["in"])
	fatal(t, err)
	return request
}

// Compare holds protobuf, nil when there is none, against a section. A section that is not there
// is an empty one.
func (c *Case) Compare(t testing.TB, section string, got []byte) {
	t.Helper()
	if strings.TrimSpace(c.sections[section]) == "" {
		if got != nil {
			t.Errorf("%s should be empty, is %s", section, show(t, c.Signal, got))
		}
		return
	}
	if got == nil {
		t.Errorf("%s is empty", section)
		return
	}
	want, err := encode(c.Signal, c.sections[section])
	fatal(t, err)
	// Both in the form that OTLP/JSON has after one way through the Collector.
	if got, want := show(t, c.Signal, got), show(t, c.Signal, want); got != want {
		t.Errorf("%s is not as it should be:\n%s", section, difference(got, want))
	}
}

// difference leaves out what two texts have in common at both ends, but for some lines.
func difference(got, want string) string {
	const around = 6
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	from, end := 0, 0
	for from < min(len(a), len(b)) && a[from] == b[from] {
		from++
	}
	for end < min(len(a), len(b))-from && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	first := max(0, from-around)
	part := func(lines []string) string {
		return strings.Join(lines[first:min(len(lines), len(lines)-end+around)], "\n")
	}
	return "it is\n" + part(a) + "\nand should be\n" + part(b)
}

// CompareLines holds lines, in any order, against a section.
func (c *Case) CompareLines(t testing.TB, section string, got []string) {
	t.Helper()
	var want []string
	for line := range strings.Lines(c.sections[section]) {
		if line = strings.TrimSpace(line); line != "" {
			want = append(want, line)
		}
	}
	slices.Sort(want)
	got = slices.Sorted(slices.Values(got))
	if !slices.Equal(got, want) {
		t.Errorf("%s is\n%s\nand should be\n%s", section, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
