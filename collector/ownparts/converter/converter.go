// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package converter joins parts of one's own to the lists of our configuration, and refuses a
// pipeline in which a record would come past redaction.
package converter

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/confmap"

	"glasshouse.example/collector/ownparts/parts"
)

type converter struct{}

// NewFactory returns the factory of the converter.
func NewFactory() confmap.ConverterFactory {
	return confmap.NewConverterFactory(func(confmap.ConverterSettings) confmap.Converter { return converter{} })
}

// Convert changes nothing where the provider `own` was not asked.
func (converter) Convert(_ context.Context, conf *confmap.Conf) error {
	own, given := conf.Get(parts.Key).(map[string]any)
	if !given {
		return nil
	}
	conf.Delete(parts.Key)
	additions, _ := own[parts.Additions].([]any)
	for _, one := range additions {
		if err := join(conf, one.(map[string]any)); err != nil {
			return err
		}
	}
	places, _ := own[parts.Pipelines].(map[string]any)
	return everyRecordIsRedacted(conf, places)
}

// join adds the items that a list does not have yet behind those that it has.
func join(conf *confmap.Conf, addition map[string]any) error {
	keys, _ := addition[parts.Path].([]any)
	path := make([]string, len(keys))
	for i, key := range keys {
		path[i] = key.(string)
	}
	items, _ := addition[parts.Items].([]any)
	current, _ := conf.Get(strings.Join(path, confmap.KeyDelimiter)).([]any)
	list := slices.Clone(current)
	for _, item := range items {
		if !slices.ContainsFunc(list, func(one any) bool { return reflect.DeepEqual(one, item) }) {
			list = append(list, item)
		}
	}
	var tree any = list
	for _, key := range slices.Backward(path) {
		tree = map[string]any{key: tree}
	}
	return conf.Merge(confmap.NewFromStringMap(tree.(map[string]any)))
}

func everyRecordIsRedacted(conf *confmap.Conf, places map[string]any) error {
	connectors, _ := conf.Get("connectors").(map[string]any)
	pipelines, _ := conf.Get("service" + confmap.KeyDelimiter + "pipelines").(map[string]any)
	for _, id := range slices.Sorted(maps.Keys(pipelines)) {
		pipeline, _ := pipelines[id].(map[string]any)
		receivers, _ := pipeline["receivers"].([]any)
		fromOutside := slices.ContainsFunc(receivers, func(one any) bool {
			// What comes out of a connector went through a pipeline before.
			name, isText := one.(string)
			_, isConnector := connectors[name]
			return !isText || !isConnector
		})
		processors, _ := pipeline["processors"].([]any)
		if fromOutside && !redactsFirst(processors) {
			place := "the configuration"
			if written, found := places[id].(string); found {
				place = written
			}
			return fmt.Errorf("%s: service.pipelines.%s would pass on what it receives unredacted: "+
				"begin its processors with memory_limiter, pii", place, id)
		}
	}
	return nil
}

func redactsFirst(processors []any) bool {
	for _, one := range processors {
		name, _ := one.(string)
		if kind, _, _ := strings.Cut(name, "/"); kind == parts.MemoryLimiter {
			continue
		}
		return name == parts.PII
	}
	return false
}
