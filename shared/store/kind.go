package store

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// Kind describes one kind of document: its name, the version of its shape, and how older shapes are read. A noun declares its
// kinds once, as package variables, and reads and writes through them.
type Kind[T any] struct {
	name    string
	schema  int
	upgrade map[int]func([]byte) ([]byte, error)
}

var immutable sync.Map // kind name → struct{}

// IsImmutable reports whether a kind was declared with Immutable.
func IsImmutable(kind string) bool { _, ok := immutable.Load(kind); return ok }

// NewKind declares a kind whose documents have the given schema, 1 or more.
func NewKind[T any](name string, schema int) *Kind[T] {
	return &Kind[T]{name: name, schema: schema, upgrade: map[int]func([]byte) ([]byte, error){}}
}

// Immutable allows Keep: the documents of this kind never change, and their keys are made of content or sequence.
func (k *Kind[T]) Immutable() *Kind[T] { immutable.Store(k.name, struct{}{}); return k }

// UpgradeFrom says how a body of schema from becomes one of schema from+1. Readers apply the steps in turn.
func (k *Kind[T]) UpgradeFrom(from int, f func([]byte) ([]byte, error)) *Kind[T] {
	k.upgrade[from] = f
	return k
}

// Name is the kind's name, as in Item.Kind and DueQuery.Kind.
func (k *Kind[T]) Name() string { return k.name }

// Raw is the document type of kinds whose bodies are sealed or compressed bytes rather than JSON.
type Raw []byte

// Doc is a document together with what a later write must state about it.
type Doc[T any] struct {
	Key
	Version int64
	Due     time.Time
	Expires time.Time
	Value   T
}

// Exists reports whether the document was found: reads of several return absent ones with version 0.
func (d Doc[T]) Exists() bool { return d.Version > 0 }

// Decode reads an item, upgrading older shapes. A newer shape is ErrNewerSchema; another kind is a defect.
func (k *Kind[T]) Decode(i Item) (Doc[T], error) {
	d := Doc[T]{Key: i.Key, Version: i.Version, Due: i.Due, Expires: i.Expires}
	if i.Version == 0 {
		return d, nil
	}
	if i.Kind != k.name {
		return d, fmt.Errorf("store: %s is a %q, not a %q", i.Key, i.Kind, k.name)
	}
	if i.Schema > k.schema {
		return d, fmt.Errorf("%w: %s has schema %d of %q, this version knows %d", ErrNewerSchema, i.Key, i.Schema, k.name, k.schema)
	}
	body := i.Body
	for s := i.Schema; s < k.schema; s++ {
		up := k.upgrade[s]
		if up == nil {
			return d, fmt.Errorf("store: no upgrade of %q from schema %d", k.name, s)
		}
		var err error
		if body, err = up(body); err != nil {
			return d, fmt.Errorf("store: upgrade of %s from schema %d: %w", i.Key, s, err)
		}
	}
	if raw, ok := any(&d.Value).(*Raw); ok {
		*raw = body
		return d, nil
	}
	if err := json.Unmarshal(body, &d.Value); err != nil {
		return d, fmt.Errorf("store: body of %s: %w", i.Key, err)
	}
	return d, nil
}

// Get reads one document, or ErrNotFound.
func (k *Kind[T]) Get(ctx context.Context, s Store, key Key) (Doc[T], error) {
	i, err := s.Get(ctx, key)
	if err != nil {
		return Doc[T]{}, err
	}
	return k.Decode(i)
}

// Page reads one page of documents of this kind.
func (k *Kind[T]) Page(ctx context.Context, s Store, q Query) ([]Doc[T], Page, error) {
	p, err := s.Query(ctx, q)
	if err != nil {
		return nil, p, err
	}
	out := make([]Doc[T], 0, len(p.Items))
	for _, i := range p.Items {
		d, err := k.Decode(i)
		if err != nil {
			return nil, p, err
		}
		out = append(out, d)
	}
	return out, p, nil
}

// All reads every document of a query whose result is bounded by design (a fold's tail, a purge step). most bounds it again: one
// more is an error, so that an unbounded collection is noticed.
func (k *Kind[T]) All(ctx context.Context, s Store, q Query, most int) ([]Doc[T], error) {
	var out []Doc[T]
	for {
		docs, p, err := k.Page(ctx, s, q)
		if err != nil {
			return nil, err
		}
		out = append(out, docs...)
		if len(out) > most {
			return nil, fmt.Errorf("store: more than %d items in %s", most, q.PK)
		}
		if !p.More {
			return out, nil
		}
		q.After = p.Next
	}
}

// Option sets what rides on an item beside its body.
type Option func(*Item)

// DueAt puts the item into the due index.
func DueAt(t time.Time) Option { return func(i *Item) { i.Due = t } }

// ExpiresAt gives the item an end of life.
func ExpiresAt(t time.Time) Option { return func(i *Item) { i.Expires = t } }

func (k *Kind[T]) item(key Key, version int64, v T, opts []Option) Item {
	body, isRaw := any(v).(Raw)
	var err error
	if !isRaw {
		body, err = json.Marshal(v)
	}
	if err != nil {
		panic(fmt.Sprintf("store: a %q that JSON cannot hold: %v", k.name, err)) // a defect in the type, not in the data
	}
	i := Item{Key: key, Kind: k.name, Schema: k.schema, Version: version, Body: body}
	for _, o := range opts {
		o(&i)
	}
	return i
}

// Create is the change that makes a document whose key must be free.
func (k *Kind[T]) Create(key Key, v T, opts ...Option) Change {
	return Create(k.item(key, 0, v, opts))
}

// Replace is the change that writes d.Value over the version that d was read at, with d's Due and Expires.
func (k *Kind[T]) Replace(d Doc[T]) Change {
	i := k.item(d.Key, d.Version, d.Value, nil)
	i.Due, i.Expires = d.Due, d.Expires
	return Replace(i)
}

// Keep is the change that puts an immutable document.
func (k *Kind[T]) Keep(key Key, v T, opts ...Option) Change { return Keep(k.item(key, 0, v, opts)) }

// Delete is the change that removes the version that d was read at.
func (d Doc[T]) Delete() Change { return Delete(d.Key, d.Version) }

// Check is the change that states that d is still what was read (or still absent).
func (d Doc[T]) Check() Change { return Check(d.Key, d.Version) }
