// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
)

// Signals, as they stand in the configuration and in labels.
const (
	signalTraces  = "traces"
	signalLogs    = "logs"
	signalMetrics = "metrics"
)

// reason is why a record is not acceptable as it is.
type reason uint8

// The reasons, in the order in which a record is checked.
const (
	encoding    reason = iota // text that is no UTF-8
	name                      // one without an ASCII letter or digit, which cannot be filed, or twice
	value                     // a value longer than the backend takes
	severity                  // a severity that is none, or a text that says something else than its number
	body                      // a log body longer than the backend takes
	attributes                // more attributes, or more bytes in them, than the backend takes
	index                     // a value that is too long, or no text, to file or name a service by
	services                  // one service more than the bound
	timestamp                 // a time outside of what the backend can find again
	ids                       // a trace or span id that is missing or zero
	temporality               // a temporality that is not set
	scale                     // an exponential scale coarser than the backend knows
	counts                    // bucket counts that do not add up
	exemplar                  // an exemplar without a value
	late                      // older than the backend takes
	noData                    // a metric without type or points
	noValue                   // a point without a value
	offset                    // bucket positions that no number falls into
	series                    // one series more than the bound
	broken                    // the check itself failed
	reasonCount
)

// action is what is done about a reason.
type action uint8

const (
	keep     action = iota // nothing: the backend takes it after all
	repair                 // changed; the meaning stays
	setAside               // to the dead letters
	refuse                 // dropped
	actionCount
)

// actionNames are those of the configuration and of the documentation.
var actionNames = [actionCount]string{"keep", "repair", "set_aside", "refuse"}

// rule is one line of a signal's table.
type rule struct {
	reason     reason
	normally   action
	repairable bool
}

// reasonNames are the label `reason`.
var reasonNames = [reasonCount]string{
	encoding: "encoding", name: "name", value: "value", severity: "severity", body: "body", attributes: "attributes",
	index: "index", services: "services", timestamp: "timestamp", ids: "ids",
	temporality: "temporality", scale: "scale", counts: "counts", exemplar: "exemplar",
	late: "late", noData: "no_data", noValue: "no_value", offset: "offset", series: "series", broken: "broken",
}

// The tables: what can be wrong with each signal, and what is normally done about it.
var tables = map[string][]rule{
	signalLogs: {
		{encoding, repair, true}, {name, repair, true}, {value, repair, true},
		{severity, repair, true}, {body, repair, true},
		{attributes, repair, true}, {index, repair, true}, {services, repair, true},
		{timestamp, repair, true}, {broken, setAside, false},
	},
	signalTraces: {
		{encoding, repair, true}, {name, repair, true}, {value, repair, true},
		{attributes, repair, true}, {index, repair, true}, {services, repair, true},
		{timestamp, repair, true}, {ids, repair, true}, {broken, setAside, false},
	},
	signalMetrics: {
		{encoding, repair, true}, {name, repair, true}, {value, repair, true}, {index, repair, true},
		{services, repair, true}, {timestamp, repair, true}, {temporality, repair, true},
		{scale, repair, true}, {counts, repair, true}, {exemplar, repair, true},
		{late, setAside, false}, {noData, refuse, false}, {noValue, refuse, false},
		{offset, refuse, false}, {series, refuse, false}, {broken, setAside, false},
	},
}

// actionsOf returns the action for each reason of a signal: the table's, or the one that is
// configured. An error names the key to fix and what can stand there.
func actionsOf(signal string, configured map[string]string) ([reasonCount]action, error) {
	var actions [reasonCount]action
	known := map[string]rule{}
	for _, one := range tables[signal] {
		actions[one.reason] = one.normally
		known[reasonNames[one.reason]] = one
	}
	for _, key := range slices.Sorted(maps.Keys(configured)) {
		one, found := known[key]
		if !found {
			return actions, fmt.Errorf("actions: %s is no reason; there are %s",
				key, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		at := slices.Index(actionNames[:], configured[key])
		switch {
		case at < 0:
			return actions, fmt.Errorf("actions.%s: is %q, must be one of %s",
				key, configured[key], strings.Join(actionNames[:], ", "))
		case action(at) == repair && !one.repairable:
			return actions, fmt.Errorf("actions.%s: there is no repair; choose set_aside or refuse", key)
		}
		actions[one.reason] = action(at)
	}
	return actions, nil
}

// reasons is a set of them.
type reasons uint32

func (r reasons) has(one reason) bool { return r&(1<<one) != 0 }

func (r *reasons) add(one reason) { *r |= 1 << one }

// each calls f with the members, in order.
func (r reasons) each(f func(reason)) {
	for left := uint32(r); left != 0; left &= left - 1 {
		f(reason(bits.TrailingZeros32(left)))
	}
}

// String lists the members, as a record carries them.
func (r reasons) String() string {
	var names []string
	r.each(func(one reason) { names = append(names, reasonNames[one]) })
	return strings.Join(names, ",")
}
