// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// generator makes random requests from OTLP's own descriptors.
type generator struct {
	*rand.Rand
	depth int  // most levels of maps and lists
	odd   bool // with fields that OTLP does not have, and numbers in more bytes than they need
}

func newGenerator(seed uint64, depth int, odd bool) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 1)), depth: depth, odd: odd}
}

// chosen picks fields of a message: of several that exclude each other one.
func (g *generator) chosen(m protoreflect.MessageDescriptor, level int) []protoreflect.FieldDescriptor {
	var out []protoreflect.FieldDescriptor
	taken := map[protoreflect.FullName]bool{}
	for _, i := range g.Perm(m.Fields().Len()) {
		f := m.Fields().Get(i)
		if one := f.ContainingOneof(); one != nil {
			if taken[one.FullName()] {
				continue
			}
			if f.Kind() == protoreflect.MessageKind && m.Name() == "AnyValue" && level >= g.depth {
				continue
			}
			taken[one.FullName()] = true
		} else if g.IntN(4) == 0 {
			continue
		}
		out = append(out, f)
	}
	return out
}

// times is how often a field comes.
func (g *generator) times(f protoreflect.FieldDescriptor) int {
	if f.IsList() {
		return g.IntN(4)
	}
	return 1
}

func inner(m protoreflect.MessageDescriptor, level int) int {
	if m.Name() == "ArrayValue" || m.Name() == "KeyValueList" {
		return level + 1
	}
	return level
}

// protobuf writes a random message.
func (g *generator) protobuf(m protoreflect.MessageDescriptor, level int) []byte {
	var out []byte
	for _, f := range g.chosen(m, level) {
		if g.odd && g.IntN(8) == 0 {
			out = append(out, g.tag(g.IntN(500)+2048, wireBytes)...)
			junk := g.bytes(g.IntN(9))
			out = append(out, append(g.varint(uint64(len(junk))), junk...)...)
		}
		for range g.times(f) {
			switch f.Kind() {
			case protoreflect.MessageKind:
				b := g.protobuf(f.Message(), inner(f.Message(), level))
				out = append(out, append(append(g.tag(int(f.Number()), wireBytes), g.varint(uint64(len(b)))...), b...)...)
			case protoreflect.StringKind, protoreflect.BytesKind:
				b := []byte(g.text())
				if n := idLength(f); n > 0 {
					b = g.bytes(n)
				}
				out = append(out, append(append(g.tag(int(f.Number()), wireBytes), g.varint(uint64(len(b)))...), b...)...)
			case protoreflect.DoubleKind, protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
				out = append(out, g.tag(int(f.Number()), wireFixed8)...)
				out = binary.LittleEndian.AppendUint64(out, g.Uint64())
			case protoreflect.Fixed32Kind:
				out = append(out, g.tag(int(f.Number()), wireFixed4)...)
				out = binary.LittleEndian.AppendUint32(out, g.Uint32())
			default:
				out = append(out, append(g.tag(int(f.Number()), wireVarint), g.varint(g.Uint64N(1000))...)...)
			}
		}
	}
	return out
}

func idLength(f protoreflect.FieldDescriptor) int {
	switch f.Name() {
	case "trace_id":
		return 16
	case "span_id", "parent_span_id":
		return 8
	}
	return 0
}

func (g *generator) tag(number, wire int) []byte { return g.varint(uint64(number)<<3 | uint64(wire)) }

func (g *generator) varint(v uint64) []byte {
	out := appendVarint(nil, v)
	if g.odd && g.IntN(8) == 0 {
		out[len(out)-1] |= 0x80
		for range g.IntN(2) {
			out = append(out, 0x80)
		}
		out = append(out, 0)
	}
	return out
}

func (g *generator) bytes(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(g.Uint32())
	}
	return out
}

func (g *generator) text() string {
	return []string{"", "a", "http.method", `quote " and \ slash`, "üñí 漢字", "{[,:]}", "line\nend", repeat(40, "long ")}[g.IntN(8)]
}

// json writes a random message, with names and spaces of several senders.
func (g *generator) json(m protoreflect.MessageDescriptor, level int) string {
	out := "{" + g.space()
	first := true
	for _, f := range g.chosen(m, level) {
		if g.odd && g.IntN(8) == 0 {
			out += g.comma(&first) + `"unknown":` + []string{`{"a":[1,{"b":null}]}`, `-1.5e3`, `"x"`, `true`, `[]`}[g.IntN(5)]
		}
		name := f.JSONName()
		if g.IntN(3) == 0 {
			name = string(f.Name())
		}
		out += g.comma(&first) + `"` + name + `"` + g.space() + ":" + g.space()
		if !f.IsList() {
			out += g.jsonValue(f, level)
			continue
		}
		out += "["
		none := true
		for range g.times(f) {
			out += g.comma(&none) + g.jsonValue(f, level)
		}
		out += g.space() + "]"
	}
	return out + g.space() + "}"
}

func (g *generator) comma(first *bool) string {
	if *first {
		*first = false
		return ""
	}
	return "," + g.space()
}

func (g *generator) space() string { return []string{"", "", "", " ", "\n\t", "\r\n"}[g.IntN(6)] }

func (g *generator) jsonValue(f protoreflect.FieldDescriptor, level int) string {
	whole := strconv.Itoa(g.IntN(1000))
	if g.IntN(2) == 0 {
		whole = `"` + whole + `"`
	}
	switch f.Kind() {
	case protoreflect.MessageKind:
		return g.json(f.Message(), inner(f.Message(), level))
	case protoreflect.StringKind:
		return fmt.Sprintf("%q", g.text())
	case protoreflect.BytesKind:
		if n := idLength(f); n > 0 {
			return `"` + hex.EncodeToString(g.bytes(n)) + `"`
		}
		return `"` + base64.StdEncoding.EncodeToString(g.bytes(g.IntN(9))) + `"`
	case protoreflect.BoolKind:
		return strconv.FormatBool(g.IntN(2) == 0)
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		one := values.Get(g.IntN(values.Len()))
		// The decoder has SEVERITY_NUMBER_TRACE with a space behind it.
		if g.IntN(2) == 0 && one.Name() != "SEVERITY_NUMBER_TRACE" {
			return `"` + string(one.Name()) + `"`
		}
		return strconv.Itoa(int(one.Number()))
	case protoreflect.DoubleKind:
		return []string{"0", "-1.5", "1e300", `"2.5"`, "12345678901234567890"}[g.IntN(5)]
	}
	return whole
}
