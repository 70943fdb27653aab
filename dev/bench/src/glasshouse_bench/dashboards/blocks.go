// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Writes blocks of Prometheus' storage with synthetic values, a few hundred million samples a minute.
// promtool reads text and takes an hour for what is written here in two minutes.
//
// Reads series from standard input, one JSON object a line, as `series.py` describes them; built
// with the module in dev/images/prometheus, so that blocks are of the version that reads them.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"sync"

	"github.com/oklog/ulid/v2"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/index"
)

const (
	// As the head cuts them.
	samplesPerChunk = 120
	msPerDay        = 24 * 3600 * 1000
)

// series is one line of the input. What the fields mean stands in series.py.
type series struct {
	Labels   map[string]string `json:"labels"`
	Kind     string            `json:"kind"`
	Interval int64             `json:"interval_ms"`
	Seed     uint64            `json:"seed"`
	Chance   float64           `json:"chance"`
	Share    float64           `json:"share"`
	Value    float64           `json:"value"`
	Changing string            `json:"changing"`
	Jitter   int64             `json:"jitter_ms"`
	Last     int64             `json:"last_ms"`
	First    float64           `json:"first"`
	Part     uint64            `json:"part"`
	Parts    uint64            `json:"parts"`
	Scale    float64           `json:"scale"`
	Reset    int64             `json:"reset_ms"`
	Stop     int64             `json:"stop_ms"`
}

// random is splitmix64: series of one group draw the same numbers, however many there are.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

func (r *random) float() float64 { return float64(r.next()>>11) / (1 << 53) }

// fill calls add for each sample from start (in) to end (out), both in milliseconds. last is when the
// data ends.
func (s *series) fill(start, end, last int64, block int, add func(t int64, v float64)) {
	draw := random(s.Seed + uint64(block)*0x632be59bd9b4e019)
	shift := random(s.Seed ^ 0x5851f42d4c957f2d)
	pick := random(s.Seed ^ 0x2545f4914f6cdd1d)
	// Each event is of one part. All parts ask at the same events, so that together they have each once.
	isOwn := func() bool { return s.Parts == 0 || pick.next()%s.Parts == s.Part }
	value, chance := s.First, 0.0
	if s.Kind == "gauge" || s.Kind == "constant" {
		value = s.Value
	}
	scale := 1.0
	if s.Scale > 0 {
		scale = s.Scale
	}
	isReset := s.Reset == 0
	if s.Stop > 0 {
		end = min(end, last-s.Stop)
	}
	if s.Kind == "rare" {
		start = end - (end-start)/200/s.Interval*s.Interval
	}
	step := 0
	for t := start; t < end; t += s.Interval {
		if step%samplesPerChunk == 0 {
			// More by day than by night.
			chance = s.Chance * (1 + 0.8*math.Sin(2*math.Pi*float64(t%msPerDay)/msPerDay))
		}
		step++
		if !isReset && t >= last-s.Reset {
			isReset, value = true, 0
		}
		switch s.Kind {
		case "counter":
			if draw.float() < chance {
				if isIn := isOwn(); draw.float() < s.Share && isIn {
					value++
				}
			}
		case "sum":
			if draw.float() < chance {
				if by := s.Value * (0.5 + draw.float()); isOwn() {
					value += by
				}
			}
		case "gauge":
			if draw.float() < 0.05 {
				value = s.Value * (0.5 + draw.float())
				if s.Value == math.Trunc(s.Value) {
					value = math.Round(value)
				}
			}
		case "rare":
			value = 1
		}
		at := t
		if s.Jitter > 0 {
			at += int64(shift.next() % uint64(s.Jitter))
		}
		add(at, value*scale)
	}
}

// chunked returns the samples as the head would have stored them.
func (s *series) chunked(start, end, last int64, block int) ([]chunks.Meta, uint64) {
	var (
		made []chunks.Meta
		app  chunkenc.Appender
		n    int
		all  uint64
	)
	s.fill(start, end, last, block, func(t int64, v float64) {
		if n == 0 {
			chunk := chunkenc.NewXORChunk()
			app, _ = chunk.Appender()
			made = append(made, chunks.Meta{Chunk: chunk, MinTime: t})
		}
		app.Append(0, t, v)
		made[len(made)-1].MaxTime = t
		all++
		if n++; n == samplesPerChunk {
			n = 0
		}
	})
	return made, all
}

type labelled struct {
	labels labels.Labels
	series *series
}

// named returns the series of a block in their order. One whose label changes is a new series in
// each, as after a start of its process.
func named(all []*series, block int) []labelled {
	found := make([]labelled, 0, len(all))
	for _, one := range all {
		builder := labels.NewScratchBuilder(len(one.Labels))
		for name, value := range one.Labels {
			if name == one.Changing {
				value += "-" + strconv.Itoa(block)
			}
			builder.Add(name, value)
		}
		builder.Sort()
		found = append(found, labelled{builder.Labels(), one})
	}
	sort.Slice(found, func(i, j int) bool { return labels.Compare(found[i].labels, found[j].labels) < 0 })
	return found
}

func symbols(all []labelled) []string {
	set := map[string]struct{}{"": {}}
	for _, one := range all {
		one.labels.Range(func(label labels.Label) {
			set[label.Name] = struct{}{}
			set[label.Value] = struct{}{}
		})
	}
	sorted := make([]string, 0, len(set))
	for symbol := range set {
		sorted = append(sorted, symbol)
	}
	sort.Strings(sorted)
	return sorted
}

// last is when the data ends: some series are there only before it.
func write(out string, all []*series, block int, start, end, last int64) (tsdb.BlockMeta, error) {
	id := ulid.MustNew(uint64(end), rand.New(rand.NewSource(int64(block)+1)))
	meta := tsdb.BlockMeta{ULID: id, MinTime: start, MaxTime: end, Version: 1}
	meta.Compaction = tsdb.BlockMetaCompaction{Level: 4, Sources: []ulid.ULID{id}}
	folder := filepath.Join(out, id.String())
	if err := os.MkdirAll(filepath.Join(folder, "chunks"), 0o777); err != nil {
		return meta, err
	}
	data, err := chunks.NewWriter(filepath.Join(folder, "chunks"))
	if err != nil {
		return meta, err
	}
	names, err := index.NewWriter(context.Background(), filepath.Join(folder, "index"))
	if err != nil {
		return meta, err
	}
	var there []*series
	for _, one := range all {
		if one.Last == 0 || last-one.Last < end {
			there = append(there, one)
		}
	}
	found := named(there, block)
	for _, symbol := range symbols(found) {
		if err := names.AddSymbol(symbol); err != nil {
			return meta, err
		}
	}
	for number, one := range found {
		from := start
		if one.series.Last > 0 {
			from = max(from, last-one.series.Last)
		}
		made, samples := one.series.chunked(from, end, last, block)
		if err := data.WriteChunks(made...); err != nil {
			return meta, err
		}
		if err := names.AddSeries(storage.SeriesRef(number), one.labels, made...); err != nil {
			return meta, err
		}
		meta.Stats.NumSeries++
		meta.Stats.NumChunks += uint64(len(made))
		meta.Stats.NumSamples += samples
		meta.Stats.NumFloatSamples += samples
	}
	if err := data.Close(); err != nil {
		return meta, err
	}
	if err := names.Close(); err != nil {
		return meta, err
	}
	text, err := json.MarshalIndent(meta, "", "\t")
	if err != nil {
		return meta, err
	}
	return meta, os.WriteFile(filepath.Join(folder, "meta.json"), text, 0o666)
}

func main() {
	log.SetFlags(0)
	out := flag.String("out", "", "an empty folder")
	start := flag.Int64("start", 0, "Unix milliseconds")
	end := flag.Int64("end", 0, "Unix milliseconds, not included")
	length := flag.Int64("block", 54*3600*1000, "milliseconds of a block, a multiple of two hours")
	flag.Parse()

	var all []*series
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		one := &series{}
		if err := json.Unmarshal(lines.Bytes(), one); err != nil {
			log.Fatalf("no series: %s: %v", lines.Text(), err)
		}
		all = append(all, one)
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}

	type span struct{ start, end int64 }
	var spans []span
	// Blocks begin at multiples of their length; Prometheus compacts to these.
	for from := *start - *start%*length; from < *end; from += *length {
		spans = append(spans, span{max(from, *start), min(from+*length, *end)})
	}
	var (
		total tsdb.BlockStats
		lock  sync.Mutex
		group sync.WaitGroup
		free  = make(chan struct{}, 2)
	)
	for block, one := range spans {
		free <- struct{}{}
		group.Go(func() {
			defer func() { <-free }()
			meta, err := write(*out, all, block, one.start, one.end, *end)
			if err != nil {
				log.Fatal(err)
			}
			lock.Lock()
			defer lock.Unlock()
			total.NumSamples += meta.Stats.NumSamples
			total.NumSeries += meta.Stats.NumSeries
		})
	}
	group.Wait()
	fmt.Printf("{\"series\": %d, \"samples\": %d, \"blocks\": %d}\n", total.NumSeries, total.NumSamples, len(spans))
}
