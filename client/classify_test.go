package client

import (
	"errors"
	"io"
	"math"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/internal/transport"
)

func TestClassify(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		fate   transport.Fate
		err    error
		want   class
	}{
		"200":                   {status: 200, want: conclusive},
		"200, cut short":        {status: 200, err: io.ErrUnexpectedEOF, want: possiblyProcessed},
		"200, too long":         {status: 200, err: transport.ErrTooLarge, want: conclusive},
		"400":                   {status: 400, want: conclusive},
		"400, cut short":        {status: 400, err: io.ErrUnexpectedEOF, want: conclusive},
		"408":                   {status: 408, want: notProcessed},
		"429":                   {status: 429, want: notProcessed},
		"500":                   {status: 500, want: possiblyProcessed},
		"502":                   {status: 502, want: possiblyProcessed},
		"503":                   {status: 503, want: notProcessed},
		"503, cut short":        {status: 503, err: io.ErrUnexpectedEOF, want: notProcessed},
		"503, fate of its body": {status: 503, fate: transport.Hopeless, err: errors.New("tls: x"), want: notProcessed},
		"503, too long":         {status: 503, err: transport.ErrTooLarge, want: conclusive},
		"504":                   {status: 504, want: possiblyProcessed},
		"505":                   {status: 505, want: conclusive},
		"no response":           {err: io.EOF, want: possiblyProcessed},
		"no response, not sent": {fate: transport.NotSent, err: io.EOF, want: notProcessed},
		"no response, hopeless": {fate: transport.Hopeless, err: io.EOF, want: conclusive},
	} {
		if got := classify(test.status, test.fate, test.err); got != test.want {
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
