// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
)

// The ids that are known are stored in blocks, under "repeats/<generation>/<block>"; blocks are filled
// from 0. What is known about all of them stands under "repeats".
const (
	repeatsKey   = "repeats"
	blockLength  = 256
	identitySize = 16
)

// repeatsHead is the document under repeatsKey. Key is what the ids were made with.
type repeatsHead struct {
	Key        []byte    `json:"key"`
	Generation uint64    `json:"generation"`
	Since      time.Time `json:"since"`
}

// storedRepeats is how far the ids are on disk.
type storedRepeats struct {
	enabled    bool
	key        idKey
	generation uint64
	// block is the number of the block that is being filled, tail what is in it, and tailStored how
	// much of that is on disk.
	block      int
	tail       []identity
	tailStored int
	// earlier is how many blocks the generation before has.
	earlier int
	// operations wait to be written.
	operations []*storage.Operation
}

func blockKey(generation uint64, block int) string {
	return repeatsKey + "/" + strconv.FormatUint(generation, 10) + "/" + strconv.Itoa(block)
}

func (s *storedRepeats) add(id identity) {
	if !s.enabled {
		return
	}
	s.tail = append(s.tail, id)
	if len(s.tail) == blockLength {
		s.operations = append(s.operations, s.tailOperation())
		s.block++
		s.tail, s.tailStored = nil, 0
	}
}

func (s *storedRepeats) tailOperation() *storage.Operation {
	value := make([]byte, 0, len(s.tail)*identitySize)
	for _, id := range s.tail {
		value = binary.LittleEndian.AppendUint64(value, id[0])
		value = binary.LittleEndian.AppendUint64(value, id[1])
	}
	return storage.SetOperation(blockKey(s.generation, s.block), value)
}

// turn begins a new generation. The one before the last goes.
func (s *storedRepeats) turn(now time.Time) {
	if !s.enabled {
		return
	}
	if s.tailStored < len(s.tail) {
		s.operations = append(s.operations, s.tailOperation())
	}
	blocks := s.block
	if len(s.tail) > 0 {
		blocks++
	}
	if s.generation > 0 {
		for block := range s.earlier {
			s.operations = append(s.operations, storage.DeleteOperation(blockKey(s.generation-1, block)))
		}
	}
	s.generation, s.earlier = s.generation+1, blocks
	s.block, s.tail, s.tailStored = 0, nil, 0
	s.operations = append(s.operations, s.headOperation(now))
}

func (s *storedRepeats) headOperation(since time.Time) *storage.Operation {
	value, err := json.Marshal(repeatsHead{Key: s.key[:], Generation: s.generation, Since: since})
	if err != nil { // a time that JSON cannot hold: the next turn has another
		value = []byte(emptySlot)
	}
	return storage.SetOperation(repeatsKey, value)
}

// mark is how far a write goes.
type mark struct {
	operations, tail, block int
	generation              uint64
}

// take returns what is not on disk.
func (r *repeats) take() ([]*storage.Operation, mark) {
	if r == nil {
		return nil, mark{}
	}
	s := &r.stored
	operations := s.operations[:len(s.operations):len(s.operations)]
	if s.tailStored < len(s.tail) {
		operations = append(operations, s.tailOperation())
	}
	return operations, mark{len(s.operations), len(s.tail), s.block, s.generation}
}

// settle notes that what was taken is on disk.
func (r *repeats) settle(m mark) {
	if r == nil {
		return
	}
	s := &r.stored
	s.operations = s.operations[m.operations:]
	if s.generation == m.generation && s.block == m.block {
		s.tailStored = max(s.tailStored, m.tail)
	}
}

// restoreRepeats reads what was known when the last process ended.
func (c *eventMetrics) restoreRepeats(ctx context.Context) error {
	r := c.repeats
	if r == nil {
		return nil
	}
	r.stored.enabled = true
	stored, err := c.client.Get(ctx, repeatsKey)
	if err != nil {
		return err
	}
	var head repeatsHead
	if len(stored) == 0 || json.Unmarshal(stored, &head) != nil || len(head.Key) != len(c.idKey) {
		if len(stored) > 0 {
			c.logger.Warn("What events came lately cannot be read: one that is sent again now is counted again")
		}
		r.stored.key = c.idKey
		r.stored.operations = append(r.stored.operations, r.stored.headOperation(r.since))
		return nil
	}
	copy(c.idKey[:], head.Key)
	r.stored.key, r.stored.generation = c.idKey, head.Generation
	if head.Generation > 0 {
		if r.earlier, _, r.stored.earlier, err = c.restoreGeneration(ctx, head.Generation-1); err != nil {
			return err
		}
	}
	var last []identity
	if r.recent, last, r.stored.block, err = c.restoreGeneration(ctx, head.Generation); err != nil {
		return err
	}
	if 0 < len(last) && len(last) < blockLength {
		r.stored.block--
		r.stored.tail, r.stored.tailStored = last, len(last)
	}
	// A clock that was set back must not keep them indefinitely.
	if r.since = head.Since; r.since.After(c.clock()) {
		r.since = c.clock()
	}
	r.age(c.clock())
	c.logger.Info("Events that came lately are known", zap.Int("ids", len(r.earlier)+len(r.recent)))
	return nil
}

// restoreGeneration returns a generation's ids, those of its last block, and how many blocks it has.
func (c *eventMetrics) restoreGeneration(
	ctx context.Context, generation uint64,
) (ids map[identity]struct{}, last []identity, blocks int, err error) {
	ids = map[identity]struct{}{}
	for {
		found := make([]*storage.Operation, slotsAtOnce)
		for i := range found {
			found[i] = storage.GetOperation(blockKey(generation, blocks+i))
		}
		if err := c.client.Batch(ctx, found...); err != nil {
			return nil, nil, 0, err
		}
		for _, one := range found {
			if len(one.Value) == 0 {
				return ids, last, blocks, nil
			}
			blocks++
			last = last[:0:0]
			for value := one.Value; len(value) >= identitySize; value = value[identitySize:] {
				id := identity{binary.LittleEndian.Uint64(value), binary.LittleEndian.Uint64(value[8:])}
				ids[id] = struct{}{}
				last = append(last, id)
			}
		}
	}
}
