// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"

	"glasshouse.example/collector/tenancy"
)

const tenantHeader = "X-Scope-OrgID"

// tenants is a backend that keeps what came under which header, once it takes anything.
type tenants struct {
	mu    sync.Mutex
	takes bool
	asked int
	found map[string][]string
}

func (b *tenants) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if err != nil || !b.takes {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	data, err := logTrial().signal.decode(body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	tenant := strings.Join(r.Header.Values(tenantHeader), "+")
	b.found[tenant] = append(b.found[tenant], logTrial().names(data)...)
}

func (b *tenants) state() (takes int, found map[string]int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found = map[string]int{}
	for tenant, names := range b.found {
		found[tenant] = len(names)
	}
	return b.asked, found
}

// TestATenantGoesWithItsRecordsThroughQueueAndRestart sends from two tenants in turns while the backend is
// unavailable, restarts the exporter, and has the backend return.
func TestATenantGoesWithItsRecordsThroughQueueAndRestart(t *testing.T) {
	directory := t.TempDir()
	backend := &tenants{found: map[string][]string{}}
	server := httptest.NewServer(backend)
	t.Cleanup(server.Close)
	cfg := queued(server.URL)
	cfg.ClientConfig.Compression = ""
	cfg.TenantHeader = tenantHeader
	cfg.QueueConfig.Get().Batch.Get().Partition.MetadataKeys = []string{tenancy.Metadata}
	fatal(t, cfg.Validate())
	start := func() (stop func(), send func(tenant, name string)) {
		storage := startExtension(t, filestorage.NewFactory(), map[string]any{"directory": directory})
		set, _ := testSettings(componenttest.NewTelemetry())
		made, err := NewFactory().CreateLogs(t.Context(), set, cfg)
		fatal(t, err)
		fatal(t, made.Start(t.Context(), host{letterID: &letters{}, storageID: storage}))
		return func() {
				fatal(t, made.Shutdown(context.Background()))
				fatal(t, storage.Shutdown(context.Background()))
			}, func(tenant, name string) {
				fatal(t, made.ConsumeLogs(tenancy.Into(t.Context(), tenant), logTrial().make([]string{name})))
			}
	}
	stop, send := start()
	const each = 200
	for i := range each {
		send("team-a", fmt.Sprintf("a%d", i))
		send("team-b", fmt.Sprintf("b%d", i))
	}
	eventually(t, "a try", func() (string, bool) {
		asked, _ := backend.state()
		return fmt.Sprint(asked), asked > 0
	})
	stop()
	backend.mu.Lock()
	backend.takes = true
	backend.mu.Unlock()
	stop, _ = start()
	eventually(t, "all of it", func() (string, bool) {
		_, found := backend.state()
		return fmt.Sprint(found), found["team-a"] >= each && found["team-b"] >= each
	})
	stop()
	for tenant, names := range backend.found {
		for _, name := range names {
			if tenant != "team-"+name[:1] {
				t.Errorf("%s came under %q", name, tenant)
			}
		}
		slices.Sort(names)
		if distinct := len(slices.Compact(names)); distinct != each {
			t.Errorf("%q has %d of %d", tenant, distinct, each)
		}
	}
}

func TestRecordsOfNobodyBecomeNobodyElses(t *testing.T) {
	backend := &tenants{found: map[string][]string{}, takes: true}
	server := httptest.NewServer(backend)
	t.Cleanup(server.Close)
	cfg := testConfig(server.URL)
	cfg.ClientConfig.Compression = ""
	cfg.TenantHeader = tenantHeader
	cfg.RetryConfig.MaxElapsedTime = 200 * time.Millisecond
	cfg.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]() // the caller receives the answer
	set, _ := testSettings(componenttest.NewTelemetry())
	made, err := NewFactory().CreateLogs(t.Context(), set, cfg)
	fatal(t, err)
	fatal(t, made.Start(t.Context(), host{letterID: &letters{}}))
	t.Cleanup(func() { fatal(t, made.Shutdown(context.Background())) })
	if err := made.ConsumeLogs(t.Context(), logTrial().make([]string{"x"})); err == nil ||
		!strings.Contains(err.Error(), "the processor tenant belongs before") {
		t.Errorf("%v", err)
	}
	fatal(t, made.ConsumeLogs(tenancy.Into(t.Context(), "team-a"), logTrial().make([]string{"y"})))
	if asked, found := backend.state(); asked != 1 || found["team-a"] != 1 {
		t.Errorf("%d requests, %v", asked, found)
	}
}

func TestRequestsOfSeveralTenantsDoNotGoIntoTheQueueAsOne(t *testing.T) {
	cfg := queued("http://localhost:1")
	cfg.QueueConfig.Get().Batch = configoptional.None[exporterhelper.BatchConfig]()
	offer := func(context.Context, *request[plog.Logs]) error { return nil }
	if newGather(cfg, offer) == nil {
		t.Fatal("the control: nothing is joined")
	}
	cfg.TenantHeader = tenantHeader
	fatal(t, cfg.Validate())
	if newGather(cfg, offer) != nil {
		t.Error("they are joined")
	}
}

func TestABatchOfSeveralTenantsIsRefusedAtTheStart(t *testing.T) {
	for text, fits := range map[string]bool{
		"{tenant_header: X-Scope-OrgID, sending_queue: {batch: {}}}":                                                false,
		"{tenant_header: X-Scope-OrgID, sending_queue: {batch: {partition: {metadata_keys: [other]}}}}":             false,
		"{tenant_header: X-Scope-OrgID, sending_queue: {batch: {partition: {metadata_keys: [glasshouse.tenant]}}}}": true,
		"{tenant_header: X-Scope-OrgID, sending_queue: {enabled: false}}":                                           true,
		"{sending_queue: {batch: {}}}": true,
	} {
		_, err := load(t, "{endpoint: 'http://x', "+strings.TrimPrefix(text, "{"))
		if (err == nil) != fits || err != nil && !strings.Contains(err.Error(), "metadata_keys: add glasshouse.tenant") {
			t.Errorf("%s is answered with %v", text, err)
		}
	}
}
