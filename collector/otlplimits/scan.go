// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import "sync"

// outcome is what a scan came to.
type outcome uint8

const (
	passed     outcome = iota
	malformed          // no protobuf, no JSON
	grouped            // protobuf's groups, which the decoder loses its place in
	tooLarge           // needs more memory than max_decoded_mib once decoded
	unwritable         // something has to be cut, and the bytes are not ours to write to
)

// bounds are what one request is held to.
type bounds struct {
	depth      int   // of maps and lists in a value
	attributes int   // in one list
	decoded    int64 // bytes once decoded
}

// report is what one scan found and repaired.
type report struct {
	outcome outcome
	// decoded estimates the memory that the decoded request needs, without the request's bytes.
	decoded int64
	// emptied counts values that were too deep, shortened lists with too many attributes.
	emptied, shortened int64
	// ids counts those of a length, or in JSON of a form, that no id has.
	ids int64
	// odd counts fields and messages that the decoder would have refused, and the request with them.
	odd int64
	// records counts log records, spans and data points.
	records int64
}

// mistaken reports whether a request has so much in it that is no OTLP that it seems to be something
// else altogether, such as spans sent to where logs go.
func (r *report) mistaken() bool { return r.odd > r.records+1 }

// scanner goes through the bytes of one request after the other. It never recurses: what a sender
// nests costs places in a stack of ours that has an end.
type scanner struct {
	bounds bounds
	report report
	proto  []protoFrame
	json   []jsonFrame
}

// messagesAbove is the most messages above a value: request, resource, scope, metric, its data,
// point, exemplar, attribute, with some to spare.
const messagesAbove = 16

// scanners keeps stacks for the next request.
type scanners struct{ pool sync.Pool }

func newScanners(b bounds) *scanners {
	return &scanners{pool: sync.Pool{New: func() any { return newScanner(b) }}}
}

func newScanner(b bounds) *scanner {
	return &scanner{
		bounds: b,
		proto:  make([]protoFrame, 0, messagesAbove+protoFramesPerLevel*(b.depth+1)),
		json:   make([]jsonFrame, 0, jsonFrames(b.depth)),
	}
}

// protobuf looks through a request in protobuf. Without write it cuts nothing and reports
// unwritable where it would.
func (s *scanners) protobuf(body []byte, root messageID, write bool) report {
	return s.run(func(one *scanner) { one.protobuf(body, root, write) }, int64(len(body)))
}

// json looks through a request in JSON.
func (s *scanners) jsonText(body []byte, root messageID) report {
	return s.run(func(one *scanner) { one.jsonText(body, root) }, int64(len(body)))
}

func (s *scanners) run(scan func(*scanner), size int64) (r report) {
	one := s.pool.Get().(*scanner)
	defer func() {
		if recover() != nil { // a mistake of ours must not end the Collector
			r = report{outcome: malformed}
			return // the scanner is not used again
		}
		s.pool.Put(one)
	}()
	one.report = report{}
	scan(one)
	if one.report.outcome == passed && one.report.mistaken() {
		one.report.outcome = malformed
	}
	if one.report.outcome == passed && one.report.decoded+size > one.bounds.decoded {
		one.report.outcome = tooLarge
	}
	return one.report
}
