// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"go.uber.org/zap"
)

// Version 1 stored all counts as one document. They are taken over once, and removed when they
// are stored anew.
const (
	outdatedKey     = "counts"
	outdatedVersion = 1
)

type outdatedState struct {
	Version  int               `json:"version"`
	Families []json.RawMessage `json:"families"`
}

type outdatedFamily struct {
	Name    string            `json:"name"`
	Labels  []string          `json:"labels"`
	Buckets []float64         `json:"buckets"`
	Series  []json.RawMessage `json:"series"`
}

func (c *eventMetrics) restoreOutdated(ctx context.Context) error {
	data, err := c.client.Get(ctx, outdatedKey)
	if err != nil || data == nil {
		return err
	}
	c.flusher.outdated = true
	var state outdatedState
	if err := json.Unmarshal(data, &state); err != nil || state.Version != outdatedVersion {
		// Refusing to start would stop all telemetry for the sake of old counts.
		for _, f := range c.families {
			c.failed(ctx, stageRestore, f, 1, errors.New("the stored counts cannot be read and start at zero"))
		}
		return nil
	}
	for _, raw := range state.Families {
		var was outdatedFamily
		_ = json.Unmarshal(raw, &was) // what can be read of it is used
		at := slices.IndexFunc(c.families, func(f *family) bool { return f.config.Name == was.Name })
		// What was stored since then is newer.
		if at < 0 || c.families[at].slots.count > 0 {
			continue
		}
		c.reportRestored(ctx, c.families[at], c.families[at].takeOver(was))
	}
	return nil
}

func (f *family) takeOver(was outdatedFamily) (result restored) {
	if !slices.Equal(was.Labels, f.labelNames()) || !slices.Equal(was.Buckets, f.config.Buckets) {
		result.changed = len(was.Series)
		return result
	}
	for _, raw := range was.Series {
		var one storedSeries
		if err := json.Unmarshal(raw, &one); err != nil {
			result.broken++
			continue
		}
		result.take(f, &one, "")
	}
	return result
}

// removeOutdated removes what version 1 had stored, once everything is stored anew.
func (c *eventMetrics) removeOutdated(ctx context.Context) {
	if err := guarded(func() error { return c.client.Delete(ctx, outdatedKey) }); err != nil {
		// Again with the next flush. They do no harm: what was stored since is what counts.
		if c.mayLog("remove") {
			c.logger.Warn("The counts of version 1 could not be removed", zap.Error(err))
		}
		return
	}
	c.flusher.outdated = false
}
