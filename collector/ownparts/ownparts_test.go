// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package ownparts_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"

	"glasshouse.example/collector/ownparts/converter"
	"glasshouse.example/collector/ownparts/provider"
)

const base = `
processors:
  pii: { policy: rules.yaml }
  admission: { services: { most: 10, reserved: [api] } }
connectors:
  event_metrics: { families: [{ name: payments }], services: [{ name: api }] }
exporters:
  loki: { endpoint: a }
service:
  extensions: [health_check]
  pipelines:
    logs: { receivers: [otlp], processors: [memory_limiter, pii, admission], exporters: [event_metrics, loki] }
    metrics/derive: { receivers: [event_metrics], exporters: [prometheus] }
`

// folder writes files by name.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func tree(t *testing.T, text string) map[string]any {
	t.Helper()
	var found map[string]any
	if err := yaml.Unmarshal([]byte(text), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// laid returns the configuration with a folder over it, as the Collector reads it.
func laid(t *testing.T, below, folder string) (map[string]any, error) {
	t.Helper()
	conf := confmap.NewFromStringMap(tree(t, below))
	retrieved, err := provider.NewFactory().Create(confmap.ProviderSettings{}).Retrieve(context.Background(), "own:"+folder, nil)
	if err != nil {
		return nil, err
	}
	over, err := retrieved.AsConf()
	if err != nil {
		return nil, err
	}
	if err := conf.Merge(over); err != nil {
		return nil, err
	}
	err = converter.NewFactory().Create(confmap.ConverterSettings{}).Convert(context.Background(), conf)
	return conf.ToStringMap(), err
}

func TestWithoutPartsNothingChanges(t *testing.T) {
	for name, one := range map[string]string{
		"an empty folder":       folder(t, nil),
		"no folder":             filepath.Join(t.TempDir(), "none"),
		"files of other kinds":  folder(t, map[string]string{"README.md": "# a", ".hidden.yaml": "a: [", "x.yml": "a: ["}),
		"an empty file":         folder(t, map[string]string{"a.yaml": "# nothing yet\n"}),
		"sections without text": folder(t, map[string]string{"a.yaml": "exporters:\nservice:\n  pipelines:\n"}),
		"null for what is ours": folder(t, map[string]string{"a.yaml": "processors:\n  admission:\n  pii:\nservice: {pipelines: {logs: {processors: }}}\n"}),
	} {
		found, err := laid(t, base, one)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(found, tree(t, base)) {
			t.Errorf("%s: became %v", name, found)
		}
	}
}

func TestPartsAreJoinedToOurs(t *testing.T) {
	found, err := laid(t, base, folder(t, map[string]string{
		"a.yaml": `
processors:
  pii: { own_keys: [booking_id] }
  admission: { services: { most: 20, reserved: [booking] } }
  attributes/mine: { actions: [1] }
connectors:
  event_metrics: { families: [{ name: bookings }], services: [{ name: booking }] }
exporters:
  otlphttp/vendor: { endpoint: b }
extensions: { mine: }
service:
  extensions: [mine]
  pipelines:
    logs: { processors: [attributes/mine], exporters: [otlphttp/vendor, loki] }
    traces/mine: { receivers: [ otlp ], processors: [memory_limiter/mine, pii], exporters: [otlphttp/vendor] }
`,
		"b.yaml": "connectors: { event_metrics: { families: [{ name: halls }], services: [{ name: api }] } }\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := tree(t, `
processors:
  pii: { policy: rules.yaml, own_keys: [booking_id] }
  admission: { services: { most: 20, reserved: [api, booking] } }
  attributes/mine: { actions: [1] }
connectors:
  event_metrics:
    families: [{ name: payments }, { name: bookings }, { name: halls }]
    services: [{ name: api }, { name: booking }]
exporters:
  loki: { endpoint: a }
  otlphttp/vendor: { endpoint: b }
extensions: { mine: {} }
service:
  extensions: [health_check, mine]
  pipelines:
    logs:
      receivers: [otlp]
      processors: [memory_limiter, pii, admission, attributes/mine]
      exporters: [event_metrics, loki, otlphttp/vendor]
    metrics/derive: { receivers: [event_metrics], exporters: [prometheus] }
    traces/mine: { receivers: [otlp], processors: [memory_limiter/mine, pii], exporters: [otlphttp/vendor] }
`)
	if !reflect.DeepEqual(found, want) {
		t.Errorf("became %v\nnot    %v", found, want)
	}
}

func TestAFaultNamesFileLineAndWhatToDo(t *testing.T) {
	const begin = "a.yaml:2: service.pipelines.logs/raw would pass on what it receives unredacted: begin its processors with memory_limiter, pii"
	const pipeline = "service: {pipelines: {\n  logs/raw: "
	const pii = "what is redacted is not said here: take it out, own_keys alone may be added"
	for name, one := range map[string]struct{ text, want string }{
		"no redaction":                {pipeline + "{receivers: [otlp], exporters: [debug]}}}", begin},
		"another processor before it": {pipeline + "{receivers: [otlp], processors: [batch, pii], exporters: [debug]}}}", begin},
		"a processor called alike":    {pipeline + "{receivers: [otlp], processors: [pii/mine], exporters: [debug]}}}", begin},
		"from a connector and else":   {pipeline + "{receivers: [event_metrics, otlp], exporters: [debug]}}}", begin},
		"one more receiver of ours": {"service:\n  pipelines:\n    metrics/derive: {receivers: [otlp]}\n",
			"a.yaml:3: service.pipelines.metrics/derive would pass on"},
		"another policy":         {"processors:\n  pii:\n    policy: none.yaml\n", "a.yaml:3: processors.pii.policy: " + pii},
		"an entity off":          {"processors: {pii: {entities: {card: off}}}\n", "a.yaml:1: processors.pii.entities: " + pii},
		"with a blank":           {"processors:\n  'pii ': {policy: b}\n", "a.yaml:2: processors.pii.policy: " + pii},
		"by an anchor":           {"processors:\n  a: &a {policy: b}\n  pii: *a\n", "a.yaml:2: processors.pii.policy: " + pii},
		"by a merge key":         {"processors:\n  a: &a {policy: b}\n  pii: {<<: *a}\n", "a.yaml:3: processors.pii: << is not taken here"},
		"a file in its place":    {"processors:\n  pii: ${file:/a}\n", "a.yaml:2: processors.pii: must be a mapping"},
		"a way as a key":         {"processors:\n  'pii::policy': {a: 1}\n", "a.yaml:2: processors: the key pii::policy must not have ::"},
		"a file for the section": {"processors: ${file:/a}\n", "a.yaml:1: processors: must be a mapping"},
		"a file for another":     {"connectors:\n  event_metrics: ${file:/a}\n", "a.yaml:2: connectors.event_metrics: write its settings here"},
		"an id from outside":     {pipeline + "{receivers: ['${env:A}']}}}", "a.yaml:2: service.pipelines.logs/raw.receivers: must name components"},
		"a list from outside":    {pipeline + "{processors: '${env:A}'}}}", "a.yaml:2: service.pipelines.logs/raw.processors: must be a list"},
		"an unknown list":        {pipeline + "{processor: []}}}", "a.yaml:2: unknown key service.pipelines.logs/raw.processor: use receivers"},
		"an unknown section":     {"\nexporter: {}\n", `a.yaml:2: unknown key "exporter": use one of receivers, processors, exporters`},
		"an unknown key below":   {"service: {pipeline: {}}\n", "a.yaml:1: unknown key service.pipeline: use pipelines"},
		"twice":                  {"exporters:\n  a: {}\n  a: {}\n", "a.yaml:3: exporters: a stands twice"},
		"no YAML":                {"exporters:\n  a: [\n", "a.yaml: not YAML: yaml: line 2"},
		"no mapping":             {"- a\n", "a.yaml:1: the file: must be a mapping"},
		"no list where one belongs": {"connectors: {event_metrics: {services: {name: a}}}\n",
			"a.yaml: connectors.event_metrics.services: must be a list"},
		"our own key": {"own: {pipelines: {}}\n", `a.yaml:1: unknown key "own"`},
	} {
		_, err := laid(t, base, folder(t, map[string]string{"a.yaml": one.text}))
		if err == nil {
			t.Errorf("%s: is taken", name)
		} else if !strings.Contains(err.Error(), one.want) {
			t.Errorf("%s: %q does not say %q", name, err, one.want)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q is more than one line", name, err)
		}
	}
}

func TestWithoutTheProviderNothingIsAsked(t *testing.T) {
	conf := confmap.NewFromStringMap(tree(t, "service: {pipelines: {logs: {receivers: [otlp], exporters: [debug]}}}"))
	if err := converter.NewFactory().Create(confmap.ConverterSettings{}).Convert(context.Background(), conf); err != nil {
		t.Fatal(err)
	}
}

func TestThePolicyOfTheRestHoldsWithAnEmptyFolder(t *testing.T) {
	const bare = "service: {pipelines: {logs: {receivers: [otlp], exporters: [debug]}}}"
	_, err := laid(t, bare, t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "the configuration: service.pipelines.logs would pass on") {
		t.Errorf("%v", err)
	}
}

func TestTheFolderIsGivenByItsScheme(t *testing.T) {
	made := provider.NewFactory().Create(confmap.ProviderSettings{})
	if made.Scheme() != "own" {
		t.Errorf("the scheme is %q", made.Scheme())
	}
	if _, err := made.Retrieve(context.Background(), "file:/a", nil); err == nil {
		t.Error("another scheme is taken")
	}
	name := filepath.Join(folder(t, map[string]string{"a": ""}), "a")
	if _, err := made.Retrieve(context.Background(), "own:"+name, nil); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("a file in its place: %v", err)
	}
}
