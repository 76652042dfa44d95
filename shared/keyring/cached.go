package keyring

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"time"
)

// Cached keeps the data keys that inner made or unwrapped for ttl, counted from that moment and not from their last use, so that
// a key which its keeper no longer opens is dead after ttl at the latest. At most max keys are kept; the one that was used
// longest ago goes first. Callers who want the same key at the same time share one call of inner. Failures are not kept.
func Cached(inner Keyring, now func() time.Time, ttl time.Duration, max int) Keyring {
	return &cached{inner: inner, now: now, ttl: ttl, max: max, entries: map[cacheID]*list.Element{}, order: list.New()}
}

// cacheID names a wrapped key and its context in constant space. The plain key is found only under the context that it was
// unwrapped for.
type cacheID [sha256.Size]byte

func cacheIDOf(wrapped []byte, boundTo string) cacheID {
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, uint64(len(boundTo)))
	h.Write([]byte(boundTo))
	h.Write(wrapped)
	return cacheID(h.Sum(nil))
}

// unwrapping is one key of the cache: on its way until done is closed, then key or err.
type unwrapping struct {
	id    cacheID
	done  chan struct{}
	key   *DataKey
	err   error
	until time.Time // zero while on its way
}

type cached struct {
	inner Keyring
	now   func() time.Time
	ttl   time.Duration
	max   int

	mu      sync.Mutex
	entries map[cacheID]*list.Element // of *unwrapping
	order   *list.List                // most recently used first
}

func (c *cached) NewDataKey(ctx context.Context, boundTo string) (*DataKey, error) {
	key, err := c.inner.NewDataKey(ctx, boundTo)
	if err != nil {
		return nil, err
	}
	done := make(chan struct{})
	close(done)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(&unwrapping{id: cacheIDOf(key.wrapped, boundTo), done: done, key: key, until: c.now().Add(c.ttl)})
	return key, nil
}

func (c *cached) Unwrap(ctx context.Context, wrapped []byte, boundTo string) (*DataKey, error) {
	id := cacheIDOf(wrapped, boundTo)
	for {
		u, mine := c.claim(id)
		if mine {
			return c.unwrap(ctx, u, wrapped, boundTo)
		}
		select {
		case <-u.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		// The caller who did the work may have given up; that is no answer for those who waited.
		if errors.Is(u.err, context.Canceled) || errors.Is(u.err, context.DeadlineExceeded) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			continue
		}
		return u.key, u.err
	}
}

// claim returns the entry of a key. It is the caller's to complete when mine is true.
func (c *cached) claim(id cacheID) (u *unwrapping, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[id]; ok {
		u := e.Value.(*unwrapping)
		if u.until.IsZero() || c.now().Before(u.until) {
			c.order.MoveToFront(e)
			return u, false
		}
		c.drop(e)
	}
	u = &unwrapping{id: id, done: make(chan struct{})}
	c.add(u)
	return u, true
}

func (c *cached) unwrap(ctx context.Context, u *unwrapping, wrapped []byte, boundTo string) (*DataKey, error) {
	started := c.now()
	u.err = context.Canceled // what those who wait see if inner panics: they try themselves
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		u.until = started.Add(c.ttl)
		if e, ok := c.entries[u.id]; u.err != nil && ok && e.Value == u {
			c.drop(e)
		}
		close(u.done)
	}()
	u.key, u.err = c.inner.Unwrap(ctx, wrapped, boundTo)
	return u.key, u.err
}

// add puts an entry in front and makes room. Whoever waits for an entry that had to go still holds it and gets its key.
func (c *cached) add(u *unwrapping) {
	if e, ok := c.entries[u.id]; ok {
		c.drop(e)
	}
	c.entries[u.id] = c.order.PushFront(u)
	for c.order.Len() > c.max {
		c.drop(c.order.Back())
	}
}

func (c *cached) drop(e *list.Element) {
	c.order.Remove(e)
	delete(c.entries, e.Value.(*unwrapping).id)
}
