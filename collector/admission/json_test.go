// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

func jsonOf(v pcommon.Value, most int) *jsonText {
	text := &jsonText{most: most}
	text.value(v)
	return text
}

// TestJSONIsThatOfTheBackends compares with what pdata makes of a value, which backends store.
func TestJSONIsThatOfTheBackends(t *testing.T) {
	random, seed := seeded(t)
	o := odd{random}
	trials := []pcommon.Value{pcommon.NewValueMap(), pcommon.NewValueSlice()}
	for range 2000 {
		v := pcommon.NewValueSlice()
		o.value(v.Slice().AppendEmpty(), 0)
		o.value(v.Slice().AppendEmpty(), 0)
		trials = append(trials, v)
	}
	for _, v := range trials {
		text := jsonOf(v, 1<<30)
		if text.bytes != len(text.kept) || jsonLen(v) != text.bytes {
			t.Fatalf("seed %d: %d bytes are counted as %d and %d", seed, len(text.kept), text.bytes, jsonLen(v))
		}
		if stored := len(v.AsString()); stored > text.bytes {
			t.Fatalf("seed %d: a backend stores %d bytes, not %d: %s", seed, stored, text.bytes, text.kept)
		}
		var got, want any
		if err := json.Unmarshal(text.kept, &got); err != nil {
			t.Fatalf("seed %d: %v: %s", seed, err, text.kept)
		}
		repaired := pcommon.NewValueEmpty()
		v.CopyTo(repaired)
		w := walk{limits: limits{asJSON: true}}
		w.actions[encoding] = repair
		if w.repairValue(repaired); w.repaired != 0 { // pdata makes nothing of that, or other names
			continue
		}
		must(t, json.Unmarshal([]byte(v.AsString()), &want))
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: %s should be %s", seed, text.kept, v.AsString())
		}
	}
}

func TestJSONOfWhatHasNone(t *testing.T) {
	v := pcommon.NewValueSlice()
	v.Slice().AppendEmpty().SetDouble(math.NaN())
	v.Slice().AppendEmpty().SetStr("a\xffb")
	if got := string(jsonOf(v, 100).kept); got != `["NaN","a\ufffdb"]` {
		t.Errorf("it is %s", got)
	}
}

// TestJSONKeepsNoMoreThanItMay: what is counted may be far more.
func TestJSONKeepsNoMoreThanItMay(t *testing.T) {
	v := pcommon.NewValueMap()
	v.Map().PutStr("text", strings.Repeat("\x01", 1000))
	v.Map().PutEmptyBytes("bytes").FromRaw(make([]byte, 1000))
	v.Map().PutInt("number", 1_000_000_000_000)
	for _, most := range []int{0, 10, 1000, 7000} {
		text := jsonOf(v, most)
		if len(text.kept) != min(most, text.bytes) || text.bytes != jsonLen(v) {
			t.Errorf("%d of %d bytes are kept, not %d", len(text.kept), text.bytes, most)
		}
	}
}
