package api

import (
	"context"
	"net/http"
)

type baseKey struct{}

// BaseURL is where the client found the dialect: scheme, host and the dialect's prefix, without trailing slash. A path of the
// dialect's table behind it is an address that the same client can call. It is known in the context of a row's handler, and is the
// caller's own word: it belongs into an answer to that caller and nowhere else.
func BaseURL(ctx context.Context) string {
	base, _ := ctx.Value(baseKey{}).(string)
	return base
}

// originOf is the scheme of the connection and the host that the client asked for. net/http has refused hosts that hold anything but the
// characters of one.
func originOf(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
