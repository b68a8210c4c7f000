package client

import (
	"context"
	"log/slog"
	"time"
)

// Attempt is what an observer is told after each attempt, when it is decided
// what happens next. It holds no secret.
type Attempt struct {
	Operation  string        // the contract's operationId
	Number     int           // 1 is the first
	StatusCode int           // 0: no response
	Err        error         // why there is no whole response; nil where one was read, whatever its status
	Duration   time.Duration // connecting and reading the body included
	RetryIn    time.Duration // how long until the next attempt
	WillRetry  bool          // whether there is a next attempt, unless the context ends first
}

// LogAttempts returns an observer for WithObserver that writes one line per
// attempt to l: at Debug for a success, at Warn for one that is retried, and
// at Error for a final failure.
func LogAttempts(l *slog.Logger) func(context.Context, Attempt) {
	if l == nil {
		return nil // which WithObserver refuses
	}
	return func(ctx context.Context, a Attempt) {
		level := slog.LevelError
		switch {
		case a.WillRetry:
			level = slog.LevelWarn
		case a.Err == nil && a.StatusCode/100 == 2:
			level = slog.LevelDebug
		}
		attrs := []slog.Attr{
			slog.String("operation", a.Operation),
			slog.Int("attempt", a.Number),
			slog.Int("status", a.StatusCode),
			slog.Duration("duration", a.Duration),
			slog.Duration("wait", a.RetryIn),
		}
		if a.Err != nil {
			attrs = append(attrs, slog.Any("error", a.Err))
		}
		l.LogAttrs(ctx, level, "oneloop attempt", attrs...)
	}
}
