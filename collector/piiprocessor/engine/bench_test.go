// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"math"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A log record and a span as services send them, nothing sensitive in them.
var benignLog = [][2]string{
	{"", "payment 0b6f1f4e-3c57-4a63-9a5c-6f1f0f6f2d11 confirmed after 12.4 s"},
	{"event.name", "payment.confirmed"},
	{"payment.transaction_id", "0b6f1f4e-3c57-4a63-9a5c-6f1f0f6f2d11"},
	{"payment.currency", "EUR"},
	{"payment.blockchain_tx_id", "0x88df016429689c079f3b2f6ad39fa052532c56795b733da78a91ebe6a713944b"},
	{"correlation.id", "5f0c6f2a-0b7e-4d38-8d0e-1a2b3c4d5e6f"},
	{"code.function.name", "backend.payments.confirm"},
	{"code.file.path", "/usr/lib/python3.11/site-packages/backend/payments.py"},
	{"log.iostream", "stdout"},
}

var benignSpan = [][2]string{
	{"http.request.method", "GET"},
	{"http.route", "/payments/{transactionId}"},
	{"url.full", "https://shop.example.com/payments/0b6f1f4e-3c57-4a63-9a5c-6f1f0f6f2d11?expand=items&page=2"},
	{"server.address", "shop.example.com"},
	{"network.peer.address", "10.2.3.4"},
	{"user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"},
	{"network.protocol.version", "1.1"},
	{"url.scheme", "https"},
	{"db.query.text", "SELECT id, state, amount FROM payments WHERE transaction_id = $1 AND state <> $2"},
	{"start_time", "2026-11-25T06:12:49.123456Z"},
	{"trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"},
	{"thread.name", "MainThread"},
}

// benignViews are texts of which the view differs.
var benignViews = [][2]string{
	{"", `read C:\new\table.txt: "a\tb"` + "\x1b[0m"}, {"url.query", "q=caf%C3%A9%20au%20lait&amp;page=2"}, {"", "第一条，第二条 – 中文"},
}

func benchmarkRecord(b *testing.B, record [][2]string) {
	e := loadEngine(b, Options{})
	var hits Hits
	for _, kv := range record {
		if out, changed := e.String(kv[0], kv[1], &hits); changed {
			b.Fatalf("%s: %s became %s", kv[0], kv[1], out)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, kv := range record {
			e.Key(kv[0], &hits)
			e.String(kv[0], kv[1], &hits)
		}
	}
}

func BenchmarkBenignLog(b *testing.B)  { benchmarkRecord(b, benignLog) }
func BenchmarkBenignSpan(b *testing.B) { benchmarkRecord(b, benignSpan) }

func BenchmarkHits(b *testing.B) {
	e := loadEngine(b, Options{})
	var hits Hits
	b.ReportAllocs()
	for b.Loop() {
		e.String("", "paid by jane.doe@example.com with 4111 1111 1111 1111", &hits)
	}
}

func TestNoAllocationWithoutHits(t *testing.T) {
	e := loadEngine(t, Options{})
	for _, record := range [][][2]string{benignLog, benignSpan, benignViews} {
		for _, kv := range record {
			var hits Hits
			e.String(kv[0], kv[1], &hits)
			if n := testing.AllocsPerRun(100, func() { e.Key(kv[0], &hits); e.String(kv[0], kv[1], &hits) }); n > 0 {
				t.Errorf("%s = %s: %v allocations", kv[0], kv[1], n)
			}
		}
	}
}

// worstTexts are built so that a rule nearly matches again and again.
var worstTexts = map[string]string{
	"digits": "4", "digit pairs": "4 ", "at signs": "a@", "dots": "a@b.", "slashes": "://", "colons": "a:", "equals": "a=",
	"password": "password=", "quotes": `password="\`, "jwt": "eyJ", "jwt dots": "eyJhbGci.", "hex": "ab:", "ipv6": "::1", "ipv4": "1.2.3.4.",
	"iban": "DE89 ", "iban run": "de89", "begin": "-----BEGIN PRIVATE KEY-----", "phones": "+1 ", "trunk": "0 1 ", "base58": "1A2b",
	"bearer": "bearer ", "basic": "basic abcd", "digest": "digest a=b,", "brackets": "[", "mask": "[a:", "xml": "<password>", "words": "is pin ",
	"near": "passport 12345 ", "tokens": "ghp_", "underscores": "_", "dashes": "--password ", "commas": ",", "unicode": "é@ü.", "percent": "%40", "rules": "-----", "long rule": "-",
	"json": `{"a":`, "json lists": "[[", "mysql": "mysql -", "curl": " -u a:", "basic58 near": "wallet 7EcDhSYGxXyscszYEp35KHN8vvw3svAuLKTzXwCFLtV",
	"seed": "mnemonic = abandon abandon ", "plus": "+49", "telephone": "tel 1-2-3-4-5-6-7-8-", "aws": "AKIA", "github": "://a:", "lines": "a\n",
	"options": "--api-key a ", "no options": "token -", "logins": "docker login -p a ", "no logins": "docker login ", "settings": "config set token a ",
	"arguments": `("token", "a1", `, "no arguments": `("token",`, "members": "name=token value=a ", "names": "name=token ", "values": `token value="a" `,
	"cells": "| token | a1 ", "attributes": `<a name="token" value=`, "elements": `<a name="token">a</`, "inputs": "token\n input_value=", "parts": "name=\"token\"\r\n",
	"php": `"token";s:1:`, "data": "data:\n  a: b\n", "secret data": "kind: Secret\ndata:\n  a: b\n", "identified": "create user a identified by ", "sql": "password 'a", "set password": "set password for ",
	"no curl": "curl ", "short options": "a -p ", "hashes": "$6$a", "netrc": "machine a login b ", "pgpass": "a:5432:", "key end": "a1B2/PRIVATE KEY", "putty": "Private-Lines: 2\na1B2\n",
	"mixed options": "redis-cli sshpass -pa ", "far values": `<a name="a" b `, "rejected": `"a" rejected `, "form names": `name="a"; `, "oauth": `oauth realm="a",`, "oracle": "connect a/b@", "dsn": "user=a pass=", "redis": "AUTH a1", "query": "&code=a#key=b",
	"pair brackets": "password=[", "pair braces": "password={'", "pair calls": "password=a(", "pair lists": "password=['x\n", "pair literals": `password="a` + "\n",
	"pair escapes": `password=["\"`, "pair triples": `password="""'`, "pair blocks": "password:\n  - a\n", "pair bars": "password:|", "pair people": "password for bob: 1 ",
	"pair blanks": "password                    :", "pair delimiters": "password=a,b;c&d[e]", "pair templates": "password={{", "pair dollars": "password=${a:", "pair commands": "> PASS AUTH ",
	"pair rows": "| password | a\n", "pair tags": "password=<a", "pair words": "one time password ", "pair arguments": `set("password", `, "pair quoted": `password "a`, "pair spoken": "set password to a1 ", "pair parentheses": "(password=)))", "pair bracketed": "[x] password ]:",
	"emails": "é a@b.co ", "odd emails": "{x}@", "quoted emails": `"a@`, "bracketed emails": "<a@b", "escapes": `\n`, "backslashes": `\`, "surrogates": `\ud83d`,
	"utf-8 in escapes": `\xc3`, "percent signs": "%", "percent of percent": "%25", "entities": "&#64;", "ampersands": "&amp;", "ansi": "\x1b[31m", "ansi begun": `\x1b[`,
	"rsyslog": "#012", "full stops": "a。", "zero width": "\u200b。", "other digits": "٤", "encoded": "eyJhIjoxfQAAAAAAAAAAAAAA ", "encoded run": "ZXlK", "ipv6 again": "x:1::",
	"open tokens": "sk-", "token parts": "xoxb-1-", "token dots": "dp.pt.", "vendor words": "facebook_token=", "token ends": "-us1", "token leads": "0123456789012345|",
}

const (
	// The sizes at which time is measured closely: the last is the longest text that is checked at all.
	// What grows little over shorter ones grows little there, too: of time a + b·n² that grows by
	// mostGrowth from an eighth of the longest text to all of it, that of a quarter is 1.6 times more
	// for its length than that of a 32nd.
	firstBytes, shortBytes, timesLong, mostSizes = 4 << 10, 16 << 10, 8, 3
	// Linear growth is 1, quadratic growth timesLong; caches and allocation are between.
	littleGrowth, mostGrowth = 1.5, 3.0
)

// timeGrowth measures how much more time each size takes than the one before it, for its length: about
// 1 for what is linear. Only a text that grows over short ones is measured at full length.
func timeGrowth(t *testing.T, sizes int, work func(string), text func(size int) string) float64 {
	t.Helper()
	if growth := growthFrom(t, firstBytes, sizes, 3, littleGrowth, work, text); growth <= littleGrowth {
		return growth
	}
	return growthFrom(t, shortBytes, sizes, 15, mostGrowth, work, text)
}

// growthFrom is the growth from the shortest size on. A busy machine only ever adds time, so the least
// of several measurements counts, and only a text that seems too slow is measured again.
func growthFrom(t *testing.T, shortest, sizes, attempts int, enough float64, work func(string), text func(size int) string) float64 {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var least [mostSizes]time.Duration
	worst := math.Inf(1)
	for attempt := 0; attempt < attempts && worst > enough; attempt++ {
		for i, size := 0, shortest; i < sizes; i, size = i+1, size*timesLong {
			one := text(size)
			times := max(1, min(timesLong, shortBytes*timesLong/2/size))
			before := threadTime(t)
			for range times {
				work(one)
			}
			took := (threadTime(t) - before) / time.Duration(times)
			if attempt == 0 || took < least[i] {
				least[i] = took
			}
		}
		worst = 0
		for i := 1; i < sizes; i++ {
			worst = max(worst, least[i].Seconds()/least[i-1].Seconds()/timesLong)
		}
	}
	t.Logf("%v: %.2f", least, worst)
	return worst
}

// repeated fills a size with a text.
func repeated(unit string) func(int) string {
	return func(size int) string { return strings.Repeat(unit, size/len(unit)) }
}

func TestLinearTime(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	e := loadEngine(t, Options{})
	for name, unit := range worstTexts {
		t.Run(name, func(t *testing.T) {
			if growth := timeGrowth(t, mostSizes, func(text string) { e.String("", text, nil) }, repeated(unit)); growth > mostGrowth {
				t.Errorf("the time grows by %.1f times the length", growth)
			}
		})
	}
}

// TestLinearTimeOfEveryRule repeats what each rule finds, and what looks like it.
func TestLinearTimeOfEveryRule(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	e := loadEngine(t, Options{})
	for rule, texts := range vectorTexts(t) {
		for _, text := range texts[:1] {
			if text == "" || len(text) > 512 || looksLikeJSON(text) {
				continue
			}
			shorter := func(size int) string { return strings.Repeat(text+" ", size/2/len(text)) }
			if growth := timeGrowth(t, mostSizes-1, func(text string) { e.String("", text, nil) }, shorter); growth > mostGrowth {
				t.Errorf("%s, %q: the time grows by %.1f times the length", rule, text, growth)
			}
		}
	}
}

// TestLinearTimeOfJSON: the walk looks ahead where a name and its value may stand apart.
func TestLinearTimeOfJSON(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	e := loadEngine(t, Options{})
	for name, unit := range map[string]string{
		"members": `{"value":{"value":{"value":"a"}},"name":"token"},`, "values": `{"value":"a"},`, "pairs": `["token","a1"],`,
		"options": `"--token","a1",`, "lists": `["-a","b",1],`, "data": `{"data":{"data":{"data":"a"}},"kind":"Secret"},`,
	} {
		t.Run(name, func(t *testing.T) {
			list := func(size int) string { return "[" + strings.Repeat(unit, size/2/len(unit)) + `"a"]` }
			if growth := timeGrowth(t, mostSizes-1, func(text string) { e.String("", text, nil) }, list); growth > mostGrowth {
				t.Errorf("the time grows by %.1f times the length", growth)
			}
		})
	}
}

// TestLinearTimeSeesMore holds the measurement to work whose growth is known.
func TestLinearTimeSeesMore(t *testing.T) {
	found := 0 // used, so that the work is not optimised away
	linear := func(text string) {
		for at := 0; at+128 <= len(text); at++ {
			found += strings.Count(text[at:at+128], "b")
		}
	}
	quadratic := func(text string) {
		for at := 0; at < len(text); at += 256 {
			found += strings.Count(text[at:], "b")
		}
	}
	if growth := timeGrowth(t, mostSizes, linear, repeated("a")); growth > mostGrowth {
		t.Errorf("linear work grows by %.1f", growth)
	}
	if growth := timeGrowth(t, mostSizes, quadratic, repeated("a")); growth <= mostGrowth {
		t.Errorf("quadratic work grows by %.1f only", growth)
	}
}

func BenchmarkWorst(b *testing.B) {
	e := loadEngine(b, Options{})
	for name, unit := range worstTexts {
		text := strings.Repeat(unit, 16<<10/len(unit))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				e.String("", text, nil)
			}
		})
	}
}
