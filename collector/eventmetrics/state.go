// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// stateKey is where the storage extension keeps the counts.
const stateKey = "counts"

// stateVersion changes with the meaning of what is stored.
const stateVersion = 1

type storedState struct {
	Version  int            `json:"version"`
	Families []storedFamily `json:"families"`
}

type storedFamily struct {
	Name    string         `json:"name"`
	Labels  []string       `json:"labels"`
	Buckets []float64      `json:"buckets,omitempty"`
	Series  []storedSeries `json:"series"`
}

type storedSeries struct {
	Values    []string  `json:"values"`
	Start     time.Time `json:"start"`
	Count     uint64    `json:"count"`
	Sum       sum       `json:"sum"`
	Buckets   []uint64  `json:"buckets,omitempty"`
	Announced bool      `json:"announced"`
}

func encodeState(families []*family) ([]byte, error) {
	state := storedState{Version: stateVersion}
	for _, f := range families {
		stored := storedFamily{Name: f.config.Name, Labels: f.labelNames(), Buckets: f.config.Buckets}
		for _, s := range f.series {
			stored.Series = append(stored.Series, storedSeries{
				Values: s.values, Start: s.start, Count: s.count, Sum: s.sum,
				Buckets: s.buckets, Announced: s.announced,
			})
		}
		state.Families = append(state.Families, stored)
	}
	return json.Marshal(state)
}

// restoreState puts stored counts into the families. A family whose labels or buckets have
// changed since starts anew; their names are returned.
func restoreState(data []byte, families []*family) (changed []string, err error) {
	var state storedState
	if err := json.Unmarshal(data, &state); err != nil {
		return nil, fmt.Errorf("the stored counts cannot be read: %w", err)
	}
	if state.Version != stateVersion {
		return nil, fmt.Errorf("the stored counts have version %d, not %d", state.Version, stateVersion)
	}
	stored := map[string]*storedFamily{}
	for i := range state.Families {
		stored[state.Families[i].Name] = &state.Families[i]
	}
	for _, f := range families {
		old := stored[f.config.Name]
		if old == nil {
			continue
		}
		if !slices.Equal(old.Labels, f.labelNames()) || !slices.Equal(old.Buckets, f.config.Buckets) {
			changed = append(changed, f.config.Name)
			continue
		}
		for _, was := range old.Series {
			f.restore(was)
		}
	}
	return changed, nil
}

func (f *family) restore(was storedSeries) {
	s := f.at(was.Values, was.Start)
	s.start, s.count, s.sum, s.announced = was.Start, was.Count, was.Sum, was.Announced
	copy(s.buckets, was.Buckets)
	values := was.Values
	if f.config.EventLabel != "" {
		values = values[1:]
	}
	for i, l := range f.labels {
		if value := values[i]; !l.known[value] && value != otherValue {
			l.learnt[value] = true
		}
	}
}

func (f *family) labelNames() []string {
	var names []string
	if f.config.EventLabel != "" {
		names = append(names, f.config.EventLabel)
	}
	for _, l := range f.labels {
		names = append(names, l.config.Name)
	}
	return names
}
