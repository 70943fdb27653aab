// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

// partOfOne: logs, traces and metrics have one part in so many of the whole to themselves.
const partOfOne = 8

// shares divides a whole, places or bytes, among the signals: the requests of one whose backend does
// not answer wait, and would have all of it. What is no signal's own is for whoever comes first. The
// lock is its owner's.
type shares struct {
	most int64
	used int64
	// held is what each signal has of it, by the root of its requests. That of unknownMessage is
	// nobody's, and has no part to itself.
	held [metricsRequest + 1]int64
}

// fits reports whether a signal may have so many more: they are within its own part, or left over
// when each other signal has what its own part still lacks.
func (s *shares) fits(signal messageID, more int64) bool {
	return s.withinOwn(signal, more) || more <= s.left(signal)
}

func (s *shares) withinOwn(signal messageID, more int64) bool {
	return signal != unknownMessage && s.held[signal]+more <= s.most/partOfOne
}

func (s *shares) left(signal messageID) int64 {
	left := s.most - s.used
	for other := logsRequest; other <= metricsRequest; other++ {
		if other != signal {
			left -= max(0, s.most/partOfOne-s.held[other])
		}
	}
	return left
}

// add changes what a signal has.
func (s *shares) add(signal messageID, more int64) {
	s.held[signal] += more
	s.used += more
}
