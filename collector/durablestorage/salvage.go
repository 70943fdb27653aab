// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package durablestorage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// asideMark stands in the name of a file that was set aside.
	asideMark = ".damaged-"
	// mostAside is how many of one file are kept: a disk that damages them again and again is not
	// filled.
	mostAside = 3
	// bucketName is file_storage's.
	bucketName = "default"
	// pairsAtOnce bounds a transaction.
	pairsAtOnce = 1000
)

// kinds begin the names of file_storage's files.
var kinds = []string{"receiver_", "processor_", "exporter_", "extension_", "connector_", "other_"}

// storageFiles returns the paths of a file_storage's files, whatever they are by now.
func storageFiles(directory string) ([]string, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, entry := range entries {
		name := entry.Name()
		isOne := slices.ContainsFunc(kinds, func(kind string) bool { return strings.HasPrefix(name, kind) })
		if isOne && !strings.Contains(name, asideMark) {
			paths = append(paths, filepath.Join(directory, name))
		}
	}
	return paths, nil
}

func countSetAside(directory string) int64 {
	found, err := filepath.Glob(filepath.Join(directory, "*"+asideMark+"*"))
	if err != nil {
		return 0
	}
	return int64(len(found))
}

// setAside gives a file another name, and returns it. Of those set aside before the oldest go.
func setAside(path string, now time.Time) (string, error) {
	aside := path + asideMark + now.UTC().Format("20060102T150405.000000")
	if err := os.Rename(path, aside); err != nil {
		return "", err
	}
	// Names sort by their time.
	if found, err := filepath.Glob(path + asideMark + "*"); err == nil && len(found) > mostAside {
		slices.Sort(found)
		for _, old := range found[:len(found)-mostAside] {
			_ = os.RemoveAll(old)
		}
	}
	return aside, nil
}

// inspect reads a file. It returns what is wrong with it, nil when nothing is, and then what can be
// read of it all the same.
func inspect(path string) (damage error, pairs []pair) {
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("is no file but %s", info.Mode().Type()), nil
	}
	// bbolt opens it for writing, too.
	opened, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return errors.Unwrap(err), nil
	}
	defer opened.Close()
	if inUse(opened) {
		return nil, nil // the storage says so when it is to open it
	}
	size, err := opened.Seek(0, 2)
	if err != nil {
		return err, nil
	}
	f := &file{ReaderAt: opened, size: size, seen: map[uint64]struct{}{}}
	f.readAll()
	f.checkQueue()
	if f.damage == nil {
		return nil, nil
	}
	// The tree comes first: where it can be read it has the newest of each key.
	return f.damage, append(f.pairs, f.scan()...)
}

// checkQueue looks for what a queue cannot be without, and for what is none of its own.
func (f *file) checkQueue() {
	requests, state, strange := false, false, ""
	for _, one := range f.pairs {
		key := string(one.key)
		if _, is := itemIndex(key); is {
			requests = true
		} else if key == metadataKey {
			_, state = decodeQueue(one.value)
		} else if slices.Contains(formerKeys, key) {
			state = true
		} else {
			strange = key
		}
	}
	if requests && !state {
		f.fail("its queue does not know what it holds")
	}
	if requests && strange != "" {
		f.fail("its queue has something under %.20q", strange)
	}
}

// salvage chooses what goes on being used. lost is how many requests a queue held and has no more.
//
// Old states of pages are found, too, with what was settled long ago. A queue knows what it holds.
func salvage(found []pair) (kept []pair, lost uint64) {
	byKey := map[string][]byte{}
	var isQueue bool
	for _, one := range found {
		key := string(one.key)
		if _, is := itemIndex(key); is || key == metadataKey {
			isQueue = true
		}
		if _, known := byKey[key]; !known {
			byKey[key] = one.value
		}
	}
	if !isQueue {
		return sorted(byKey), 0
	}
	state := newest(found)
	if state == nil {
		state = spanning(byKey)
	}
	present := uint64(0)
	for key := range byKey {
		index, is := itemIndex(key)
		switch {
		case key == metadataKey:
		case is && state.holds(index):
			present++
		case is && index >= state.writeIndex:
			// It came after the newest state that can be read.
		default:
			delete(byKey, key)
		}
	}
	lost = state.held() - min(present, state.held())
	state.extend(byKey)
	byKey[metadataKey] = state.encode()
	return sorted(byKey), lost
}

// newest returns the newest state of a queue that was found, or nil. Where the tree's head is damaged
// it stands beside the tree.
func newest(found []pair) (state *queueState) {
	for _, one := range found {
		if string(one.key) != metadataKey {
			continue
		}
		if other, known := decodeQueue(one.value); known && (state == nil || state.isBefore(other)) {
			state = other
		}
	}
	return state
}

// spanning is the state of a queue that holds all of these.
func spanning(byKey map[string][]byte) *queueState {
	state := &queueState{}
	state.extend(byKey)
	state.readIndex = state.writeIndex
	for key := range byKey {
		if index, is := itemIndex(key); is {
			state.readIndex = min(state.readIndex, index)
		}
	}
	return state
}

func unknownLoss(found []pair) uint64 {
	kept, lost := salvage(found)
	return uint64(len(kept)) + lost
}

func sorted(byKey map[string][]byte) []pair {
	var pairs []pair
	for key, value := range byKey {
		pairs = append(pairs, pair{[]byte(key), value})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return strings.Compare(string(a.key), string(b.key)) })
	return pairs
}

// write makes a file of pairs, whole or not at all.
func write(path string, pairs []pair) (err error) {
	if len(pairs) == 0 {
		return nil // the storage begins a new one
	}
	building := path + ".building"
	_ = os.Remove(building)
	db, err := bbolt.Open(building, 0o600, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(building)
		}
	}()
	for chunk := range slices.Chunk(pairs, pairsAtOnce) {
		err = db.Update(func(tx *bbolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists([]byte(bucketName))
			if err != nil {
				return err
			}
			for _, one := range chunk {
				if err := bucket.Put(one.key, one.value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			_ = db.Close()
			return err
		}
	}
	if err = db.Close(); err != nil {
		return err
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there again", filepath.Base(path))
	}
	return os.Rename(building, path)
}
