package client_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"crypto/tls"

	"github.com/oneloop-ai/oneloop-go/client"
)

// goawayServer speaks just enough HTTP/2 to read one request per connection and
// to answer it with GOAWAY: "not processed, try elsewhere".
func goawayServer(t *testing.T) (baseURL string, tlsClient *tls.Config, requests *atomic.Int64) {
	t.Helper()
	certs := httptest.NewTLSServer(nil)
	defer certs.Close()
	config := &tls.Config{Certificates: certs.TLS.Certificates, NextProtos: []string{"h2"}}
	requests = new(atomic.Int64)
	addr := listen(t, func(plain net.Conn) {
		conn := tls.Server(plain, config)
		const headers, settings, goaway = 1, 4, 7
		_, _ = io.CopyN(io.Discard, conn, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
		_, _ = conn.Write([]byte{0, 0, 0, settings, 0, 0, 0, 0, 0})
		for {
			var frame [9]byte
			if _, err := io.ReadFull(conn, frame[:]); err != nil {
				return
			}
			_, _ = io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(append([]byte{0}, frame[:3]...))))
			if frame[3] == headers {
				requests.Add(1)
				_, _ = conn.Write([]byte{0, 0, 8, goaway, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
				silence(conn)
				return
			}
		}
	})
	return "https://" + addr, certs.Client().Transport.(*http.Transport).TLSClientConfig, requests
}

func TestGoawayIsNotReplayedForever(t *testing.T) {
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			baseURL, config, requests := goawayServer(t)
			transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
			defer transport.CloseIdleConnections()
			var attempts []client.Attempt
			c := newClient(t, via(transport), client.WithBaseURL(baseURL), quick, record(&attempts))
			_, err := op.call(t.Context(), c)
			if err == nil {
				t.Fatal("got an answer")
			}
			if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v looks as if the caller's context had ended", err)
			}
			t.Logf("%d wire requests in %d attempts: %v", requests.Load(), len(attempts), err)
			if got, want := requests.Load(), int64(2*len(attempts)); got > want || got > 6 {
				t.Errorf("%d wire requests in %d attempts, want at most 2 in each", got, len(attempts))
			}
		})
	}
}

// The jar of a user's http.Client adds its cookies to each attempt, once.
func TestCookieJar(t *testing.T) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse(client.DefaultBaseURL)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(base, []*http.Cookie{{Name: "a", Value: "1"}})
	s := newScript(responds(503, ""), responds(503, ""), responds(200, validated))
	c := newClient(t, client.WithHTTPClient(&http.Client{Transport: s, Jar: jar}), quick)
	if _, err := validate.call(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for i, req := range s.requests {
		if got := req.Header["Cookie"]; len(got) != 1 || got[0] != "a=1" {
			t.Errorf("attempt %d sent the cookies %q", i+1, got)
		}
	}
}

func TestHTTP2(t *testing.T) {
	var conns atomic.Int64
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			w.WriteHeader(http.StatusHTTPVersionNotSupported)
		}
		respondOK(w, r)
	}), http2, countConns(&conns, new(atomic.Int64)))

	setDefaultTransport(t, server.Client().Transport) // which the Client's own is a copy of
	own, err := client.New(testKey, client.WithBaseURL(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	defer own.CloseIdleConnections()
	given, err := client.New(testKey, client.WithBaseURL(server.URL), client.WithHTTPClient(server.Client()))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*client.Client{"own transport": own, "user's transport": given} {
		conns.Store(0)
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				for _, op := range operations {
					if _, err := op.call(t.Context(), c); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			})
		}
		wg.Wait()
		t.Logf("%s: %d connections", name, conns.Load())
	}
}

func TestConnectionClosedWhileIdle(t *testing.T) {
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			var attempts atomic.Int64
			server := serve(t, http.HandlerFunc(respondOK))
			c := newClient(t, client.WithBaseURL(server.URL), quick, client.WithObserver(func(context.Context, client.Attempt) { attempts.Add(1) }))
			for range 20 {
				if _, err := op.call(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				server.CloseClientConnections()
			}
			if !op.post && attempts.Load() != 20 {
				t.Errorf("%d attempts for 20 calls: net/http was not let to send a GET again", attempts.Load())
			}
		})
	}
}

// TLS failures are known by their texts, so they are made for real here.
func TestTLSFailures(t *testing.T) {
	silent := func(t *testing.T) string { return "https://" + listen(t, silence) }
	secure := func(configure func(*tls.Config)) func(t *testing.T) string {
		return func(t *testing.T) string {
			return serve(t, http.NotFoundHandler(), withTLS, func(s *httptest.Server) { configure(s.TLS) }).URL
		}
	}
	untrusted := httptest.NewTLSServer(nil)
	defer untrusted.Close()
	trusting := untrusted.Client().Transport.(*http.Transport)
	for name, test := range map[string]struct {
		server    func(*testing.T) string
		configure func(*http.Transport)
		attempts  int
	}{
		"handshake timeout":  {silent, func(tr *http.Transport) { tr.TLSHandshakeTimeout = 20 * time.Millisecond }, 3},
		"unknown authority":  {secure(func(*tls.Config) {}), func(tr *http.Transport) { tr.TLSClientConfig = nil }, 1},
		"wrong name":         {secure(func(*tls.Config) {}), func(tr *http.Transport) { tr.TLSClientConfig.ServerName = "canary.invalid" }, 1},
		"no common version":  {secure(func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }), func(tr *http.Transport) { tr.TLSClientConfig.MaxVersion = tls.VersionTLS12 }, 1},
		"certificate demand": {secure(func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }), func(tr *http.Transport) { tr.TLSClientConfig.MaxVersion = tls.VersionTLS12 }, 1},
		"no common protocol": {secure(func(c *tls.Config) { c.NextProtos = []string{"x"} }), func(tr *http.Transport) { tr.TLSClientConfig.NextProtos = []string{"y"} }, 1},
		"pinning by the user": {secure(func(*tls.Config) {}), func(tr *http.Transport) {
			tr.TLSClientConfig.VerifyConnection = func(tls.ConnectionState) error { return errors.New("x509: not the pinned key") }
		}, 1},
		"plain HTTP": {func(t *testing.T) string {
			server := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(server.Close)
			return strings.Replace(server.URL, "http:", "https:", 1)
		}, func(*http.Transport) {}, 1},
		"plain text": {func(t *testing.T) string {
			return "https://" + listen(t, func(conn net.Conn) {
				_, _ = io.WriteString(conn, "220 mail.example ESMTP\r\n")
				silence(conn)
			})
		}, func(*http.Transport) {}, 1},
	} {
		for i, op := range operations {
			t.Run(fmt.Sprint(name, "/", i), func(t *testing.T) {
				transport := trusting.Clone()
				test.configure(transport)
				attempts := 0
				c := newClient(t, via(transport), client.WithBaseURL(test.server(t)), quick, client.WithObserver(func(context.Context, client.Attempt) { attempts++ }))
				_, err := op.call(t.Context(), c)
				if err == nil || attempts != test.attempts {
					t.Errorf("got %v after %d attempts, want %d", err, attempts, test.attempts)
				}
			})
		}
	}
}

func TestOwnTransportGivesConnectingLessTimeThanAnAttempt(t *testing.T) {
	var attempts []client.Attempt
	c, err := client.New(testKey, client.WithBaseURL("https://"+listen(t, silence)), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1}),
		record(&attempts))
	if err != nil {
		t.Fatal(err)
	}
	_, err = generate.call(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "TLS handshake timeout") || attempts[0].Duration > 5*time.Second {
		t.Errorf("got %v after %v", err, attempts[0].Duration)
	}
}

// A failing call closes nobody else's idle connections on a shared transport.
func TestFailingCallsLeaveIdleConnectionsAlone(t *testing.T) {
	var conns atomic.Int64
	other := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	other.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	other.Start()
	defer other.Close()
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }))
	defer failing.Close()

	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	neighbour := &http.Client{Transport: transport}
	c := newClient(t, via(transport), client.WithBaseURL(failing.URL), quick)
	gone := newClient(t, via(transport), client.WithBaseURL("http://"+closedPort(t)), quick)
	for range 10 {
		resp, err := neighbour.Get(other.URL)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		for _, op := range operations {
			if _, err := op.call(t.Context(), c); !errors.Is(err, client.ErrServer) {
				t.Fatal(err)
			}
			if _, err := op.call(t.Context(), gone); err == nil {
				t.Fatal("got an answer from a closed port")
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _ = validate.call(ctx, c)
	}
	if conns.Load() != 1 {
		t.Errorf("the neighbour needed %d connections, want one", conns.Load())
	}
}

func TestConcurrentUse(t *testing.T) {
	const goroutines, calls = 64, 100
	before := runtime.NumGoroutine()
	base, conns := loopback(t)
	c, err := client.New(benchKey, client.WithBaseURL(base))
	if err != nil {
		t.Fatal(err)
	}
	sdk := sdkCalls(c)
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := range calls {
				call := sdk.validate
				if i%2 == 0 {
					call = sdk.generate
				}
				if err := call(t.Context()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d connections for %d calls of %d goroutines", conns.Load(), goroutines*calls, goroutines)
	if got := conns.Load(); got > goroutines*5/4 { // a machine that is busy may hold up a dial for too long
		t.Errorf("%d connections for %d goroutines", got, goroutines)
	}
	c.CloseIdleConnections()
	// What is left are the server's accept loop and httptest's own.
	for range 200 {
		if runtime.NumGoroutine() <= before+3 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("goroutines were left behind:\n%s", stacks[:runtime.Stack(stacks, true)])
}

func TestNewStartsNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 100 {
		if _, err := client.New(testKey); err != nil {
			t.Fatal(err)
		}
	}
	if got := runtime.NumGoroutine(); got > before+50 { // others' may come and go
		t.Errorf("100 calls of New started %d goroutines", got-before)
	}
}

func TestCloseIdleConnections(t *testing.T) {
	var open atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, validated)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	server.Start()
	defer server.Close()
	own, err := client.New(testKey, client.WithBaseURL(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	given := newClient(t, via(&http.Transport{}), client.WithBaseURL(server.URL))
	for name, c := range map[string]*client.Client{"own transport": own, "user's transport": given} {
		for range 2 { // it stays usable
			if _, err := validate.call(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if open.Load() != 1 {
				t.Fatalf("%s: %d open connections, want one idle", name, open.Load())
			}
			c.CloseIdleConnections()
			for i := 0; open.Load() != 0; i++ {
				if i == 500 {
					t.Fatalf("%s: the idle connection was not closed", name)
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
	}
}

func TestObserver(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "value")
	var got []client.Attempt
	s := newScript(responds(503, ""), fails(io.EOF), responds(200, validated))
	observe := func(ctx context.Context, a client.Attempt) {
		if ctx.Value(key{}) != "value" {
			t.Error("it is not the context of the call")
		}
		got = append(got, a)
	}
	told := 0
	c := newClient(t, via(s), quick, client.WithObserver(observe), client.WithObserver(func(context.Context, client.Attempt) { told++ }))
	if _, err := validate.call(ctx, c); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || told != 3 {
		t.Fatalf("%d and %d attempts were told, want 3", len(got), told)
	}
	for i, want := range []struct {
		status    int
		err       error
		willRetry bool
	}{{503, nil, true}, {0, io.EOF, true}, {200, nil, false}} {
		a := got[i]
		if a.Operation != "validateLinkToken" || a.Number != i+1 || a.StatusCode != want.status || !errors.Is(a.Err, want.err) ||
			a.WillRetry != want.willRetry || a.RetryIn < 0 || a.RetryIn > time.Millisecond || a.Duration < 0 || !want.willRetry && a.RetryIn != 0 {
			t.Errorf("attempt %d: %+v", i+1, a)
		}
	}
}

func TestLogAttempts(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "duration" && a.Value.Duration() >= 0 || a.Key == "wait" && a.Value.Duration() > 0 {
				return slog.String(a.Key, "x")
			}
			return a
		},
	}))
	policy := client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 2, BaseDelay: time.Millisecond, MaxDelay: time.Millisecond})
	s := newScript(responds(503, ""), responds(200, validated), fails(io.ErrUnexpectedEOF), responds(400, ""))
	c := newClient(t, via(s), policy, client.WithObserver(client.LogAttempts(logger)))
	for range 2 {
		_, _ = validate.call(t.Context(), c)
	}
	want := `time=x level=WARN msg="oneloop attempt" operation=validateLinkToken attempt=1 status=503 duration=x wait=x
time=x level=DEBUG msg="oneloop attempt" operation=validateLinkToken attempt=2 status=200 duration=x wait=0s
time=x level=WARN msg="oneloop attempt" operation=validateLinkToken attempt=1 status=0 duration=x wait=x error="unexpected EOF"
time=x level=ERROR msg="oneloop attempt" operation=validateLinkToken attempt=2 status=400 duration=x wait=0s
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

// A fake in http.DefaultTransport is used, whether it came before or after New.
func TestDefaultTransportMayBeFaked(t *testing.T) {
	standard := http.DefaultTransport
	defer func() { http.DefaultTransport = standard }()
	before, err := client.New(testKey)
	if err != nil {
		t.Fatal(err)
	}
	http.DefaultTransport = newScript(responds(200, validated))
	after, err := client.New(testKey)
	if err != nil {
		t.Fatal(err)
	}
	withClient, err := client.New(testKey, client.WithHTTPClient(&http.Client{}))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*client.Client{"before": before, "after": after, "with an http.Client": withClient} {
		if _, err := validate.call(t.Context(), c); err != nil {
			t.Errorf("made %s: %v", name, err)
		}
		c.CloseIdleConnections()
	}
}

// The dialler of http.DefaultTransport, where a program has set its own, stays.
func TestOwnTransportKeepsTheDefaultDialler(t *testing.T) {
	standard := http.DefaultTransport
	defer func() { http.DefaultTransport = standard }()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, validated)
	}))
	defer server.Close()
	http.DefaultTransport = &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > 3*time.Second {
			t.Error("dialling is not bounded")
		}
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}}
	c, err := client.New(testKey, client.WithBaseURL("http://localhost:1"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	if _, err := validate.call(t.Context(), c); err != nil {
		t.Error(err)
	}
}
