package standalone

import "context"

// maxLater is how many things may wait to be done outside the requests that caused them; more are dropped, for they are worth little each.
const maxLater = 256

// later does what belongs outside the request that caused it, one after the other.
type later chan func(context.Context)

// do leaves something to be done, and never waits.
func (l later) do(f func(context.Context)) {
	select {
	case l <- f:
	default:
	}
}

// pass does one thing, waiting for it until ctx ends.
func (l later) pass(ctx context.Context) {
	select {
	case <-ctx.Done():
	case f := <-l:
		f(ctx)
	}
}
