// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "encoding/json"

// Value redacts one JSON value that stands under key. A string is treated as the text it holds;
// maps, lists and numbers as in redaction/README.md. The rest of the bytes stay as they are.
func (e *Engine) Value(key string, raw json.RawMessage, h *Hits) (json.RawMessage, error) {
	if !json.Valid(raw) {
		var v any
		return nil, json.Unmarshal(raw, &v)
	}
	// One level fewer than a JSON text inside a string, as this one is the value itself.
	w := jsonWalk{s: string(raw), maxDepth: 10_000, e: e, h: h, depth: -1}
	w.space()
	w.value(e.lookup(key), 0, false)
	if !w.changed {
		return raw, nil
	}
	w.out.WriteString(w.s[w.kept:])
	return json.RawMessage(w.out.String()), nil
}
