package store

import (
	"context"
	"fmt"
	"strings"
)

// Scope is the first segment of a key: the account, organization, user, project or stack that owns the item, written
// "kind/id". Code holds a scope explicitly, so that a forgotten check cannot reach another tenant's partition.
type Scope string

// Global is the scope of the few addresses that exist before a tenant is known (token hash, login, organization name).
const Global Scope = "global"

// ScopeOf returns the scope that owns a key.
func ScopeOf(k Key) Scope {
	s, _, _ := strings.Cut(k.PK, "#")
	return Scope(s)
}

// Partition returns the PK of a collection below the scope; the empty collection holds the scope's own head.
func (s Scope) Partition(collection string) string {
	if collection == "" {
		return string(s)
	}
	return string(s) + "#" + collection
}

// ScopeError says that code reached for a key outside the scopes it was given. It is a defect, never a client's mistake.
type ScopeError struct {
	Key     Key
	Allowed []Scope
}

func (e *ScopeError) Error() string {
	return fmt.Sprintf("store: %s is outside the scopes %v", e.Key, e.Allowed)
}

// In narrows a store to the given scopes: whatever reaches for a key of another scope gets a *ScopeError and nothing happens.
func In(s Store, scopes ...Scope) Store {
	if n, ok := s.(*narrowed); ok {
		s = n.inner
	}
	return &narrowed{inner: s, scopes: scopes}
}

type narrowed struct {
	inner  Store
	scopes []Scope
}

func (n *narrowed) check(k Key) error {
	have := ScopeOf(k)
	for _, s := range n.scopes {
		if s == have {
			return nil
		}
	}
	return &ScopeError{Key: k, Allowed: n.scopes}
}

func (n *narrowed) Get(ctx context.Context, k Key) (Item, error) {
	if err := n.check(k); err != nil {
		return Item{}, err
	}
	return n.inner.Get(ctx, k)
}

func (n *narrowed) BatchGet(ctx context.Context, keys []Key) ([]Item, error) {
	for _, k := range keys {
		if err := n.check(k); err != nil {
			return nil, err
		}
	}
	return n.inner.BatchGet(ctx, keys)
}

func (n *narrowed) Query(ctx context.Context, q Query) (Page, error) {
	if err := n.check(Key{PK: q.PK}); err != nil {
		return Page{}, err
	}
	return n.inner.Query(ctx, q)
}

// prefetch fetches what is within the scopes; whoever asks for the rest is told so then.
func (n *narrowed) prefetch(ctx context.Context, keys []Key) {
	within := make([]Key, 0, len(keys))
	for _, k := range keys {
		if n.check(k) == nil {
			within = append(within, k)
		}
	}
	Prefetch(ctx, n.inner, within...)
}

// Due is not for tenants: the sweepers that read it hold the whole store.
func (n *narrowed) Due(context.Context, DueQuery) ([]Key, error) {
	return nil, &ScopeError{Key: Key{PK: "due"}, Allowed: n.scopes}
}

func (n *narrowed) Write(ctx context.Context, changes ...Change) error {
	for _, c := range changes {
		if err := n.check(c.Item.Key); err != nil {
			return err
		}
	}
	return n.inner.Write(ctx, changes...)
}
