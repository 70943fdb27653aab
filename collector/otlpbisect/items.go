// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// path leads to the items of a message: at each level the fields that are gone through. Nothing is
// decoded: what stands beside it is passed over by its length.
type path [][]protowire.Number

// count returns how many messages stand at the end of the path.
func (p path) count(message []byte) (int, error) {
	total := 0
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return 0, protowire.ParseError(n)
		}
		message = message[n:]
		if kind != protowire.BytesType || !slices.Contains(p[0], field) {
			if n = protowire.ConsumeFieldValue(field, kind, message); n < 0 {
				return 0, protowire.ParseError(n)
			}
			message = message[n:]
			continue
		}
		inner, n := protowire.ConsumeBytes(message)
		if n < 0 {
			return 0, protowire.ParseError(n)
		}
		message = message[n:]
		if len(p) == 1 {
			total++
			continue
		}
		below, err := p[1:].count(inner)
		if err != nil {
			return 0, err
		}
		total += below
	}
	return total, nil
}
