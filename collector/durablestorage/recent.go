// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package durablestorage

import "go.opentelemetry.io/collector/extension/xextension/storage"

// mostRecent bounds what is held of one queue. A backlog comes from the disk.
const mostRecent = 8 << 20

// recent holds requests that were written and have not been read: mostly they are at once, and a
// read of the file is a transaction with two calls of fsync (filestorage/client.go, 0.161.0). Each is
// read once. When it is full it keeps the oldest, which are read next.
type recent struct {
	values map[string][]byte
	bytes  int
	most   int
}

// note remembers what was written and forgets what was deleted.
func (r *recent) note(operations []*storage.Operation) {
	for _, one := range operations {
		if _, isItem := itemIndex(one.Key); !isItem {
			continue
		}
		r.drop(one.Key)
		if one.Type == storage.Set && r.bytes+len(one.Value) <= r.most {
			if r.values == nil {
				r.values = map[string][]byte{}
			}
			r.values[one.Key] = one.Value
			r.bytes += len(one.Value)
		}
	}
}

func (r *recent) drop(key string) {
	r.bytes -= len(r.values[key])
	delete(r.values, key)
}

// answer fills reads in. It reports whether it knew all of them, and forgets them then.
func (r *recent) answer(reads []*storage.Operation) bool {
	for _, one := range reads {
		if _, known := r.values[one.Key]; !known {
			return false
		}
	}
	for _, one := range reads {
		one.Value = r.values[one.Key]
	}
	for _, one := range reads {
		r.drop(one.Key)
	}
	return true
}
