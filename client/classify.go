package client

import (
	"errors"
	"net"
	"net/http"
	"strings"
)

// A class says what an attempt's outcome means for a retry.
type class int

const (
	final             class = iota // a success, or a failure that a retry would repeat
	notProcessed                   // the server has not acted
	possiblyProcessed              // the server may have acted
)

// classify returns the class of an attempt's outcome. The status is 0 if there was
// no response. connected reports whether the attempt got a connection. err is the
// error that ended the attempt or cut off the response body.
func classify(status int, connected bool, err error) class {
	switch {
	case errors.Is(err, errOversize):
		return final // the next response would be just as long
	case status == 0:
		return classifyError(connected, err)
	case status == http.StatusOK && err != nil:
		return possiblyProcessed
	}
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return notProcessed
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return possiblyProcessed
	}
	return final
}

func classifyError(connected bool, err error) class {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound, errors.Is(err, errProxyRefused):
		return final
	// net/http may send a request and then dial again on its own, so a failure to
	// connect means "not sent" only if the attempt never got a connection.
	case !connected && (isDial(err) || errors.Is(err, errProxyFailed) || strings.Contains(err.Error(), "net/http: TLS handshake timeout")):
		return notProcessed
	// net/http and crypto/tls export no types for these, so match on text.
	case strings.Contains(err.Error(), "tls: "), strings.Contains(err.Error(), "x509: "), errors.Is(err, http.ErrSchemeMismatch):
		return final
	}
	return possiblyProcessed
}

// isDial reports whether err is a failure to connect to the server or to a proxy.
func isDial(err error) bool {
	var op *net.OpError
	for errors.As(err, &op) && op.Op == "proxyconnect" {
		err = op.Err
	}
	return op != nil && (op.Op == "dial" || op.Op == "socks connect")
}
