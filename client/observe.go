package client

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"
)

// An Attempt describes one attempt of a call. Observers receive it after the
// attempt, when the Client has decided whether to retry. Printing it shows no
// secrets.
type Attempt struct {
	// Operation is "generateLinkToken" or "validateLinkToken".
	Operation string
	// Number is 1 for the first attempt of a call.
	Number int
	// StatusCode is the HTTP status; 0 if there was no response.
	StatusCode int
	// Err is nil if the attempt produced the call's result, and only then. It is an
	// [*ErrorResponse] for a response outside 2xx, and matches [ErrMalformedResponse]
	// for a 2xx that does not conform to the contract.
	Err error
	// Duration is how long the attempt took, from connecting to the end of the
	// response body.
	Duration time.Duration
	// RetryIn is the wait until the next attempt; 0 if there is none.
	RetryIn time.Duration
	// WillRetry reports whether there will be another attempt, unless the context
	// ends first.
	WillRetry bool
	// Reason says why a failed attempt is not retried: "not retryable", "attempts
	// exhausted", "possibly processed" (for a POST that was already retried once),
	// "Retry-After too long", "deadline", "context canceled" or "retry budget
	// exhausted". It is empty after a success and if WillRetry is true.
	Reason string
}

// LogAttempts returns an observer for [WithObserver] that writes one record per
// attempt to l. The level is Debug for a success and Warn for an attempt that will
// be retried. For a final failure it is Info if any visitor can cause it, which is
// taken to be so for a 400 of a validation and for a canceled context, and Error
// otherwise. If a firewall in front of Oneloop responds to odd tokens with 403,
// visitors can cause records at level Error, too: check the format of tokens first,
// for example in linkauth.WithToken.
//
// Every record has the attributes operation, attempt, status and duration. If they
// apply, it also has wait (before the retry), error (unless the server sent an
// error response), message (from the server) and reason.
//
// If l is nil, LogAttempts returns nil, which [New] rejects.
func LogAttempts(l *slog.Logger) func(context.Context, Attempt) {
	if l == nil {
		return nil // New rejects it
	}
	return func(ctx context.Context, a Attempt) {
		attrs := []any{"operation", a.Operation, "attempt", a.Number, "status", a.StatusCode, "duration", a.Duration}
		if a.WillRetry {
			attrs = append(attrs, "wait", a.RetryIn)
		}
		var response *ErrorResponse
		switch {
		case !errors.As(a.Err, &response) && a.Err != nil:
			attrs = append(attrs, "error", a.Err)
		case a.Err != nil && response.Message != http.StatusText(a.StatusCode):
			attrs = append(attrs, "message", oneLine(response.Message))
		}
		if a.Reason != "" {
			attrs = append(attrs, "reason", a.Reason)
		}
		l.Log(ctx, level(ctx, a), "oneloop attempt", attrs...)
	}
}

func level(ctx context.Context, a Attempt) slog.Level {
	switch {
	case a.Err == nil:
		return slog.LevelDebug
	case a.WillRetry:
		return slog.LevelWarn
	case a.StatusCode == http.StatusBadRequest && a.Operation == "validateLinkToken", errors.Is(ctx.Err(), context.Canceled):
		return slog.LevelInfo
	}
	return slog.LevelError
}
