// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package tenants

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"glasshouse.example/collector/tenancy"
)

// authority signs certificates, of the server and of clients.
type authority struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	made, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(made)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{t, certificate, key}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

func (a *authority) sign(template x509.Certificate) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, template.NotAfter = big.NewInt(2), time.Now().Add(time.Hour)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	made, err := x509.CreateCertificate(rand.Reader, &template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{made}, PrivateKey: key}
}

func (a *authority) client(commonName string, dns []string, uris ...string) []tls.Certificate {
	template := x509.Certificate{Subject: pkix.Name{CommonName: commonName}, DNSNames: dns}
	for _, one := range uris {
		parsed, err := url.Parse(one)
		if err != nil {
			a.t.Fatal(err)
		}
		template.URIs = append(template.URIs, parsed)
	}
	return []tls.Certificate{a.sign(template)}
}

// rig is the extension behind an HTTP and a gRPC server.
type rig struct {
	authority  *authority
	http, grpc string
	lines      *observer.ObservedLogs
	readings   *componenttest.Telemetry
}

func newRig(t *testing.T, asks tls.ClientAuthType) *rig {
	t.Helper()
	r := &rig{authority: newAuthority(t), readings: componenttest.NewTelemetry()}
	core, lines := observer.New(zapcore.WarnLevel)
	r.lines = lines
	set := r.readings.NewTelemetrySettings()
	set.Logger = zap.New(core)
	config := &Config{Clients: map[string]string{
		"edge-1": "team-a", "edge-2.example": "team-b", "spiffe://example.org/edge/3": "team-c",
	}}
	made, err := NewFactory().Create(context.Background(), extension.Settings{ID: component.NewID(componentType), TelemetrySettings: set}, config)
	if err != nil {
		t.Fatal(err)
	}
	secure := &tls.Config{
		Certificates: []tls.Certificate{r.authority.sign(x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})},
		ClientAuth:   asks, ClientCAs: r.authority.pool(), MinVersion: tls.VersionTLS12,
	}
	wrap, err := made.(*door).GetHTTPHandler(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	handler, err := wrap(context.Background(), http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		tenant, _ := tenancy.From(request.Context())
		_, _ = io.WriteString(w, tenant)
	}))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.TLS = secure.Clone()
	server.Config.ErrorLog = zap.NewStdLog(zap.NewNop())
	server.StartTLS()
	t.Cleanup(server.Close)
	r.http = server.URL

	options, err := made.(*door).GetGRPCServerOptions(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	calls := grpc.NewServer(append(options, grpc.Creds(credentials.NewTLS(secure)))...)
	grpc_health_v1.RegisterHealthServer(calls, &echo{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = calls.Serve(listener) }()
	t.Cleanup(calls.Stop)
	r.grpc = listener.Addr().String()
	return r
}

// echo answers with an error that says whose call it was.
type echo struct {
	grpc_health_v1.UnimplementedHealthServer
}

func (*echo) Check(ctx context.Context, _ *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	tenant, _ := tenancy.From(ctx)
	return nil, status.Error(codes.OutOfRange, tenant)
}

func (r *rig) overHTTP(t *testing.T, shown []tls.Certificate) (int, string) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.authority.pool(), Certificates: shown, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.http, nil)
	if err != nil {
		t.Fatal(err)
	}
	// What a client says of itself counts for nothing.
	request.Header.Set("X-Scope-OrgID", "team-b")
	request.Header.Set(tenancy.Metadata, "team-b")
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func (r *rig) overGRPC(t *testing.T, shown []tls.Certificate) (codes.Code, string) {
	t.Helper()
	connection, err := grpc.NewClient(r.grpc, grpc.WithTransportCredentials(credentials.NewTLS(
		&tls.Config{RootCAs: r.authority.pool(), Certificates: shown, MinVersion: tls.VersionTLS12})))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	_, err = grpc_health_v1.NewHealthClient(connection).Check(context.Background(), &grpc_health_v1.HealthCheckRequest{})
	return status.Code(err), status.Convert(err).Message()
}

func TestTheCertificateSaysWhose(t *testing.T) {
	r := newRig(t, tls.RequireAndVerifyClientCert)
	for _, one := range []struct {
		shown  []tls.Certificate
		tenant string
	}{
		{r.authority.client("edge-1", nil), "team-a"},
		{r.authority.client("edge-1", []string{"edge-2.example"}), "team-b"},
		{r.authority.client("edge-1", []string{"other.example", "edge-2.example"}), "team-b"},
		{r.authority.client("edge-1", []string{"edge-2.example"}, "spiffe://example.org/edge/3"), "team-c"},
	} {
		if code, tenant := r.overHTTP(t, one.shown); code != http.StatusOK || tenant != one.tenant {
			t.Errorf("HTTP: %d %q, not %q", code, tenant, one.tenant)
		}
		if code, tenant := r.overGRPC(t, one.shown); code != codes.OutOfRange || tenant != one.tenant {
			t.Errorf("gRPC: %v %q, not %q", code, tenant, one.tenant)
		}
	}
	if r.lines.Len() != 0 {
		t.Errorf("logged: %v", r.lines.All())
	}
}

func TestAClientWithoutATenantIsRefusedAndNamed(t *testing.T) {
	r := newRig(t, tls.RequireAndVerifyClientCert)
	for _, shown := range [][]tls.Certificate{
		r.authority.client("edge-9", nil),
		r.authority.client("edge-1", []string{"other.example"}), // a common name beside other names is none
		r.authority.client("edge-1", nil, "spiffe://example.org/other", "spiffe://example.org/edge/3"),
	} {
		if code, text := r.overHTTP(t, shown); code != http.StatusForbidden || !strings.Contains(text, "add it to clients") {
			t.Errorf("HTTP: %d %q", code, text)
		}
		if code, text := r.overGRPC(t, shown); code != codes.PermissionDenied || !strings.Contains(text, "add it to clients") {
			t.Errorf("gRPC: %v %q", code, text)
		}
	}
	if r.lines.Len() != 1 {
		t.Fatalf("%d lines for one reason, not one: %v", r.lines.Len(), r.lines.All())
	}
	if shown := r.lines.All()[0].ContextMap()["certificate"]; shown != `["edge-9"]` {
		t.Errorf("the line names %v", shown)
	}
	reading, err := r.readings.GetMetric("otelcol_extension_tenants_refused")
	if err != nil {
		t.Fatal(err)
	}
	if counted := countsByReason(t, reading); counted["unknown_client"] != 6 || counted["no_certificate"] != 0 {
		t.Errorf("counted %v", counted)
	}
}

func TestACertificateThatNobodyVerifiedIsNone(t *testing.T) {
	r := newRig(t, tls.RequestClientCert) // takes any: what a wrong configuration may say
	stranger := newAuthority(t)
	for _, shown := range [][]tls.Certificate{nil, stranger.client("edge-1", nil)} {
		if code, text := r.overHTTP(t, shown); code != http.StatusForbidden || !strings.Contains(text, "client_ca_file") {
			t.Errorf("HTTP: %d %q", code, text)
		}
		if code, _ := r.overGRPC(t, shown); code != codes.PermissionDenied {
			t.Errorf("gRPC: %v", code)
		}
	}
}

func countsByReason(t *testing.T, reading metricdata.Metrics) map[string]int64 {
	t.Helper()
	sum, is := reading.Data.(metricdata.Sum[int64])
	if !is {
		t.Fatalf("%T", reading.Data)
	}
	counted := map[string]int64{}
	for _, point := range sum.DataPoints {
		reason, _ := point.Attributes.Value("reason")
		counted[reason.AsString()] = point.Value
	}
	return counted
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	for says, clients := range map[string]map[string]string{
		"name at least one client":        nil,
		"a client's name is empty":        {"": "team-a"},
		`the tenant of "edge-1" is empty`: {"edge-1": ""},
		`the tenant of "edge-1" has '/'`:  {"edge-1": "a/b"},
		`the tenant of "edge-1" is ".."`:  {"edge-1": ".."},
	} {
		if err := (&Config{Clients: clients}).Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: %v", clients, err)
		}
	}
}
