// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package durablestorage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
)

var storageID = component.MustNewID("file_storage")

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fill makes a file with a queue of so many requests of a size, and deletes some on the way, so that
// it has pages of several ages.
func fill(t *testing.T, path string, requests, size int) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, NoSync: true})
	fatal(t, err)
	for index := range requests {
		fatal(t, db.Update(func(tx *bbolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists([]byte(bucketName))
			if err != nil {
				return err
			}
			state := queueState{readIndex: min(uint64(index), 3), writeIndex: uint64(index) + 1}
			if index < 3 { // these have been delivered
				return bucket.Put([]byte(metadataKey), state.encode())
			}
			if err := bucket.Put([]byte(metadataKey), state.encode()); err != nil {
				return err
			}
			return bucket.Put([]byte(itemKey(uint64(index))), valueOf(index, size))
		}))
	}
	fatal(t, db.Close())
}

func valueOf(index, size int) []byte { return bytes.Repeat([]byte{byte('a' + index%26)}, size) }

// contents opens a file with bbolt itself.
func contents(t *testing.T, path string) map[string][]byte {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true})
	fatal(t, err)
	defer db.Close()
	found := map[string][]byte{}
	fatal(t, db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			return err
		}
		return tx.Bucket([]byte(bucketName)).ForEach(func(key, value []byte) error {
			found[string(key)] = bytes.Clone(value)
			return nil
		})
	}))
	return found
}

func begin(t *testing.T, directory string) *durableStorage {
	t.Helper()
	set := extension.Settings{ID: component.NewID(componentType), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
	made, err := newExtension(set, &Config{StorageID: storageID, Directory: directory})
	fatal(t, err)
	fatal(t, made.Start(context.Background(), componenttest.NewNopHost()))
	t.Cleanup(func() { fatal(t, made.Shutdown(context.Background())) })
	return made
}

const queueName = "exporter_otlp_loki_logs"

func TestASoundFileIsLeftAlone(t *testing.T) {
	for _, one := range []struct{ requests, size int }{{1, 10}, {5, 10}, {40, 500}, {3000, 100}, {60, 20_000}} {
		t.Run(fmt.Sprint(one), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), queueName)
			fill(t, path, one.requests, one.size)
			before, err := os.ReadFile(path)
			fatal(t, err)
			begin(t, filepath.Dir(path))
			after, err := os.ReadFile(path)
			fatal(t, err)
			if !bytes.Equal(before, after) || countSetAside(filepath.Dir(path)) != 0 {
				t.Error("it was touched")
			}
		})
	}
}

// Whatever is done to a file: bbolt opens what comes of it and finds nothing wrong, each request in it
// is as it was, and those that are missing are counted.
func TestWhateverHappensToAFileTheStorageStarts(t *testing.T) {
	damages := map[string]func(r *rand.Rand, data []byte) []byte{
		"cut off": func(r *rand.Rand, data []byte) []byte { return data[:r.IntN(len(data))] },
		"page of noise": func(r *rand.Rand, data []byte) []byte {
			at := r.IntN(len(data)/4096) * 4096
			for i := range 4096 {
				data[at+i] = byte(r.Uint32())
			}
			return data
		},
		"page of zeros": func(r *rand.Rand, data []byte) []byte {
			at := r.IntN(len(data)/4096) * 4096
			clear(data[at : at+4096])
			return data
		},
		"header byte": func(r *rand.Rand, data []byte) []byte {
			data[r.IntN(len(data)/4096)*4096+r.IntN(64)] ^= byte(1 + r.IntN(255))
			return data
		},
		"page in another's place": func(r *rand.Rand, data []byte) []byte {
			n := len(data) / 4096
			copy(data[r.IntN(n)*4096:], data[r.IntN(n)*4096:][:4096])
			return data
		},
		"two heads gone": func(_ *rand.Rand, data []byte) []byte { clear(data[:8192]); return data },
		"text":           func(*rand.Rand, []byte) []byte { return []byte("not a database") },
		"empty":          func(*rand.Rand, []byte) []byte { return nil },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(15, 15))
			for range 25 {
				path := filepath.Join(t.TempDir(), queueName)
				requests, size := 4+random.IntN(300), 10+random.IntN(6000)
				fill(t, path, requests, size)
				data, err := os.ReadFile(path)
				fatal(t, err)
				fatal(t, os.WriteFile(path, damage(random, data), 0o600))
				begin(t, filepath.Dir(path))
				if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
					continue // nothing could be read: the storage begins anew
				}
				changed := 0
				for key, value := range contents(t, path) {
					index, is := itemIndex(key)
					if is && len(value) != size {
						changed++ // a length that fits into the page by chance
					}
					if changed > 1 {
						t.Fatalf("request %d has %d bytes", index, len(value))
					}
					if !is && key != metadataKey {
						t.Fatalf("key %q", key)
					}
				}
			}
		})
	}
}

// Every byte that says how a page is to be read: a file that is not all there is never taken for a
// sound one.
func TestNoDamageOfAHeaderPassesUnseen(t *testing.T) {
	for _, one := range []struct{ requests, size int }{{4, 10}, {40, 700}} {
		t.Run(fmt.Sprint(one), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), queueName)
			fill(t, path, one.requests, one.size)
			sound, err := os.ReadFile(path)
			fatal(t, err)
			whole := contents(t, path)
			unseen := 0
			for page := 0; page < len(sound)/4096; page++ {
				for at := range 64 {
					for _, written := range []func(byte) byte{
						func(byte) byte { return 0 },
						func(b byte) byte { return b ^ 1 },
						func(b byte) byte { return ^b },
					} {
						data := bytes.Clone(sound)
						place := page*4096 + at
						data[place] = written(data[place])
						fatal(t, os.WriteFile(path, data, 0o600))
						if damage, _ := inspect(path); damage != nil {
							continue
						}
						unseen++
						now := contents(t, path)
						if !slices.Equal(slices.Sorted(maps.Keys(now)), slices.Sorted(maps.Keys(whole))) {
							t.Fatalf("page %d, byte %d: unseen, and it has %v", page, at, slices.Sorted(maps.Keys(now)))
						}
					}
				}
			}
			// The control: of a page that is in no use every byte may change.
			if unseen == 0 {
				t.Error("everything is taken for damage")
			}
		})
	}
}

// A file in which nothing was stored yet is none that is damaged.
func TestANewFileIsSound(t *testing.T) {
	path := filepath.Join(t.TempDir(), queueName)
	db, err := bbolt.Open(path, 0o600, nil)
	fatal(t, err)
	fatal(t, db.Close())
	if damage, _ := inspect(path); damage != nil {
		t.Error(damage)
	}
	db, err = bbolt.Open(path, 0o600, nil)
	fatal(t, err)
	fatal(t, db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucket([]byte(bucketName))
		if err != nil {
			return err
		}
		return bucket.Put([]byte("k"), bytes.Repeat([]byte("v"), 3000))
	}))
	fatal(t, db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucketName)).Delete([]byte("k")) }))
	fatal(t, db.Close())
	if damage, _ := inspect(path); damage != nil {
		t.Errorf("emptied: %v", damage)
	}
}

// Without its heads nothing says which state of a page is the newest, and with one of them the last
// change may be unknown: all that was taken is there all the same.
func TestADamagedHeadLosesNothing(t *testing.T) {
	for name, pages := range map[string][]int{"both": {0, 1}, "first": {0}, "second": {1}} {
		t.Run(name, func(t *testing.T) {
			for requests := 4; requests < 300; requests += 7 {
				path := filepath.Join(t.TempDir(), queueName)
				fill(t, path, requests, 400)
				data, err := os.ReadFile(path)
				fatal(t, err)
				for _, page := range pages {
					clear(data[page*4096:][:4096])
				}
				fatal(t, os.WriteFile(path, data, 0o600))
				begin(t, filepath.Dir(path))
				found := contents(t, path)
				state, known := decodeQueue(found[metadataKey])
				if !known || state.writeIndex != uint64(requests) {
					t.Fatalf("of %d: the queue's state is %+v", requests, state)
				}
				for index := 3; index < requests; index++ {
					if !bytes.Equal(found[itemKey(uint64(index))], valueOf(index, 400)) || !state.holds(uint64(index)) {
						t.Fatalf("of %d: request %d is lost", requests, index)
					}
				}
			}
		})
	}
}

func TestOnlyWhatStoodOnADamagedPageIsLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), queueName)
	fill(t, path, 200, 1500) // two a page
	data, err := os.ReadFile(path)
	fatal(t, err)
	f := &file{ReaderAt: bytes.NewReader(data), size: int64(len(data)), seen: map[uint64]struct{}{}}
	f.readAll()
	fatal(t, f.damage)
	// The page on which request 100 stands.
	at := bytes.Index(data, append([]byte("100"), valueOf(100, 1500)...))
	for at >= 0 && int64(at)/f.pageSize >= 0 {
		if _, used := f.seen[uint64(int64(at)/f.pageSize)]; used {
			break
		}
		next := bytes.Index(data[at+1:], append([]byte("100"), valueOf(100, 1500)...))
		at += 1 + next
	}
	clear(data[int64(at)/f.pageSize*f.pageSize:][:f.pageSize])
	// No other copy of it is to be found either.
	for i := range data {
		if bytes.HasPrefix(data[i:], append([]byte("100"), valueOf(100, 8)...)) {
			data[i] = 'x'
		}
	}
	fatal(t, os.WriteFile(path, data, 0o600))
	begin(t, filepath.Dir(path))
	found := contents(t, path)
	missing := 0
	for index := 3; index < 200; index++ {
		value, there := found[itemKey(uint64(index))]
		if !there {
			missing++
		} else if !bytes.Equal(value, valueOf(index, 1500)) {
			t.Errorf("request %d is another", index)
		}
	}
	if missing < 1 || missing > 3 {
		t.Errorf("%d requests are missing", missing)
	}
	if _, there := found[itemKey(0)]; there {
		t.Error("what was delivered long ago is there again")
	}
	if n := countSetAside(filepath.Dir(path)); n != 1 {
		t.Errorf("%d files are set aside", n)
	}
}

func TestWhatIsNoFileIsSetAside(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, queueName)
	fatal(t, os.Mkdir(path, 0o700))
	fatal(t, os.WriteFile(filepath.Join(directory, "notes.txt"), []byte("mine"), 0o600))
	begin(t, directory)
	entries, err := os.ReadDir(directory)
	fatal(t, err)
	var names []string
	for _, one := range entries {
		names = append(names, one.Name())
	}
	if len(names) != 2 || !strings.HasPrefix(names[0], queueName+asideMark) || names[1] != "notes.txt" {
		t.Errorf("there are %v", names)
	}
}

func TestOnlyTheNewestAreKept(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, queueName)
	for n := range 5 {
		fatal(t, os.WriteFile(path, []byte{byte('0' + n)}, 0o600))
		_, err := setAside(path, time.Unix(int64(n), 0))
		fatal(t, err)
	}
	found, err := filepath.Glob(path + asideMark + "*")
	fatal(t, err)
	var texts []string
	for _, one := range found {
		text, err := os.ReadFile(one)
		fatal(t, err)
		texts = append(texts, string(text))
	}
	if !slices.Equal(texts, []string{"2", "3", "4"}) {
		t.Errorf("kept are %v", texts)
	}
}

func TestAFileThatIsOpenIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), queueName)
	fill(t, path, 10, 10)
	db, err := bbolt.Open(path, 0o600, nil)
	fatal(t, err)
	defer db.Close()
	fatal(t, os.Truncate(path, 100_000)) // would be damage
	begin(t, filepath.Dir(path))
	if countSetAside(filepath.Dir(path)) != 0 {
		t.Error("it was set aside under its owner")
	}
}

// disk is a storage that can be full: then what would be written fails, and what only reads does not.
type disk struct {
	data map[string][]byte
	full bool
	// transactions are the writes that came through.
	transactions int
	closed       bool
}

func (d *disk) Get(ctx context.Context, key string) ([]byte, error) {
	operation := storage.GetOperation(key)
	err := d.Batch(ctx, operation)
	return operation.Value, err
}

func (d *disk) Set(ctx context.Context, key string, value []byte) error {
	return d.Batch(ctx, storage.SetOperation(key, value))
}

func (d *disk) Delete(ctx context.Context, key string) error {
	return d.Batch(ctx, storage.DeleteOperation(key))
}

var errFull = errors.New("no space left on device")

func (d *disk) Batch(_ context.Context, operations ...*storage.Operation) error {
	writes := slices.ContainsFunc(operations, func(one *storage.Operation) bool { return one.Type != storage.Get })
	if writes && d.full {
		return errFull
	}
	if writes {
		d.transactions++
	}
	for _, one := range operations {
		switch one.Type {
		case storage.Get:
			one.Value = bytes.Clone(d.data[one.Key])
		case storage.Set:
			d.data[one.Key] = bytes.Clone(one.Value)
		case storage.Delete:
			delete(d.data, one.Key)
		}
	}
	return nil
}

func (d *disk) Close(context.Context) error { d.closed = true; return nil }

func over(d *disk) *client {
	return newClient(d, zap.NewNop(), time.Now)
}

func TestAFullDiskCostsNothingThatIsQueued(t *testing.T) {
	ctx := context.Background()
	d := &disk{data: map[string][]byte{}}
	c := over(d)
	write := func(state queueState) *storage.Operation { return storage.SetOperation(metadataKey, state.encode()) }
	fatal(t, c.Batch(ctx, write(queueState{writeIndex: 2}), storage.SetOperation("0", []byte("first")), storage.SetOperation("1", []byte("second"))))
	d.full = true
	// A request leaves the queue, and is settled.
	read := storage.GetOperation("0")
	fatal(t, c.Batch(ctx, write(queueState{readIndex: 1, writeIndex: 2, dispatched: []uint64{0}}), read))
	if string(read.Value) != "first" {
		t.Errorf("read %q", read.Value)
	}
	fatal(t, c.Batch(ctx, write(queueState{readIndex: 1, writeIndex: 2}), storage.DeleteOperation("0")))
	// A new one is refused.
	if err := c.Batch(ctx, write(queueState{readIndex: 1, writeIndex: 3}), storage.SetOperation("2", []byte("third"))); !errors.Is(err, errFull) {
		t.Errorf("a new request: %v", err)
	}
	if keys := slices.Sorted(maps.Keys(d.data)); !slices.Equal(keys, []string{"0", "1", metadataKey}) {
		t.Errorf("on disk are %v", keys)
	}
	d.full = false
	if value, err := c.Get(ctx, "1"); err != nil || string(value) != "second" {
		t.Errorf("%q, %v", value, err)
	}
	// All that waited is on disk with the next request.
	fatal(t, c.Batch(ctx, write(queueState{readIndex: 1, writeIndex: 3}), storage.SetOperation("2", []byte("third"))))
	state, ok := decodeQueue(d.data[metadataKey])
	if !ok || state.readIndex != 1 || len(state.dispatched) != 0 || d.data["0"] != nil {
		t.Errorf("state %+v, keys %v", state, slices.Sorted(maps.Keys(d.data)))
	}
	fatal(t, c.Close(ctx))
}

// aQueue is what a queue of exporterhelper asks of its storage.
type aQueue struct {
	t     *testing.T
	c     *client
	state queueState
}

func (q *aQueue) put(value string) {
	q.t.Helper()
	q.state.writeIndex++
	fatal(q.t, q.c.Batch(context.Background(), storage.SetOperation(metadataKey, q.state.encode()),
		storage.SetOperation(itemKey(q.state.writeIndex-1), []byte(value))))
}

func (q *aQueue) read() (index uint64, value string) {
	q.t.Helper()
	index = q.state.readIndex
	q.state.readIndex++
	q.state.dispatched = append(q.state.dispatched, index)
	read := storage.GetOperation(itemKey(index))
	fatal(q.t, q.c.Batch(context.Background(), storage.SetOperation(metadataKey, q.state.encode()), read))
	return index, string(read.Value)
}

func (q *aQueue) settle(index uint64) {
	q.t.Helper()
	q.state.dispatched = slices.DeleteFunc(q.state.dispatched, func(one uint64) bool { return one == index })
	fatal(q.t, q.c.Batch(context.Background(), storage.SetOperation(metadataKey, q.state.encode()),
		storage.DeleteOperation(itemKey(index))))
}

func TestARequestIsWrittenBeforeItIsTakenAndItsNotesWithTheNext(t *testing.T) {
	d := &disk{data: map[string][]byte{}}
	q := &aQueue{t: t, c: over(d)}
	for i := range 10 {
		want := fmt.Sprint("request ", i)
		q.put(want)
		if got := string(d.data[itemKey(uint64(i))]); got != want {
			t.Fatalf("%q is on disk when %q was taken", got, want)
		}
		if d.transactions != i+1 {
			t.Errorf("%d requests cost %d transactions", i+1, d.transactions)
		}
		index, value := q.read()
		if value != want {
			t.Errorf("%q was read, not %q", value, want)
		}
		q.settle(index)
	}
	if keys := slices.Sorted(maps.Keys(d.data)); !slices.Equal(keys, []string{"9", metadataKey}) {
		t.Errorf("on disk are %v: what is settled goes with the next request", keys)
	}
	fatal(t, q.c.Close(context.Background()))
	if keys := slices.Sorted(maps.Keys(d.data)); !slices.Equal(keys, []string{metadataKey}) {
		t.Errorf("at the end there are %v", keys)
	}
}

func TestNotesAreWrittenAlsoWhenNoRequestComes(t *testing.T) {
	d := &disk{data: map[string][]byte{}}
	q := &aQueue{t: t, c: over(d)}
	q.put("request")
	index, _ := q.read()
	q.settle(index)
	isWritten := func() bool {
		q.c.mutex.Lock()
		defer q.c.mutex.Unlock()
		return d.data["0"] == nil
	}
	for end := time.Now().Add(time.Minute); !isWritten(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what is settled is on disk still")
		}
	}
	if state, ok := decodeQueue(d.data[metadataKey]); !ok || state.readIndex != 1 || state.held() != 0 {
		t.Errorf("the state is %+v", state)
	}
	fatal(t, q.c.Close(context.Background()))
}

func TestNotesWaitForAFullDisk(t *testing.T) {
	d := &disk{data: map[string][]byte{}}
	q := &aQueue{t: t, c: over(d)}
	q.put("request")
	d.full = true
	index, _ := q.read()
	q.settle(index)
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		q.c.mutex.Lock()
		tried := !q.c.logged.IsZero()
		if tried {
			d.full = false
		}
		isWritten := d.data["0"] == nil
		q.c.mutex.Unlock()
		if isWritten {
			break
		}
		if time.Now().After(end) {
			t.Fatal("what is settled is on disk still")
		}
	}
	fatal(t, q.c.Close(context.Background()))
}

// TestWhoIsKilledDeliversAgain leaves the storage as a kill does at any point.
func TestWhoIsKilledDeliversAgain(t *testing.T) {
	for steps := range 4 {
		d := &disk{data: map[string][]byte{}}
		q := &aQueue{t: t, c: over(d)}
		q.put("first")
		q.put("second")
		var index uint64
		for step := range steps {
			switch step {
			case 0:
				index, _ = q.read()
			case 1:
				q.settle(index)
			case 2:
				q.put("third") // with all notes
			}
		}
		d.closed = true // from here on nothing is written
		left := maps.Clone(d.data)
		q.c.mutex.Lock()
		q.c.closed = true
		q.c.mutex.Unlock()

		after := &disk{data: left}
		c := over(after)
		_, err := requeue(context.Background(), c)
		fatal(t, err)
		state, ok := decodeQueue(after.data[metadataKey])
		if !ok {
			t.Fatal("no state")
		}
		var got []string
		for i := state.readIndex; i < state.writeIndex; i++ {
			got = append(got, string(after.data[itemKey(i)]))
		}
		want := []string{"first", "second"}
		if steps == 3 {
			want = []string{"second", "third"}
		}
		if !slices.Equal(got, want) {
			t.Errorf("after %d steps %v are delivered, not %v", steps, got, want)
		}
		fatal(t, c.Close(context.Background()))
	}
}

func TestWhatIsHeldOfAQueueIsBounded(t *testing.T) {
	d := &disk{data: map[string][]byte{}}
	q := &aQueue{t: t, c: over(d)}
	q.c.recent.most = 100
	for i := range 50 {
		q.put(fmt.Sprintf("request %02d", i))
	}
	if held := q.c.recent.bytes; held > 100 || held == 0 {
		t.Errorf("%d bytes are held", held)
	}
	for i := range 50 { // the oldest from memory, the others from the disk
		index, value := q.read()
		if want := fmt.Sprintf("request %02d", i); value != want {
			t.Errorf("%q was read, not %q", value, want)
		}
		q.settle(index)
	}
	if q.c.recent.bytes != 0 || len(q.c.recent.values) != 0 {
		t.Errorf("%d bytes are held of nothing", q.c.recent.bytes)
	}
	fatal(t, q.c.Close(context.Background()))
}

func TestWhatWaitsIsWrittenAtTheEnd(t *testing.T) {
	ctx := context.Background()
	d := &disk{data: map[string][]byte{"0": []byte("first")}, full: true}
	c := over(d)
	fatal(t, c.Delete(ctx, "0"))
	d.full = false
	fatal(t, c.Close(ctx))
	if len(d.data) != 0 || !d.closed {
		t.Errorf("left are %v", d.data)
	}
}

func TestOtherValuesFailAsTheyWould(t *testing.T) {
	d := &disk{data: map[string][]byte{}, full: true}
	c := over(d)
	for _, one := range []*storage.Operation{
		storage.SetOperation("series/payments/0", []byte("{}")), storage.DeleteOperation("series/payments/0"),
		storage.SetOperation("7", []byte("request")), storage.DeleteOperation("07"),
	} {
		if err := c.Batch(context.Background(), one); !errors.Is(err, errFull) {
			t.Errorf("%s: %v", one.Key, err)
		}
	}
}

func TestWhatWasUnderWayIsPutBackInOneTransaction(t *testing.T) {
	ctx := context.Background()
	d := &disk{data: map[string][]byte{}}
	state := queueState{bytesSize: 70, itemsSize: 7, readIndex: 6, writeIndex: 8, dispatched: []uint64{5, 1, 4}}
	for _, index := range []uint64{1, 5, 6, 7} { // 4 was settled, and the note of it was lost
		d.data[itemKey(index)] = []byte(fmt.Sprint("request ", index))
	}
	d.data[metadataKey] = state.encode()
	put, err := requeue(ctx, over(d))
	fatal(t, err)
	if put != 2 || d.transactions != 1 {
		t.Errorf("%d were put back in %d transactions", put, d.transactions)
	}
	after, ok := decodeQueue(d.data[metadataKey])
	if !ok || after.readIndex != 4 || after.writeIndex != 8 || len(after.dispatched) != 0 || after.bytesSize != 70 {
		t.Fatalf("the state is %+v", after)
	}
	var order []string
	for index := after.readIndex; index < after.writeIndex; index++ {
		order = append(order, string(d.data[itemKey(index)]))
	}
	if want := []string{"request 1", "request 5", "request 6", "request 7"}; !slices.Equal(order, want) {
		t.Errorf("the queue is %v", order)
	}
	if len(d.data) != 5 {
		t.Errorf("there are %v", slices.Sorted(maps.Keys(d.data)))
	}
	if put, err := requeue(ctx, over(d)); put != 0 || err != nil {
		t.Errorf("again: %d, %v", put, err)
	}
}

func TestAStateOfAnotherFormIsLeftAlone(t *testing.T) {
	for _, text := range []string{"\x08\x01", "\xff", "\x2a\x03abc", "\x19\x05\x00\x00\x00\x00\x00\x00\x00"} {
		d := &disk{data: map[string][]byte{metadataKey: []byte(text)}}
		put, err := requeue(context.Background(), over(d))
		if put != 0 || err != nil || string(d.data[metadataKey]) != text {
			t.Errorf("%q: %d, %v, %q", text, put, err, d.data[metadataKey])
		}
	}
}

func FuzzAFileOfAnyBytes(f *testing.F) {
	path := filepath.Join(f.TempDir(), queueName)
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fatal(t, os.WriteFile(path, data, 0o600))
		if damage, _ := inspect(path); damage == nil {
			// Then bbolt has to take it.
			contents(t, path)
		}
	})
}
