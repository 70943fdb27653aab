// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

const (
	directoryMode = 0o700 // records may name people
	fileMode      = 0o600

	// mostTries is how often a file is opened anew that somebody renames away just then. It
	// bounds what a reader without a pause can do.
	mostTries = 1000
)

var signals = []string{signalLogs, signalTraces, signalMetrics}

// file is what is needed of an *os.File.
type file interface {
	io.Writer
	io.ReaderAt
	io.Closer
	Fd() uintptr
	Stat() (os.FileInfo, error)
	Sync() error
	Truncate(size int64) error
}

// files are the dead letters on disk, one file a signal. A file is opened for each line, because
// a reader may rename it away at any time.
type files struct {
	directory string
	capacity  int64
	open      func(path string) (file, error)

	mutex sync.Mutex
}

func newFiles(directory string, capacity int64) *files {
	return &files{directory: directory, capacity: capacity, open: openFile}
}

func openFile(path string) (file, error) {
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, fileMode)
}

func (f *files) path(signal string) string {
	return filepath.Join(f.directory, signal+".jsonl")
}

// prepare makes the directory and tries it.
func (f *files) prepare() error {
	err := os.Mkdir(f.directory, directoryMode)
	if err == nil || errors.Is(err, os.ErrExist) {
		err = f.try()
	}
	if err != nil {
		return fmt.Errorf("dead_letter: directory %s cannot be written: %w", f.directory, err)
	}
	return nil
}

func (f *files) try() error {
	probe, err := os.CreateTemp(f.directory, ".writable-*")
	if err != nil {
		return err
	}
	_, err = probe.WriteString("\n")
	return errors.Join(err, probe.Close(), os.Remove(probe.Name()))
}

// used is the size of all files, as they are now.
func (f *files) used() int64 {
	total := int64(0)
	for _, signal := range signals {
		if info, err := os.Stat(f.path(signal)); err == nil {
			total += info.Size()
		}
	}
	return total
}

// add appends one line and has it on disk when it returns.
func (f *files) add(signal string, line []byte) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.used()+int64(len(line)) > f.capacity {
		return ErrFull
	}
	target, err := f.take(f.path(signal))
	if err != nil {
		return err
	}
	err = f.append(target, line)
	return errors.Join(err, target.Close())
}

// take opens a file for a line. The lock makes a reader that renames the file from now on wait
// for the line; a file that has gone from its place before is left to the reader. A lock that
// somebody has on a file in its place is no reader's, and does not keep the line out.
func (f *files) take(path string) (file, error) {
	for range mostTries {
		target, err := f.open(path)
		if err != nil {
			return nil, err
		}
		share(target)
		if inPlace(target, path) {
			return target, nil
		}
		if err := target.Close(); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s is renamed away all the time", path)
}

func inPlace(target file, path string) bool {
	held, err := target.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(held, there)
}

// append writes the line at once and takes it back when only a part fitted.
func (f *files) append(target file, line []byte) error {
	info, err := target.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if size > 0 && !endsLine(target, size) {
		line = append([]byte{'\n'}, line...) // after a power cut, say
	}
	written, err := target.Write(line)
	if err == nil && written < len(line) {
		err = io.ErrShortWrite
	}
	if err != nil {
		if written > 0 {
			err = errors.Join(err, target.Truncate(size))
		}
		return err
	}
	if err := target.Sync(); err != nil {
		return err
	}
	if size == 0 {
		return f.syncDirectory() // or the new file's name may be lost
	}
	return nil
}

func endsLine(target file, size int64) bool {
	last := make([]byte, 1)
	_, err := target.ReadAt(last, size-1)
	return err == nil && last[0] == '\n'
}

func (f *files) syncDirectory() error {
	directory, err := os.Open(f.directory)
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}
