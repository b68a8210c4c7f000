package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"testing"
	"time"
)

func newTestOwn(original *http.Transport, plainHTTP bool) *ownTransport {
	return New(nil, plainHTTP, 8*time.Second).newOwn(original)
}

func TestOwnSettings(t *testing.T) {
	own := newTestOwn(http.DefaultTransport.(*http.Transport), false)
	if !own.ForceAttemptHTTP2 || own.HTTP2.SendPingTimeout != 3*time.Second || own.HTTP2.PingTimeout != 3*time.Second {
		t.Errorf("HTTP/2: %t, %+v", own.ForceAttemptHTTP2, own.HTTP2)
	}
	if own.MaxIdleConns != 0 || own.MaxIdleConnsPerHost != 1000 || own.IdleConnTimeout != 90*time.Second || own.MaxResponseHeaderBytes != 64<<10 {
		t.Errorf("MaxIdleConns %d, MaxIdleConnsPerHost %d, IdleConnTimeout %v, MaxResponseHeaderBytes %d",
			own.MaxIdleConns, own.MaxIdleConnsPerHost, own.IdleConnTimeout, own.MaxResponseHeaderBytes)
	}
	if own.Proxy == nil || newTestOwn(http.DefaultTransport.(*http.Transport), true).Proxy != nil {
		t.Error("the proxy is not used for https, or is used for plain http")
	}

	type nextProto = map[string]func(string, *tls.Conn) http.RoundTripper
	theirs := &http.Transport{
		MaxIdleConnsPerHost: 2000, IdleConnTimeout: time.Second, TLSNextProto: nextProto{"h2": nil},
		HTTP2: &http.HTTP2Config{SendPingTimeout: 1, PingTimeout: 2},
	}
	own = newTestOwn(theirs, false)
	if own.MaxIdleConnsPerHost != 2000 || own.IdleConnTimeout != time.Second || own.HTTP2.SendPingTimeout != 1 || own.HTTP2.PingTimeout != 2 || own.TLSNextProto != nil {
		t.Errorf("the program's settings are not kept: %+v", own.Transport)
	}
	if own.DialContext != nil || own.DialTLSContext != nil {
		t.Error("there is a dial function where there was none")
	}
	if disabled := newTestOwn(&http.Transport{TLSNextProto: nextProto{}}, false); disabled.TLSNextProto == nil {
		t.Error("HTTP/2 is enabled although the program has disabled it")
	}
}

func TestOwnDialTimeout(t *testing.T) {
	var left time.Duration
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		deadline, _ := ctx.Deadline()
		left = time.Until(deadline)
		return nil, errors.New("no route")
	}
	own := newTestOwn(&http.Transport{DialContext: dial, DialTLSContext: dial}, false)
	for name, f := range map[string]func(context.Context, string, string) (net.Conn, error){"DialContext": own.DialContext, "DialTLSContext": own.DialTLSContext} {
		if _, _ = f(t.Context(), "tcp", ""); left < 7*time.Second || left > 8*time.Second {
			t.Errorf("%s has %v, want 8 s", name, left)
		}
	}
}

func TestProxyConnect(t *testing.T) {
	errOwn := errors.New("rejected by the program")
	proxy := &url.URL{Scheme: "http", Host: "proxy.example:3128", User: url.UserPassword("u", "secret")}
	for name, test := range map[string]struct {
		own     error
		status  int
		want    string // "" for nil
		refused bool
	}{
		"200":            {nil, 200, "", false},
		"407":            {nil, 407, "proxy proxy.example:3128 refused to connect: 407 X", true},
		"502":            {nil, 502, "proxy proxy.example:3128 failed to connect: 502 X", false},
		"200, own error": {errOwn, 200, errOwn.Error(), false},
		"407, own error": {errOwn, 407, errOwn.Error(), false},
	} {
		own := newTestOwn(&http.Transport{OnProxyConnectResponse: func(context.Context, *url.URL, *http.Request, *http.Response) error { return test.own }}, false)
		resp := &http.Response{StatusCode: test.status, Status: name[:3] + " X"}
		err := own.OnProxyConnectResponse(t.Context(), proxy, nil, resp)
		if test.want == "" && err != nil || test.want != "" && (err == nil || err.Error() != test.want) || errors.Is(err, errProxyRefused) != test.refused {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A transport is replaced if the first of its doubtful requests began minDoubt ago,
// and no response has come since.
func TestDoubt(t *testing.T) {
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	for name, test := range map[string]struct {
		record func(*ownTransport)
		dead   bool // 100 ms after start
	}{
		"no request":                   {func(*ownTransport) {}, false},
		"a failure":                    {func(o *ownTransport) { o.record(start, false, true) }, true},
		"a failure without doubt":      {func(o *ownTransport) { o.record(start, false, false) }, false},
		"a later failure":              {func(o *ownTransport) { o.record(at(1), false, true) }, false},
		"another failure, after that":  {func(o *ownTransport) { o.record(start, false, true); o.record(at(50), false, true) }, true},
		"then a response":              {func(o *ownTransport) { o.record(start, false, true); o.record(at(50), true, false) }, false},
		"a response before":            {func(o *ownTransport) { o.responded = at(-1); o.record(start, false, true) }, true},
		"a response in the meantime":   {func(o *ownTransport) { o.responded = at(1); o.record(start, false, true) }, false},
		"a response and a new failure": {func(o *ownTransport) { o.responded = at(-2); o.record(at(-1), false, true) }, true},
	} {
		own := new(ownTransport)
		test.record(own)
		if got := own.isDead(at(100)); got != test.dead {
			t.Errorf("%s: dead is %t, want %t", name, got, test.dead)
		}
		if own.isDead(at(98)) {
			t.Errorf("%s: dead after 98 ms", name)
		}
	}
}

func TestCurrent(t *testing.T) {
	standard := http.DefaultTransport
	defer func() { http.DefaultTransport = standard }()
	now := time.Now()
	tr := New(nil, false, time.Second)
	first := tr.current(now)
	if first == standard || tr.current(now) != first {
		t.Fatal("the copy of http.DefaultTransport is not used again")
	}
	first.(*ownTransport).record(now, false, true)
	if tr.current(now) != first {
		t.Error("the transport is replaced at once")
	}
	second := tr.current(now.Add(minDoubt))
	if second == first || tr.current(now.Add(minDoubt)) != second {
		t.Error("the transport is not replaced, or more than once")
	}
	http.DefaultTransport = new(http.Transport)
	if third := tr.current(now); third == second || third.(*ownTransport).original != http.DefaultTransport {
		t.Error("a new http.DefaultTransport is not copied")
	}
	fake := fail(errors.New("x"))
	http.DefaultTransport = &fake
	if tr.current(now) != http.DefaultTransport {
		t.Error("a fake http.DefaultTransport is not used")
	}
	if custom := New(&fake, false, time.Second); custom.current(now) != &fake {
		t.Error("the user's transport is not used")
	}
}

func TestTracker(t *testing.T) {
	conn := func() net.Conn { c, _ := net.Pipe(); return c }
	type step = func(*httptrace.ClientTrace)
	ask := func(h *httptrace.ClientTrace) { h.GetConn("") }
	got := func(c net.Conn, reused, idle bool) step {
		return func(h *httptrace.ClientTrace) {
			h.GetConn("")
			h.GotConn(httptrace.GotConnInfo{Conn: c, Reused: reused, WasIdle: idle})
		}
	}
	fresh := func(h *httptrace.ClientTrace) { got(conn(), false, false)(h) }
	idle := func(h *httptrace.ClientTrace) { got(conn(), true, true)(h) }
	busy := func(h *httptrace.ClientTrace) { got(conn(), true, false)(h) }
	respond := func(h *httptrace.ClientTrace) { h.GotFirstResponseByte() }
	same := got(conn(), true, false)
	for name, test := range map[string]struct {
		steps                []step
		none, reused, gaveUp bool
	}{
		"nothing":                        {nil, false, false, false},
		"no connection":                  {[]step{ask}, true, false, false},
		"a connection":                   {[]step{fresh}, false, false, false},
		"an idle one":                    {[]step{idle}, false, true, false},
		"an idle one, then none":         {[]step{idle, ask}, false, true, false},
		"four connections":               {[]step{fresh, fresh, busy, fresh}, false, false, false},
		"a fifth one":                    {[]step{fresh, fresh, busy, fresh, ask}, false, false, true},
		"many idle ones":                 {[]step{idle, idle, idle, idle, idle, idle, ask}, false, true, false},
		"the same one again":             {[]step{same, same, same, same, same, same, ask}, false, true, false},
		"a transport that retries":       {[]step{fresh, fresh, fresh, fresh, respond, fresh, ask}, false, false, false},
		"a transport that retries on it": {[]step{fresh, respond, idle, ask}, false, true, false},
	} {
		canceled := false
		tracker := newTracker(nil, func() { canceled = true })
		for _, step := range test.steps {
			step(&tracker.trace)
		}
		c := tracker.connections
		if c.none != test.none || c.reused != test.reused || c.gaveUp != test.gaveUp || canceled != test.gaveUp {
			t.Errorf("%s: got %+v, canceled: %t", name, c, canceled)
		}
	}
}

func TestDoubtful(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	reset := errors.New("connection reset")
	for name, test := range map[string]struct {
		ctx  context.Context
		err  error
		conn connections
		long bool
		want bool
	}{
		"broke":               {t.Context(), reset, connections{reused: true}, false, true},
		"broke, but new":      {t.Context(), reset, connections{}, false, false},
		"a stream broke":      {t.Context(), errors.New("stream error: stream ID 1; CANCEL"), connections{reused: true}, false, false},
		"a stream broke late": {t.Context(), errors.New("stream error: stream ID 1; CANCEL"), connections{reused: true}, true, false},
		"canceled at once":    {ended, context.Canceled, connections{reused: true}, false, false},
		"canceled, long wait": {ended, context.Canceled, connections{reused: true}, true, true},
		"long wait, but new":  {ended, context.Canceled, connections{}, true, false},
		"gave up":             {ended, errGaveUp, connections{reused: true, gaveUp: true}, true, false},
	} {
		if got := test.conn.doubtful(test.ctx, test.err, test.long); got != test.want {
			t.Errorf("%s: got %t, want %t", name, got, test.want)
		}
	}
}
