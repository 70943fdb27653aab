// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package piiprocessor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"
	collectorlogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// requests are a request of each signal with a canary in every string that OTLP has, by the
// protocol's own description: what a later version adds is in here, too.
func requests() map[string]proto.Message {
	all := map[string]proto.Message{
		"traces":  &collectortraces.ExportTraceServiceRequest{},
		"logs":    &collectorlogs.ExportLogsServiceRequest{},
		"metrics": &collectormetrics.ExportMetricsServiceRequest{},
	}
	for _, request := range all {
		fill(request.ProtoReflect())
	}
	return all
}

var places int

// canary is personal data, unlike any other.
func canary() string {
	places++
	return fmt.Sprintf("canary%d@example.com", places)
}

// fill sets every field that can hold a string.
func fill(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		// Of fields that exclude each other the one that is set stays.
		if one := fields.Get(i).ContainingOneof(); one == nil || m.WhichOneof(one) == nil {
			set(m, fields.Get(i))
		}
	}
}

func set(m protoreflect.Message, field protoreflect.FieldDescriptor) {
	kind := field.Message()
	switch {
	case kind != nil && kind.Name() == "AnyValue":
		m.Set(field, protoreflect.ValueOfMessage(list(values(0)).ProtoReflect()))
	case kind != nil && kind.Name() == "KeyValue":
		for _, value := range values(0) {
			entry := &common.KeyValue{Key: canary(), Value: value}
			m.Mutable(field).List().Append(protoreflect.ValueOfMessage(entry.ProtoReflect()))
		}
	case kind != nil && kind.Name() == "Metric": // one of every type
		types := kind.Oneofs().Get(0).Fields()
		for i := range types.Len() {
			metric := m.Mutable(field).List().AppendMutable().Message()
			set(metric, types.Get(i))
			fill(metric)
		}
	case kind != nil && field.IsList():
		fill(m.Mutable(field).List().AppendMutable().Message())
	case kind != nil:
		fill(m.Mutable(field).Message())
	case field.Kind() == protoreflect.StringKind && field.IsList():
		m.Mutable(field).List().Append(protoreflect.ValueOfString(canary()))
	case field.Kind() == protoreflect.StringKind:
		m.Set(field, protoreflect.ValueOfString(canary()))
	case field.Kind() == protoreflect.BytesKind && !strings.HasSuffix(string(field.Name()), "_id"):
		m.Set(field, protoreflect.ValueOfBytes([]byte(canary())))
	}
}

// values are values of every type that can hold a string, in lists and maps, too.
func values(depth int) []*common.AnyValue {
	all := []*common.AnyValue{
		{Value: &common.AnyValue_StringValue{StringValue: canary()}},
		{Value: &common.AnyValue_BytesValue{BytesValue: []byte(canary())}},
	}
	if depth == 2 {
		return all
	}
	inner := &common.KeyValueList{}
	for _, value := range values(depth + 1) {
		inner.Values = append(inner.Values, &common.KeyValue{Key: canary(), Value: value})
	}
	kvlist := &common.AnyValue{Value: &common.AnyValue_KvlistValue{KvlistValue: inner}}
	return append(all, list(values(depth+1)), kvlist)
}

func list(values []*common.AnyValue) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_ArrayValue{
		ArrayValue: &common.ArrayValue{Values: values},
	}}
}

// TestTheTypesOfValuesAreKnown fails when the protocol gets a type that values has not.
func TestTheTypesOfValuesAreKnown(t *testing.T) {
	var known []string
	fields := (&common.AnyValue{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		known = append(known, string(fields.Get(i).Name()))
	}
	want := []string{
		"string_value", "bool_value", "int_value", "double_value", "array_value", "kvlist_value", "bytes_value",
		"string_value_strindex", // a place in a table that only profiles have
	}
	if !slices.Equal(known, want) {
		t.Errorf("values have the types %v, tried are %v", known, want)
	}
}

// leaks returns the places that still hold a canary.
func leaks(t *testing.T, request proto.Message, encoded []byte) []string {
	t.Helper()
	out := request.ProtoReflect().New()
	fatal(t, proto.Unmarshal(encoded, out.Interface()))
	found := map[string]bool{}
	search(out, "", found)
	return slices.Sorted(maps.Keys(found))
}

func search(m protoreflect.Message, path string, found map[string]bool) {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		at := path + "." + string(field.Name())
		each := func(v protoreflect.Value) {
			switch {
			case field.Message() != nil:
				search(v.Message(), at, found)
			case field.Kind() == protoreflect.StringKind && strings.Contains(v.String(), "@example.com"),
				field.Kind() == protoreflect.BytesKind && strings.Contains(string(v.Bytes()), "@example.com"):
				found[strings.TrimPrefix(at, ".")] = true
			}
		}
		if field.IsList() {
			for i := range value.List().Len() {
				each(value.List().Get(i))
			}
		} else {
			each(value)
		}
		return true
	})
}

// TestEveryStringOfOTLPIsChecked proves the list of surfaces whole, and each of its entries needed.
func TestEveryStringOfOTLPIsChecked(t *testing.T) {
	all := requests()
	for _, one := range pipelines(t, testSettings(componenttest.NewTelemetry()), testConfig(), "") {
		request := all[one.signal]
		in, err := proto.Marshal(request)
		fatal(t, err)
		sent := leaks(t, request, in)
		if len(sent) < 15 {
			t.Errorf("%s: only %d places are tried: %v", one.signal, len(sent), sent)
		}
		out, err := one.run(in)
		fatal(t, err)
		if left := leaks(t, request, out); len(left) > 0 {
			t.Errorf("%s: a canary is left in %v", one.signal, left)
		}
		// Each surface taken out: what it guards shows, and nothing else.
		guarded := map[string]string{}
		for _, surface := range one.surfaces {
			for _, mutant := range pipelines(t, testSettings(componenttest.NewTelemetry()), testConfig(), surface) {
				if mutant.signal != one.signal {
					continue
				}
				out, err := mutant.run(in)
				fatal(t, err)
				left := leaks(t, request, out)
				if len(left) == 0 {
					t.Errorf("%s: without %s nothing is missed", one.signal, surface)
				}
				for _, place := range left {
					if other, twice := guarded[place]; twice {
						t.Errorf("%s: %s and %s both guard %s", one.signal, surface, other, place)
					}
					guarded[place] = surface
				}
			}
		}
		if missing := len(sent) - len(guarded); missing != 0 {
			t.Errorf("%s: %d places are guarded by no surface", one.signal, missing)
		}
	}
}
