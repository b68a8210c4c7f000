package client

import (
	"context"
	"log/slog"
	"time"
)

// An Attempt is what an observer learns after each attempt, once it is decided
// what happens next. It contains no secret.
type Attempt struct {
	// Operation is the operationId of the contract.
	Operation string
	// Number is 1 for the first attempt of a call.
	Number int
	// StatusCode is the HTTP status; 0 if there was no response.
	StatusCode int
	// Err says why there was no whole response, or matches ErrMalformedResponse.
	// It is nil for every other response, also for an error status.
	Err error
	// Duration is the time from connecting to the end of the body.
	Duration time.Duration
	// RetryIn is the wait until the next attempt; 0 if there is none.
	RetryIn time.Duration
	// WillRetry reports whether there will be another attempt, unless the context
	// ends first.
	WillRetry bool
}

// LogAttempts returns an observer for WithObserver that writes one record per
// attempt to l: at level Debug for a success, Warn for an attempt that will be
// retried, and Error for a final failure, also one that the caller is to blame
// for, such as 400. Its attributes are operation, attempt, status, duration,
// wait, and error if there is one. It returns nil if l is nil.
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
