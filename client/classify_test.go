package client

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"math"
	"net"
	"syscall"
	"testing"
	"time"
)

func TestClassify(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	refused := dial(syscall.ECONNREFUSED)
	for name, test := range map[string]struct {
		status    int
		connected bool
		err       error
		want      class
	}{
		"200":                          {status: 200, want: final},
		"200, cut short":               {status: 200, err: io.ErrUnexpectedEOF, want: possiblyProcessed},
		"200, too long":                {status: 200, err: errOversize, want: final},
		"400":                          {status: 400, want: final},
		"400, cut short":               {status: 400, err: io.ErrUnexpectedEOF, want: final},
		"408":                          {status: 408, want: notProcessed},
		"429":                          {status: 429, want: notProcessed},
		"500":                          {status: 500, want: possiblyProcessed},
		"502":                          {status: 502, want: possiblyProcessed},
		"503":                          {status: 503, want: notProcessed},
		"503, cut short":               {status: 503, err: io.ErrUnexpectedEOF, want: notProcessed},
		"503, too long":                {status: 503, err: errOversize, want: final},
		"504":                          {status: 504, want: possiblyProcessed},
		"505":                          {status: 505, want: final},
		"EOF":                          {connected: true, err: io.EOF, want: possiblyProcessed},
		"timeout":                      {connected: true, err: context.DeadlineExceeded, want: possiblyProcessed},
		"replayed":                     {connected: true, err: errReplayed, want: possiblyProcessed},
		"dial":                         {err: refused, want: notProcessed},
		"dial after a connection":      {connected: true, err: refused, want: possiblyProcessed},
		"dial to the proxy":            {err: &net.OpError{Op: "proxyconnect", Err: refused}, want: notProcessed},
		"unknown host":                 {err: dial(&net.DNSError{IsNotFound: true}), want: final},
		"DNS timeout":                  {err: dial(&net.DNSError{IsTimeout: true}), want: notProcessed},
		"handshake timeout":            {err: errors.New("net/http: TLS handshake timeout"), want: notProcessed},
		"handshake timeout, on redial": {connected: true, err: errors.New("net/http: TLS handshake timeout"), want: possiblyProcessed},
		"unknown authority":            {err: x509.UnknownAuthorityError{}, want: final},
		"proxy refuses the password":   {err: errProxyRefused, want: final},
		"proxy refuses the host":       {err: errProxyRefused, want: final},
		"proxy can't reach the host":   {err: errProxyFailed, want: notProcessed},
		"proxy, after a connection":    {connected: true, err: errProxyFailed, want: possiblyProcessed},
	} {
		if got := classify(test.status, test.connected, test.err); got != test.want {
			t.Errorf("%s: got class %d, want %d", name, got, test.want)
		}
	}
}

func TestBackoffOverflow(t *testing.T) {
	for _, base := range []time.Duration{1, time.Second, math.MaxInt64 / 2, math.MaxInt64/2 + 1, math.MaxInt64} {
		for _, limit := range []time.Duration{1, time.Second, math.MaxInt64 - 1, math.MaxInt64} {
			for _, n := range []int{0, 1, 2, 62, 63, 64, math.MaxInt32} {
				if got := backoff(base, limit, n); got < min(base, limit) || got > limit {
					t.Errorf("backoff(%d, %d, %d) = %d", base, limit, n, got)
				}
			}
		}
	}
}
