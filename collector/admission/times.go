// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"math"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// window is the time in which a record can be found again, around the arrival of its batch.
type window struct {
	now, oldest, newest pcommon.Timestamp
}

func (c TimeConfig) around(now time.Time) window {
	return window{
		now:    pcommon.NewTimestampFromTime(now),
		oldest: pcommon.NewTimestampFromTime(now.Add(-c.Oldest)),
		newest: pcommon.NewTimestampFromTime(now.Add(c.Newest)),
	}
}

func (w window) has(at pcommon.Timestamp) bool { return w.oldest <= at && at <= w.newest }

// longest is what a duration may be that is kept when both ends of a span are out of range, in a
// window that is as long.
const longest = pcommon.Timestamp(24 * time.Hour)

// fit brings the two ends of a span into the window. An end that is in it stays.
func (w window) fit(start, end pcommon.Timestamp) (pcommon.Timestamp, pcommon.Timestamp) {
	switch {
	case w.has(start):
		return start, start
	case w.has(end):
		return end, end
	case end >= start && end-start <= min(longest, w.now-w.oldest):
		return w.now - (end - start), w.now
	default:
		return w.now, w.now
	}
}

// timeText writes a time for people where it is one, else as the number that was sent.
func timeText(at pcommon.Timestamp) string {
	if at > math.MaxInt64 {
		return strconv.FormatUint(uint64(at), 10)
	}
	return at.AsTime().Format(time.RFC3339Nano)
}
