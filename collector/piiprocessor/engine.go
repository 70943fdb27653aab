// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package piiprocessor

import (
	"fmt"
	"maps"
	"slices"

	"glasshouse.example/collector/piiprocessor/engine"
)

// redactor is what a traversal needs of the engine. key is the nearest map key, empty where there is
// none; hits gets the rules that hit, by name.
type redactor interface {
	Key(key string, hits *engine.Hits) (string, bool)
	String(key, s string, hits *engine.Hits) (string, bool)
	Int(key string, n int64, hits *engine.Hits) (string, bool)
	Float(key string, n float64, hits *engine.Hits) (string, bool)
	Bytes(key string, b []byte, hits *engine.Hits) ([]byte, bool)
	// Whole returns what stands for the whole value of a key that names a secret.
	Whole(key string, hits *engine.Hits) (string, bool)
	// Names reports whether what stands under that name is replaced for its name alone.
	Names(name string) bool
	// NamesPair reports whether the first of two items in a list of pairs is the name of the second.
	NamesPair(name, value string) bool
	// Arguments redacts strings of one list that are read together.
	Arguments(items []string, hits *engine.Hits) bool
}

// What an entity can be switched to.
const (
	switchOn     = "on"
	switchOff    = "off"
	switchAll    = "all"
	switchPublic = "public"
	entityIP     = "ip"
)

func newRedactor(policy string, key []byte, entities map[string]string, ownKeys []string) (redactor, error) {
	options, err := engineOptions(entities)
	if err != nil {
		return nil, err
	}
	options.OwnKeys = ownKeys
	return engine.Load(policy, key, options)
}

func engineOptions(entities map[string]string) (engine.Options, error) {
	var options engine.Options
	for _, name := range slices.Sorted(maps.Keys(entities)) {
		value := entities[name]
		switch {
		case value == switchOff:
			options.Disable = append(options.Disable, name)
		case name == entityIP && value == switchAll:
			options.MaskPrivateIPs = true
		case name == entityIP && value == switchPublic:
		case name == entityIP:
			return options, fmt.Errorf("entities.ip: is %q, must be public, all or off", value)
		case value != switchOn:
			return options, fmt.Errorf("entities.%s: is %q, must be on or off", name, value)
		}
	}
	return options, nil
}
