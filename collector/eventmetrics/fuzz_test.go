// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// tape makes records of the bytes that the fuzzer turns.
type tape struct{ left []byte }

func (t *tape) next() byte {
	if len(t.left) == 0 {
		return 0
	}
	b := t.left[0]
	t.left = t.left[1:]
	return b
}

func (t *tape) number() uint64 {
	var eight [8]byte
	t.left = t.left[copy(eight[:], t.left):]
	return binary.LittleEndian.Uint64(eight[:])
}

func (t *tape) text() string {
	texts := []string{
		"EUR", "USD", "SEK", "other", "", "a b", "1e308", "1.7976931348623157e308", "0x1p1023", "-0",
		"1970-01-01T00:00:00Z", "18446744073709551615", "\xff\x00", "created\x00EUR",
	}
	n := int(t.next())
	if n < 200 {
		return texts[n%len(texts)]
	}
	end := min(n-200, len(t.left))
	text := string(t.left[:end])
	t.left = t.left[end:]
	return text
}

func (t *tape) fill(value pcommon.Value, depth int) {
	switch t.next() % 9 {
	case 0, 1:
		value.SetStr(t.text())
	case 2:
		value.SetDouble(math.Float64frombits(t.number()))
	case 3:
		value.SetDouble([]float64{1e308, math.MaxFloat64, math.SmallestNonzeroFloat64, 1e16, 0.1, 3}[t.next()%6])
	case 4:
		value.SetInt(int64(t.number()))
	case 5:
		value.SetBool(t.next()%2 == 0)
	case 6:
		value.SetEmptyBytes().FromRaw([]byte(t.text()))
	case 7:
		if inner := value.SetEmptyMap(); depth < 4 {
			t.fill(inner.PutEmpty(t.text()), depth+1)
		}
	case 8:
		if inner := value.SetEmptySlice(); depth < 4 {
			t.fill(inner.AppendEmpty(), depth+1)
		}
	}
}

func (t *tape) request() plog.Logs {
	logs := plog.NewLogs()
	for len(t.left) > 0 {
		if logs.ResourceLogs().Len() == 0 || t.next()%8 == 0 {
			scope := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
			scope.Scope().SetName(t.text())
		}
		last := logs.ResourceLogs().At(logs.ResourceLogs().Len() - 1)
		record := last.ScopeLogs().At(0).LogRecords().AppendEmpty()
		record.SetEventName([]string{"payment.created", "payment.failed", "", "x"}[t.next()%4])
		has := t.next()
		for i, key := range []string{
			"payment.currency", "payment.amount", "payment.delay", "event", uidKey, originalTimeKey,
		} {
			if has&(1<<i) != 0 {
				t.fill(record.Attributes().PutEmpty(key), 0)
			}
		}
		if has == math.MaxUint8 {
			record.Attributes().PutStr(replayedKey, "x")
		}
		if has&(1<<7) != 0 {
			record.SetTimestamp(pcommon.Timestamp(t.number()))
			record.SetTraceID(pcommon.TraceID{t.next()})
			t.fill(record.Body(), 0)
		}
	}
	return logs
}

// FuzzConsume: whatever comes, everything can be stored, exposed and restored, a payment that comes
// after it counts, and what comes again does not.
func FuzzConsume(f *testing.F) {
	random := rand.NewChaCha8([32]byte{1})
	for range 50 {
		bytes := make([]byte, 2000)
		_, _ = random.Read(bytes)
		f.Add(bytes)
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		logs := (&tape{bytes}).request()
		config := watchful()
		config.StorageID = &storageID
		store := &memory{}
		r := start(t, config, store)
		r.post(t, logs)
		r.after(t, time.Second)
		counted := func() uint64 { return r.families[0].series["created\x00USD"].count }
		before := counted()
		r.send(t, at(424242, event("payment.created", map[string]any{"payment.currency": "USD"})))
		r.after(t, time.Second)
		if counted() != before+1 {
			t.Errorf("%d payments, want %d", counted(), before+1)
		}
		r.post(t, logs)
		if again := r.after(t, time.Second); again != nil {
			t.Errorf("a repeat changed %v", again)
		}
		r.shutdown(t)
		r.expectCounts(t, "failed", map[string]int64{})
		second := start(t, config, store)
		defer second.shutdown(t)
		expect(t, second.sink.page(), r.sink.page())
		second.expectCounts(t, "failed", map[string]int64{})
	})
}
