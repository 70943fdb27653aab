// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package durablestorage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// The format of bbolt's files, version 2, as go.etcd.io/bbolt/internal/common has it. bbolt itself
// cannot be asked whether a file is sound: it maps the file into memory, and ends the process where a
// page is not what it expects.
const (
	magic         = 0xED0CDAED
	formatVersion = 2

	pageHeader = 16
	metaLength = 64 // up to its checksum: 56
	metaSummed = 56

	branchPage = 0x01
	leafPage   = 0x02
	metaPage   = 0x04
	element    = 16
	bucketFlag = 0x01
	bucketHead = 16

	smallestPage, largestPage = 1 << 9, 1 << 16
	// newFilePages are those of a file in which no bucket was made yet.
	newFilePages = 4
	// deepest is far over what a tree of any file has.
	deepest = 32
	// mostPageBytes bounds what one page may claim to be, so that damage costs no memory.
	mostPageBytes = 1 << 30
)

var errNoMeta = errors.New("neither of its two first pages is valid")

// pair is one key with its value.
type pair struct{ key, value []byte }

// meta is what the first two pages hold: where the tree is.
type meta struct {
	pageSize   int64
	root, high uint64
	txid       uint64
}

// file reads a bbolt file page by page.
type file struct {
	io.ReaderAt
	size int64
	meta
	seen map[uint64]struct{}
	// damage is the first thing that is wrong. What can be read goes on being read.
	damage error
	pairs  []pair
}

func (f *file) fail(format string, args ...any) {
	if f.damage == nil {
		f.damage = fmt.Errorf(format, args...)
	}
}

// readMeta finds the newer valid one of the two.
func (f *file) readMeta() error {
	valid := 0
	for _, at := range f.metaPlaces() {
		data := make([]byte, pageHeader+metaLength)
		if _, err := f.ReadAt(data, at); err != nil {
			continue
		}
		one, ok := decodeMeta(data[pageHeader:])
		if !ok || at != 0 && at != one.pageSize {
			continue
		}
		id, flags := binary.NativeEndian.Uint64(data), binary.NativeEndian.Uint16(data[8:])
		if id == uint64(at/one.pageSize) && flags == metaPage {
			valid++
		}
		if f.pageSize == 0 || one.txid > f.txid {
			f.meta = one
		}
	}
	if f.pageSize == 0 {
		return errNoMeta
	}
	if valid < 2 {
		f.fail("one of its two first pages is not valid")
	}
	return nil
}

// metaPlaces are where the second may stand: that depends on the size of a page, which the first
// says when it is valid.
func (*file) metaPlaces() []int64 {
	places := []int64{0}
	for size := int64(smallestPage); size <= largestPage; size *= 2 {
		places = append(places, size)
	}
	return places
}

func decodeMeta(data []byte) (meta, bool) {
	u32, u64 := binary.NativeEndian.Uint32, binary.NativeEndian.Uint64
	sum := fnv.New64a()
	_, _ = sum.Write(data[:metaSummed])
	one := meta{
		pageSize: int64(u32(data[8:])), root: u64(data[16:]), high: u64(data[40:]), txid: u64(data[48:]),
	}
	ok := u32(data) == magic && u32(data[4:]) == formatVersion && u64(data[56:]) == sum.Sum64() &&
		smallestPage <= one.pageSize && one.pageSize <= largestPage
	return one, ok
}

// page is one page with its elements.
type page struct {
	data  []byte
	flags uint16
	count int
	end   int64 // of what the elements so far point to
}

// read returns a page of the tree; nil, and the file is damaged, when it is none.
func (f *file) read(id uint64) *page {
	if id < 2 || id >= f.high {
		f.fail("page %d: out of bounds", id)
		return nil
	}
	head := make([]byte, pageHeader)
	at := int64(id) * f.pageSize
	if _, err := f.ReadAt(head, at); err != nil {
		f.fail("page %d: %v", id, err)
		return nil
	}
	p := &page{
		flags: binary.NativeEndian.Uint16(head[8:]), count: int(binary.NativeEndian.Uint16(head[10:])),
	}
	overflow := uint64(binary.NativeEndian.Uint32(head[12:]))
	size := int64(overflow+1) * f.pageSize
	if binary.NativeEndian.Uint64(head) != id || id+overflow >= f.high ||
		p.flags != branchPage && p.flags != leafPage || size > mostPageBytes ||
		at+size > f.size || pageHeader+int64(p.count)*element > size {
		f.fail("page %d: not what it should be", id)
		return nil
	}
	for i := range overflow + 1 {
		if _, again := f.seen[id+i]; again {
			f.fail("page %d: referred to twice", id)
			return nil
		}
		f.seen[id+i] = struct{}{}
	}
	p.data = make([]byte, size)
	if _, err := f.ReadAt(p.data, at); err != nil {
		f.fail("page %d: %v", id, err)
		return nil
	}
	return p
}

// slice returns a part of a page, or nil.
func (p *page) slice(at, length int64) []byte {
	if at < 0 || length < 0 || at+length > int64(len(p.data)) {
		return nil
	}
	return p.data[at : at+length : at+length]
}

// next checks that what an element points to begins where that of the one before ended: so bbolt
// writes them, and a wrong length is noticed.
func (p *page) next(i int, begins, length int64) bool {
	if i == 0 {
		p.end = pageHeader + int64(p.count)*element
	}
	ok := begins == p.end
	p.end += length
	return ok
}

// leaf returns the flags, key and value of an element; false when it reaches out of its page.
func (p *page) leaf(i int) (flags uint32, one pair, ok bool) {
	at := int64(pageHeader + i*element)
	u32 := func(offset int64) int64 { return int64(binary.NativeEndian.Uint32(p.data[at+offset:])) }
	position, keySize, valueSize := u32(4), u32(8), u32(12)
	one.key = p.slice(at+position, keySize)
	one.value = p.slice(at+position+keySize, valueSize)
	ok = p.next(i, at+position, keySize+valueSize) && len(one.key) > 0 && one.value != nil
	return uint32(u32(0)), one, ok
}

// branch returns the key and the page of an element.
func (p *page) branch(i int) (key []byte, child uint64, ok bool) {
	at := int64(pageHeader + i*element)
	position := int64(binary.NativeEndian.Uint32(p.data[at:]))
	keySize := int64(binary.NativeEndian.Uint32(p.data[at+4:]))
	key = p.slice(at+position, keySize)
	return key, binary.NativeEndian.Uint64(p.data[at+8:]), len(key) > 0
}

// begins is where the key of a branch's element stands.
func (p *page) begins(i int) int64 {
	at := int64(pageHeader + i*element)
	return at + int64(binary.NativeEndian.Uint32(p.data[at:]))
}

// bounds of the keys under a branch: from least, below limit. nil is none.
type bounds struct{ least, limit []byte }

func (b bounds) hold(key []byte) bool {
	return (b.least == nil || bytes.Compare(key, b.least) >= 0) &&
		(b.limit == nil || bytes.Compare(key, b.limit) < 0)
}

// walk reads the tree under a page, and hands on each element of its leaves.
func (f *file) walk(id uint64, within bounds, depth int, each func(flags uint32, one pair)) {
	if depth > deepest {
		f.fail("page %d: too deep", id)
		return
	}
	p := f.read(id)
	if p == nil {
		return
	}
	if p.flags == leafPage {
		f.elements(id, p, within, each)
		return
	}
	if p.count == 0 {
		f.fail("page %d: a branch without children", id)
	}
	var last []byte
	for i := range p.count {
		key, child, ok := p.branch(i)
		ok = ok && p.next(i, p.begins(i), int64(len(key)))
		if !ok || !within.hold(key) || last != nil && bytes.Compare(last, key) >= 0 {
			f.fail("page %d: element %d is not in order", id, i)
			continue
		}
		under := bounds{key, within.limit}
		if i+1 < p.count {
			if next, _, ok := p.branch(i + 1); ok {
				under.limit = next
			}
		}
		last = key
		f.walk(child, under, depth+1, each)
	}
}

func (f *file) elements(id uint64, p *page, within bounds, each func(flags uint32, one pair)) {
	if p.count == 0 && id != f.root {
		// bbolt keeps an empty bucket without a page of its own.
		f.fail("page %d: a leaf without elements", id)
	}
	var last []byte
	for i := range p.count {
		flags, one, ok := p.leaf(i)
		if !ok || flags > bucketFlag {
			f.fail("page %d: element %d reaches out of it", id, i)
			continue
		}
		if !within.hold(one.key) || last != nil && bytes.Compare(last, one.key) >= 0 {
			f.fail("page %d: element %d is not in order", id, i)
		}
		last = one.key
		each(flags, one)
	}
}

// readAll reads every pair that can be reached.
func (f *file) readAll() {
	if err := f.readMeta(); err != nil {
		f.fail("%w", err)
		return
	}
	if f.size < int64(f.high)*f.pageSize {
		f.fail("is %d bytes long, and should be %d at least", f.size, int64(f.high)*f.pageSize)
	}
	found := false
	f.walk(f.root, bounds{}, 0, func(flags uint32, one pair) {
		if flags != bucketFlag {
			f.fail("%d bytes stand outside of every bucket", len(one.value))
			return
		}
		if string(one.key) != bucketName {
			f.fail("there is a bucket %.20q", one.key)
		}
		found = true
		f.bucket(one.value)
	})
	if !found && f.high > newFilePages {
		f.fail("there is no bucket %q", bucketName)
	}
}

// bucket reads one bucket, whose head is given. file_storage has one.
func (f *file) bucket(head []byte) {
	if len(head) < bucketHead {
		f.fail("the head of a bucket is too short")
		return
	}
	take := func(flags uint32, one pair) {
		if flags == bucketFlag {
			f.fail("a bucket stands in a bucket")
			return
		}
		f.pairs = append(f.pairs, one)
	}
	if root := binary.NativeEndian.Uint64(head); root != 0 {
		f.walk(root, bounds{}, 0, take)
		return
	}
	p := smallBucket(head)
	if p == nil {
		f.fail("a small bucket is not what it should be")
		return
	}
	if p.count > 0 {
		f.elements(0, p, bounds{}, take)
	}
}

// smallBucket returns the only page of a small bucket, which stands behind its head; nil when there is
// none that can be read.
func smallBucket(bucket []byte) *page {
	if len(bucket) < bucketHead+pageHeader || binary.NativeEndian.Uint64(bucket) != 0 {
		return nil
	}
	p := &page{data: bucket[bucketHead:]}
	p.flags = binary.NativeEndian.Uint16(p.data[8:])
	p.count = int(binary.NativeEndian.Uint16(p.data[10:]))
	if p.flags != leafPage || pageHeader+p.count*element > len(p.data) ||
		p.count == 0 && len(p.data) != pageHeader {
		return nil
	}
	return p
}

// scan reads every leaf that stands anywhere in the file, reachable or not. Only who knows which of
// its pairs are of today can use them.
func (f *file) scan() []pair {
	if f.pageSize == 0 {
		f.pageSize = 4096 // that of nearly all systems
	}
	var found []pair
	keep := f.damage
	f.high = uint64(f.size / f.pageSize)
	for id := uint64(2); id < f.high; id++ {
		f.seen = map[uint64]struct{}{}
		head := make([]byte, pageHeader)
		if _, err := f.ReadAt(head, int64(id)*f.pageSize); err != nil ||
			binary.NativeEndian.Uint64(head) != id || binary.NativeEndian.Uint16(head[8:]) != leafPage {
			continue
		}
		if p := f.read(id); p != nil {
			f.elements(id, p, bounds{}, func(flags uint32, one pair) {
				if flags != bucketFlag {
					found = append(found, one)
					return
				}
				if small := smallBucket(one.value); small != nil {
					f.elements(id, small, bounds{}, func(_ uint32, one pair) { found = append(found, one) })
				}
			})
		}
	}
	f.damage = keep
	return found
}
