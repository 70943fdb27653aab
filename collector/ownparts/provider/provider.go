// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package provider reads a folder of Collector parts of one's own, to be laid over our configuration
// as a second `--config=own:/path/of/the/folder`.
//
// Maps are merged as of any second configuration. The lists that parts have to be added to are
// joined, where a second configuration would replace them: pipelines, extensions, what events count
// and whose. Package converter does that, and refuses what would go round redaction.
package provider

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"

	"glasshouse.example/collector/ownparts/parts"
)

const schemeName = "own"

// sections are those of a configuration that hold components by their ids.
var sections = []string{"receivers", "processors", "exporters", "connectors", "extensions"}

// joined are the lists, by their place, to which items are added.
var joined = [][]string{
	{"connectors", "event_metrics", "families"},
	{"connectors", "event_metrics", "services"},
	{"processors", "admission", "services", "reserved"},
	{"processors", parts.PII, "own_keys"},
	{"service", "extensions"},
}

type provider struct{}

// NewFactory returns the factory of the provider.
func NewFactory() confmap.ProviderFactory {
	return confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider { return provider{} })
}

func (provider) Scheme() string                 { return schemeName }
func (provider) Shutdown(context.Context) error { return nil }

// Retrieve reads each *.yaml of the folder, in the order of their names. A folder that is empty, or
// not there, adds nothing.
func (provider) Retrieve(_ context.Context, uri string, _ confmap.WatcherFunc) (*confmap.Retrieved, error) {
	folder, found := strings.CutPrefix(uri, schemeName+":")
	if !found {
		return nil, fmt.Errorf("%q is not supported by the provider %q", uri, schemeName)
	}
	names, err := listed(folder)
	if err != nil {
		return nil, err
	}
	all, own := confmap.New(), &own{pipelines: map[string]any{}}
	for _, name := range names {
		read, err := own.read(name)
		if err != nil {
			return nil, err
		}
		if err := all.Merge(confmap.NewFromStringMap(read)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	result := all.ToStringMap()
	result[parts.Key] = map[string]any{parts.Additions: own.additions, parts.Pipelines: own.pipelines}
	return confmap.NewRetrieved(result)
}

func listed(folder string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Clean(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the folder of own parts cannot be read: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".yaml") && !strings.HasPrefix(entry.Name(), ".") {
			names = append(names, filepath.Join(folder, entry.Name()))
		}
	}
	return names, nil
}

// own gathers what is to be added to lists.
type own struct {
	additions []any
	pipelines map[string]any
}

// read returns what of a file is merged as it is.
func (o *own) read(name string) (map[string]any, error) {
	content, err := os.ReadFile(filepath.Clean(name))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, fmt.Errorf("%s: not YAML: %w", name, err)
	}
	if len(document.Content) == 0 {
		return nil, nil
	}
	root, err := mapOf(document.Content[0], name, "the file")
	if err != nil {
		return nil, err
	}
	result := map[string]any{}
	for _, member := range root {
		var section any
		switch {
		case slices.Contains(sections, member.name):
			section, err = o.components(member, name)
		case member.name == "service":
			section, err = o.service(member, name)
		default:
			err = fault(name, member.key, "unknown key %q: use one of %s, service", member.name, strings.Join(sections, ", "))
		}
		if err != nil {
			return nil, err
		}
		result[member.name] = section
	}
	for _, path := range joined {
		if items, found := cut(result, path); found {
			list, isList := items.([]any)
			if !isList {
				return nil, fmt.Errorf("%s: %s: must be a list", name, strings.Join(path, "."))
			}
			o.add(path, list, name)
		}
	}
	return result, nil
}

func (o *own) components(section member, name string) (map[string]any, error) {
	found, err := mapOf(section.value, name, section.name)
	if err != nil {
		return nil, err
	}
	result := map[string]any{}
	for _, one := range found {
		if section.name == "processors" && one.name == parts.PII {
			if err := onlyOwnKeys(one, name); err != nil {
				return nil, err
			}
		}
		// A text would be the name of another file, whose content would take the place of ours.
		if one.value.Kind == yaml.ScalarNode && one.value.Tag != "!!null" {
			return nil, fault(name, one.key, "%s.%s: write its settings here, as a mapping", section.name, one.name)
		}
		settings := map[string]any{}
		if err := one.value.Decode(&settings); err != nil {
			return nil, fault(name, one.key, "%s.%s: %v", section.name, one.name, err)
		}
		if settings == nil { // null would put a default in the place of ours
			settings = map[string]any{}
		}
		result[one.name] = settings
	}
	return result, nil
}

func onlyOwnKeys(pii member, name string) error {
	settings, err := mapOf(pii.value, name, "processors.pii")
	if err != nil {
		return err
	}
	for _, one := range settings {
		if one.name != "own_keys" {
			return fault(name, one.key, "processors.pii.%s: what is redacted is not said here: "+
				"take it out, own_keys alone may be added", one.name)
		}
	}
	return nil
}

func (o *own) service(section member, name string) (map[string]any, error) {
	found, err := mapOf(section.value, name, "service")
	if err != nil {
		return nil, err
	}
	result := map[string]any{}
	for _, one := range found {
		switch one.name {
		case "pipelines":
			if err := o.readPipelines(one, name); err != nil {
				return nil, err
			}
		case "extensions", "telemetry":
			var value any
			if err := one.value.Decode(&value); err != nil {
				return nil, fault(name, one.key, "service.%s: %v", one.name, err)
			}
			if value != nil {
				result[one.name] = value
			}
		default:
			return nil, fault(name, one.key, "unknown key service.%s: use pipelines, extensions or telemetry", one.name)
		}
	}
	return result, nil
}

func (o *own) readPipelines(section member, name string) error {
	found, err := mapOf(section.value, name, "service.pipelines")
	if err != nil {
		return err
	}
	for _, pipeline := range found {
		what := "service.pipelines." + pipeline.name
		lists, err := mapOf(pipeline.value, name, what)
		if err != nil {
			return err
		}
		if _, known := o.pipelines[pipeline.name]; !known {
			o.pipelines[pipeline.name] = fmt.Sprintf("%s:%d", name, pipeline.key.Line)
		}
		for _, list := range lists {
			if !slices.Contains([]string{"receivers", "processors", "exporters"}, list.name) {
				return fault(name, list.key, "unknown key %s.%s: use receivers, processors or exporters", what, list.name)
			}
			items, err := idsOf(list.value, name, what+"."+list.name)
			if err != nil {
				return err
			}
			o.add([]string{"service", "pipelines", pipeline.name, list.name}, items, name)
		}
	}
	return nil
}

func (o *own) add(path []string, items []any, file string) {
	keys := make([]any, len(path))
	for i, key := range path {
		keys[i] = key
	}
	o.additions = append(o.additions, map[string]any{parts.Path: keys, parts.Items: items, parts.File: file})
}

// idsOf returns a list of component ids. What would be filled in later is refused: nobody could say
// beforehand what a pipeline consists of.
func idsOf(node *yaml.Node, name, what string) ([]any, error) {
	node = resolved(node)
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return nil, nil
	}
	if node.Kind != yaml.SequenceNode {
		return nil, fault(name, node, "%s: must be a list", what)
	}
	var ids []any
	for _, item := range node.Content {
		item = resolved(item)
		if item.Kind != yaml.ScalarNode || strings.ContainsRune(item.Value, '$') {
			return nil, fault(name, item, "%s: must name components, each as it is", what)
		}
		ids = append(ids, strings.TrimSpace(item.Value))
	}
	return ids, nil
}

// member is one entry of a mapping. name is its key without blanks around it, as ids are read.
type member struct {
	name       string
	key, value *yaml.Node
}

func mapOf(node *yaml.Node, name, what string) ([]member, error) {
	node = resolved(node)
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return nil, nil
	}
	if node.Kind != yaml.MappingNode {
		return nil, fault(name, node, "%s: must be a mapping", what)
	}
	var members []member
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if key.Tag == "!!merge" {
			return nil, fault(name, key, "%s: << is not taken here: write the settings themselves", what)
		}
		if strings.Contains(key.Value, confmap.KeyDelimiter) { // it would be read as a way into a mapping
			return nil, fault(name, key, "%s: the key %s must not have %s in it", what, key.Value, confmap.KeyDelimiter)
		}
		one := member{name: strings.TrimSpace(key.Value), key: key, value: node.Content[i+1]}
		if seen[one.name] {
			return nil, fault(name, key, "%s: %s stands twice: keep one", what, one.name)
		}
		seen[one.name] = true
		members = append(members, one)
	}
	return members, nil
}

func resolved(node *yaml.Node) *yaml.Node {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

// cut takes out what stands at a place.
func cut(tree map[string]any, path []string) (any, bool) {
	for _, key := range path[:len(path)-1] {
		next, isMap := tree[key].(map[string]any)
		if !isMap {
			return nil, false
		}
		tree = next
	}
	last := path[len(path)-1]
	found, there := tree[last]
	delete(tree, last)
	return found, there && found != nil
}

func fault(name string, node *yaml.Node, format string, values ...any) error {
	return fmt.Errorf("%s:%d: %s", name, node.Line, fmt.Sprintf(format, values...))
}
