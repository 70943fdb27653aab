// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package durablestorage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
)

// durableStorage is the extension.
type durableStorage struct {
	config    *Config
	logger    *zap.Logger
	telemetry *telemetry
	clock     func() time.Time
	host      component.Host
	held      io.Closer
}

var (
	_ storage.Extension               = (*durableStorage)(nil)
	_ extensioncapabilities.Dependent = (*durableStorage)(nil)
)

func newExtension(set extension.Settings, config *Config) (*durableStorage, error) {
	telemetry, err := newTelemetry(set.MeterProvider)
	if err != nil {
		return nil, err
	}
	return &durableStorage{
		config: config, logger: set.Logger, telemetry: telemetry, clock: time.Now,
	}, nil
}

// Dependencies makes the storage start first.
func (d *durableStorage) Dependencies() []component.ID { return []component.ID{d.config.StorageID} }

// errHeld is of a directory whose files another process reads and writes.
var errHeld = errors.New("is another Collector's: give each a directory of its own")

// Start looks through the files before anybody opens one.
func (d *durableStorage) Start(ctx context.Context, host component.Host) error {
	d.host = host
	held, err := hold(d.config.Directory)
	if errors.Is(err, errHeld) {
		return fmt.Errorf("directory: %s %w", d.config.Directory, err)
	} else if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	d.held = held
	files, err := storageFiles(d.config.Directory)
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	for _, path := range files {
		if err := d.examine(ctx, path); err != nil {
			return err
		}
	}
	return d.telemetry.watch(func() int64 { return countSetAside(d.config.Directory) })
}

// Shutdown lets go of the directory: it has nothing to write.
func (d *durableStorage) Shutdown(context.Context) error {
	if d.held != nil {
		_ = d.held.Close()
	}
	return d.telemetry.unwatch()
}

// GetClient opens the file of one component.
func (d *durableStorage) GetClient(
	ctx context.Context, kind component.Kind, id component.ID, name string,
) (storage.Client, error) {
	extension, found := d.host.GetExtensions()[d.config.StorageID]
	if !found {
		return nil, fmt.Errorf("storage: there is no extension %s", d.config.StorageID)
	}
	store, ok := extension.(storage.Extension)
	if !ok {
		return nil, fmt.Errorf("storage: %s is no storage extension", d.config.StorageID)
	}
	inner, err := store.GetClient(ctx, kind, id, name)
	if err != nil {
		return nil, err
	}
	logger := d.logger.With(zap.String("of", id.String()), zap.String("name", name))
	c := newClient(inner, logger, d.clock)
	put, err := requeue(ctx, c)
	if err != nil {
		// exporterhelper tries in its own way. It reads what is there, and loses it only when it is
		// killed or the disk is full.
		logger.Error("What was under way could not be put back into the queue at once", zap.Error(err))
	} else if put > 0 {
		logger.Info("What was under way is in the queue again", zap.Int("requests", put))
	}
	return c, nil
}

// examine makes sure that a file can be used: one that cannot is set aside, and all that can be read
// of it goes into a new one.
func (d *durableStorage) examine(ctx context.Context, path string) error {
	damage, pairs := inspect(path)
	if damage == nil {
		return nil
	}
	name := filepath.Base(path)
	aside, err := setAside(path, d.clock())
	if err != nil {
		return fmt.Errorf("%s is damaged (%w) and cannot be set aside: make %s writable",
			name, damage, d.config.Directory)
	}
	kept, lost := salvage(pairs)
	if err := write(path, kept); err != nil {
		d.logger.Error("What can be read of a damaged file could not be written again: free space on the disk, "+
			"then put the file that was set aside back in its place", zap.String("file", name), zap.Error(err))
		kept, lost = nil, unknownLoss(pairs)
	}
	d.telemetry.damaged(ctx, name, lost)
	d.logger.Error("A file was damaged: it was set aside, and what could be read is in a new one",
		zap.String("file", name), zap.String("set_aside", filepath.Base(aside)), zap.Error(damage),
		zap.Int("kept", len(kept)), zap.Uint64("requests_lost", lost))
	return nil
}
