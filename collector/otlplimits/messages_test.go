// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/reflect/protoreflect"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

var descriptors = map[messageID]protoreflect.MessageDescriptor{
	logsRequest:    (&collogs.ExportLogsServiceRequest{}).ProtoReflect().Descriptor(),
	traceRequest:   (&coltrace.ExportTraceServiceRequest{}).ProtoReflect().Descriptor(),
	metricsRequest: (&colmetrics.ExportMetricsServiceRequest{}).ProtoReflect().Descriptor(),
}

func kindOf(f protoreflect.FieldDescriptor) kind {
	switch f.Kind() {
	case protoreflect.MessageKind:
		return messageKind
	case protoreflect.StringKind:
		return stringKind
	case protoreflect.BytesKind:
		return bytesKind
	case protoreflect.BoolKind:
		return boolKind
	case protoreflect.EnumKind:
		return enumKind
	case protoreflect.DoubleKind:
		return floatKind
	case protoreflect.Int32Kind, protoreflect.Sint32Kind:
		return int32Kind
	case protoreflect.Uint32Kind:
		return uint32Kind
	case protoreflect.Fixed32Kind:
		return fixed32Kind
	case protoreflect.Int64Kind:
		return int64Kind
	case protoreflect.Sfixed64Kind:
		return sfixed64Kind
	case protoreflect.Uint64Kind:
		return uint64Kind
	case protoreflect.Fixed64Kind:
		return fixed64Kind
	}
	panic(f.FullName())
}

func enumNames(f protoreflect.FieldDescriptor) (names []string) {
	if f.Kind() == protoreflect.EnumKind {
		for i := range f.Enum().Values().Len() {
			names = append(names, string(f.Enum().Values().Get(i).Name()))
		}
	}
	return names
}

// The table has each field of OTLP's own descriptors, and no other but the deprecated ones.
func TestMessagesAreOTLP(t *testing.T) {
	seen := map[messageID]protoreflect.FullName{}
	var compare func(messageID, protoreflect.MessageDescriptor)
	compare = func(id messageID, want protoreflect.MessageDescriptor) {
		if seen[id] == want.FullName() {
			return
		}
		if seen[id] != "" {
			t.Errorf("message %d stands for %s and %s", id, seen[id], want.FullName())
			return
		}
		seen[id] = want.FullName()
		m := &messages[id]
		known := 0
		for i := range want.Fields().Len() {
			f := want.Fields().Get(i)
			got := m.field(int32(f.Number()))
			if got == nil {
				t.Errorf("%s is missing", f.FullName())
				continue
			}
			known++
			if got.name != f.JSONName() || got.alias != string(f.Name()) ||
				got.list != f.IsList() || got.kind != kindOf(f) || got.idBytes != idLength(f) {
				t.Errorf("%s is %+v", f.FullName(), *got)
			}
			if m.named([]byte(f.JSONName())) != got || m.named([]byte(f.Name())) != got {
				t.Errorf("%s is not found by its names", f.FullName())
			}
			for _, name := range enumNames(f) {
				if known := slices.Contains(got.names, name); known == (name == "SEVERITY_NUMBER_TRACE") {
					t.Errorf("%s: %s is a name: %v", f.FullName(), name, known)
				}
			}
			if f.Kind() == protoreflect.MessageKind {
				compare(got.child, f.Message())
			} else if got.child != unknownMessage {
				t.Errorf("%s is no message", f.FullName())
			}
		}
		for _, f := range m.fields {
			if f.number == deprecatedNumber {
				known++
			}
		}
		if known != len(m.fields) {
			t.Errorf("%s has %d fields more than OTLP", want.FullName(), len(m.fields)-known)
		}
	}
	for id, descriptor := range descriptors {
		compare(id, descriptor)
	}
	if len(seen) != int(messageCount)-1 {
		t.Errorf("%d messages are reached of %d", len(seen), messageCount-1)
	}
}

// way is how bytes of a message become a request.
type way func([]byte) []byte

// ways has one for each message of the table, through each field that leads there once.
func ways(root messageID) map[messageID]way {
	found := map[messageID]way{root: func(b []byte) []byte { return b }}
	for again := true; again; {
		again = false
		for id, outer := range found {
			for _, f := range messages[id].fields {
				if _, known := found[f.child]; f.child != unknownMessage && !known {
					found[f.child] = func(b []byte) []byte { return outer(tagged(int(f.number), b)) }
					again = true
				}
			}
		}
	}
	return found
}

// A message that the decoder reads and the table does not have would hide what is in it. Zeros are
// no message: the decoder fails at them where it reads one, and nowhere else but at a trace id.
func TestDecoderReadsNoOtherMessage(t *testing.T) {
	zeros := make([]byte, 8)
	for root := range descriptors {
		for id, wrap := range ways(root) {
			for number := 1; number < 3000; number++ {
				_, err := decode(root, wrap(tagged(number, zeros)), false)
				known := messages[id].field(int32(number))
				wantError := known != nil && (known.child != unknownMessage ||
					!known.takes(wireBytes) || known.idBytes == 16)
				if (err != nil) != wantError {
					t.Errorf("field %d of message %d: %v", number, id, err)
				}
			}
		}
	}
}

// sizeOf is what a value of a type needs, rounded up as Go's memory is.
func sizeOf(t reflect.Type) int64 { return (int64(t.Size()) + 15) / 16 * 16 }

// The costs of the table cover what the decoder's own types need, and not much more.
func TestCosts(t *testing.T) {
	check := func(id messageID, f field, least float64) {
		t.Helper()
		if f.cost < int64(least) || float64(f.cost) > 1.7*least+16 {
			t.Errorf("%s of message %d costs %d, needs %.0f", f.name, id, f.cost, least)
		}
	}
	const slack = 1.25 // of a list that has grown
	seen := map[messageID]bool{}
	var walk func(messageID, reflect.Type)
	walk = func(id messageID, decoded reflect.Type) {
		if seen[id] {
			return
		}
		seen[id] = true
		for _, f := range messages[id].fields {
			name := goName(f.name)
			in, found := decoded.FieldByName(name)
			if !found { // one of several that share a field
				box := boxes(decoded, name)
				if box == nil {
					t.Errorf("%s has no %s", decoded, name)
					continue
				}
				need := float64(sizeOf(box))
				if box.Field(0).Type.Kind() == reflect.Pointer {
					need = 8 + float64(sizeOf(box.Field(0).Type.Elem()))
					walk(f.child, box.Field(0).Type.Elem())
				} else if box.Size() <= 8 {
					need = 8
				}
				check(id, f, need)
				continue
			}
			item := in.Type
			if f.list {
				item = item.Elem()
				need := slack * float64(item.Size())
				if item.Kind() == reflect.Pointer {
					item = item.Elem()
					need += float64(sizeOf(item))
				}
				check(id, f, need)
			} else if f.cost != 0 {
				t.Errorf("%s of message %d is part of its message", f.name, id)
			}
			if f.child != unknownMessage {
				walk(f.child, item)
			}
		}
	}
	walk(logsRequest, reflect.TypeFor[plogotlp.ExportRequest]().Field(0).Type.Elem())
	walk(traceRequest, reflect.TypeFor[ptraceotlp.ExportRequest]().Field(0).Type.Elem())
	walk(metricsRequest, reflect.TypeFor[pmetricotlp.ExportRequest]().Field(0).Type.Elem())
}

func goName(json string) string { return string(json[0]-'a'+'A') + json[1:] }

// boxes finds the type that holds one of several: nothing but a value of it shows it.
func boxes(decoded reflect.Type, name string) reflect.Type {
	id := unknownMessage
	for candidate, typeName := range map[messageID]string{
		anyValue: "AnyValue", numberPoint: "NumberDataPoint", exemplar: "Exemplar", metricMessage: "Metric",
	} {
		if decoded.Name() == typeName {
			id = candidate
		}
	}
	for i := range messages[id].fields {
		f := &messages[id].fields[i]
		if goName(f.name) != name {
			continue
		}
		for root := range descriptors {
			wrap, reached := ways(root)[id]
			if !reached {
				continue
			}
			request := newRequest(root)
			if err := request.UnmarshalProto(wrap(oneField(f))); err != nil {
				panic(fmt.Sprint(f.name, err))
			}
			if box := findBox(reflect.ValueOf(request), decoded.Name()+"_"+name); box != nil {
				return box
			}
		}
	}
	return nil
}

func oneField(f *field) []byte {
	switch f.wire() {
	case wireBytes:
		return tagged(int(f.number), nil)
	case wireFixed8:
		return append([]byte{byte(f.number<<3 | wireFixed8)}, make([]byte, 8)...)
	}
	return []byte{byte(f.number<<3 | wireVarint), 0}
}

// findBox looks through a decoded request for a value of a type.
func findBox(v reflect.Value, name string) reflect.Type {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return findBox(v.Elem(), name)
	case reflect.Struct:
		if v.Type().Name() == name {
			return v.Type()
		}
		for i := range v.NumField() {
			if box := findBox(v.Field(i), name); box != nil {
				return box
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if box := findBox(v.Index(i), name); box != nil {
				return box
			}
		}
	}
	return nil
}
