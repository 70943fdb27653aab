// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package casetest

import (
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// failing notes failures instead of failing.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Helper() {}

func (f *failing) Errorf(format string, values ...any) { f.said += fmt.Sprintf(format, values...) }

func (f *failing) Fatal(values ...any) {
	f.said += fmt.Sprint(values...)
	panic(f)
}

func (f *failing) Fatalf(format string, values ...any) { f.Fatal(fmt.Sprintf(format, values...)) }

// reported returns what a failing test says.
func reported(run func(testing.TB)) (said string) {
	f := &failing{}
	defer func() {
		if got := recover(); got != nil && got != f {
			panic(got)
		}
		said = f.said
	}()
	run(f)
	return f.said
}

const request = `
resourceLogs:
  - scopeLogs:
      - logRecords: [{body: {stringValue: "%s"}}]
`

func caseOf(in, out, telemetry string) string {
	return "It shows something.\n-- in --\n" + in + "-- out --\n" + out + "-- telemetry --\n" + telemetry
}

func TestADifferenceIsReported(t *testing.T) {
	one, other := fmt.Sprintf(request, "one"), fmt.Sprintf(request, "other")
	for name, c := range map[string]struct {
		out  string
		got  []byte
		want string // part of what is reported; nothing when empty
	}{
		"the same":                 {one, parse(t, caseOf(one, "", "")).Request(t), ""},
		"something else":           {other, parse(t, caseOf(one, "", "")).Request(t), "should be"},
		"nothing":                  {one, nil, "out is empty"},
		"nothing as it should be":  {"", nil, ""},
		"something for nothing":    {"", parse(t, caseOf(one, "", "")).Request(t), "should be empty"},
		"a byte that is no UTF-8":  {fmt.Sprintf(request, `\uE0FF`), parse(t, caseOf(fmt.Sprintf(request, `\uE0FF`), "", "")).Request(t), ""},
		"a template":               {fmt.Sprintf(request, "xxx"), parse(t, caseOf(fmt.Sprintf(request, "{{repeat `x` 3}}"), "", "")).Request(t), ""},
		"a time before and at now": {fmt.Sprintf(request, "1768474800000000000"), parse(t, caseOf(fmt.Sprintf(request, `{{at "-1h"}}`), "", "")).Request(t), ""},
	} {
		said := reported(func(tb testing.TB) { parse(t, caseOf(one, c.out, "")).Compare(tb, "out", c.got) })
		if c.want == "" && said != "" || !strings.Contains(said, c.want) {
			t.Errorf("%s: the test says %q", name, said)
		}
	}
}

func TestBytesThatAreNoUTF8ReachTheProcessor(t *testing.T) {
	in := parse(t, caseOf(fmt.Sprintf(request, `a\uE0FF\uE080b`), "", "")).Request(t)
	data, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(in)
	fatal(t, err)
	body := data.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().Str()
	if body != "a\xff\x80b" {
		t.Errorf("the body is %q", body)
	}
}

func TestLinesAreComparedInAnyOrder(t *testing.T) {
	one := parse(t, caseOf(fmt.Sprintf(request, "x"), "", "b 2\n\na 1\n"))
	for got, same := range map[string]bool{"a 1,b 2": true, "b 2,a 1": true, "a 1": false, "a 1,b 3": false} {
		said := reported(func(tb testing.TB) { one.CompareLines(tb, "telemetry", strings.Split(got, ",")) })
		if (said == "") != same {
			t.Errorf("%s: the test says %q", got, said)
		}
	}
}

func TestABadFileIsRefused(t *testing.T) {
	one := fmt.Sprintf(request, "x")
	for text, want := range map[string]string{
		"It shows.\n-- in --\n" + one + "-- telemetry --\n": `"out" is missing`,
		caseOf(one, "", "") + "-- out --\n":                 "stands twice",
		caseOf("resourceProfiles: []\n", "", ""):            "is none of",
		caseOf("{{nothing}}\n", "", ""):                     "nothing",
	} {
		if said := reported(func(tb testing.TB) { parse(tb, text) }); !strings.Contains(said, want) {
			t.Errorf("%q: says %q", text, said)
		}
	}
}

func TestCountersBecomeLines(t *testing.T) {
	telemetry := componenttest.NewTelemetry()
	counter, err := telemetry.NewTelemetrySettings().MeterProvider.Meter("test").Int64Counter("things")
	fatal(t, err)
	counter.Add(t.Context(), 2, metric.WithAttributes(attribute.String("kind", "a"), attribute.String("signal", "logs")))
	counter.Add(t.Context(), 3, metric.WithAttributes(attribute.String("signal", "traces")))
	counter.Add(t.Context(), 0, metric.WithAttributes(attribute.String("kind", "b")))
	one := parse(t, caseOf(fmt.Sprintf(request, "x"), "", "t{kind=a} 2\nt{signal=traces} 3\n"))
	one.CompareLines(t, "telemetry", one.Lines(t, telemetry, map[string]string{"t": "things", "u": "missing"}))
}
