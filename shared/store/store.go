// Package store is the port to the one table that holds Polyplane's state.
//
// The store keeps and knows no rule: it offers point reads, range reads inside one partition, an index of due times, and
// writes that are all or nothing and state what they expect to replace. Two adapters implement it, local (Pebble, one
// directory) and dynamo (one DynamoDB table), and both pass the suite in storetest. Every limit is DynamoDB's, so that
// what works on one machine works on AWS.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Limits, from DynamoDB's documented quotas. Adapters refuse what exceeds them.
const (
	MaxItemBytes    = 400 << 10 // one item: keys, attribute names and values
	MaxWriteBytes   = 4 << 20   // all items of one Write
	MaxPageBytes    = 1 << 20   // items examined for one page of a Query
	MaxChanges      = 100       // changes of one Write
	MaxCoreChanges  = 90        // what core may use: audit and outbox ride in the rest
	MaxPartitionKey = 2048      // bytes of PK
	MaxSortKey      = 1024      // bytes of SK
	MaxBatchGet     = 100       // keys of one BatchGet request; adapters split larger ones
)

// Key names one item. PK is the partition; its text up to the first '#' is the scope (see Scope). SK orders the items of a
// partition bytewise. Neither is empty and neither contains a NUL byte.
type Key struct{ PK, SK string }

func (k Key) String() string { return k.PK + " " + k.SK }

// Item is one stored document.
type Item struct {
	Key
	Kind    string    // "stack", "update", …: the name of the Kind that wrote it
	Schema  int       // version of the document's shape, 1 or more
	Version int64     // 1, 2, 3 …; assigned by Write, never by the caller
	Body    []byte    // JSON document, or the sealed or compressed form its Kind documents
	Due     time.Time // optional: position in the due index (sweeper, retries, schedules); millisecond precision
	Expires time.Time // optional: not returned from this second on, and removed some time later
}

// Size is what the item counts against MaxItemBytes and MaxWriteBytes, in bytes, close to DynamoDB's own rule.
func (i Item) Size() int {
	const overhead = 64 // attribute names, numbers and index attributes
	return len(i.PK) + len(i.SK) + len(i.Kind) + len(i.Body) + overhead
}

// Op is what a Change does and which condition it states.
type Op uint8

// The five changes. All but OpKeep state a condition; a Write in which any condition fails changes nothing.
const (
	OpCreate  Op = iota + 1 // the key must not exist; the item gets version 1
	OpReplace               // the key must have Item.Version; the item gets the next version
	OpDelete                // the key must have Item.Version
	OpCheck                 // the key must have Item.Version (0: must not exist); nothing changes
	OpKeep                  // unconditional put, for immutable kinds only (see Kind.Immutable); version 1
)

func (o Op) String() string {
	return [...]string{"?", "create", "replace", "delete", "check", "keep"}[min(int(o), 5)]
}

// Change is one part of a Write. Use the constructors, or those of Kind.
type Change struct {
	Op   Op
	Item Item
}

// Create puts an item whose key must not exist.
func Create(i Item) Change { return Change{OpCreate, i} }

// Replace puts an item over the one whose version is i.Version.
func Replace(i Item) Change { return Change{OpReplace, i} }

// Delete removes the item of key whose version is version.
func Delete(k Key, version int64) Change { return Change{OpDelete, Item{Key: k, Version: version}} }

// Check states that key has version, or does not exist when version is 0.
func Check(k Key, version int64) Change { return Change{OpCheck, Item{Key: k, Version: version}} }

// Keep puts an immutable item whatever was there: the key is made of content or sequence, so that a repeat writes the same.
func Keep(i Item) Change { return Change{OpKeep, i} }

// Query reads a range of one partition in sort key order.
type Query struct {
	PK         string
	Prefix     string // only sort keys that begin so
	From, To   string // only sort keys in [From, To); empty is unbounded. Combined with Prefix by intersection
	Descending bool
	After      string // continue behind this sort key (in the direction of the query); it need not exist any more
	Limit      int    // items a page; 0 means as many as fit
}

// Page is one answer to a Query. More says that items behind the last one may exist: continue with After set to Next. A page
// may hold fewer items than Limit, even none, and still have More (expired items were passed over, or the page was full).
type Page struct {
	Items []Item
	More  bool
	Next  string
}

// DueQuery asks the due index for items of one kind whose due time has come.
type DueQuery struct {
	Kind   string
	Before time.Time // exclusive
	Limit  int       // at most so many, 1 or more
}

// Store is the port. Every read is strongly consistent. All methods are safe for concurrent use and stop early, without
// effect on what is stored, when ctx ends before the work began.
type Store interface {
	// Get returns the item of key, or ErrNotFound.
	Get(ctx context.Context, key Key) (Item, error)

	// BatchGet returns one item for each key, in the order of keys; an absent one has Version 0. Keys may repeat. The reads
	// are not a snapshot: each is consistent for itself.
	BatchGet(ctx context.Context, keys []Key) ([]Item, error)

	// Query returns one page.
	Query(ctx context.Context, q Query) (Page, error)

	// Due returns keys from the due index, earliest first. The index may lag or lead: read each hit again before acting on it.
	Due(ctx context.Context, q DueQuery) ([]Key, error)

	// Write applies all changes or none. A key may appear once. When a condition fails the error is a *ConflictError; when
	// a limit is exceeded a *LimitError. ErrUnavailable means the outcome is unknown or the store is overloaded: repeat.
	Write(ctx context.Context, changes ...Change) error
}

// ErrNotFound says that the key has no item.
var ErrNotFound = errors.New("store: no such item")

// ErrUnavailable says that the store could not answer now: throttled, out of reach, or closing.
var ErrUnavailable = errors.New("store: unavailable")

// ErrNewerSchema says that an item was written by a newer version of this program, which this one must not overwrite.
var ErrNewerSchema = errors.New("store: the item was written by a newer version")

// ConflictError says which conditions of a Write failed.
type ConflictError struct {
	Failed []int // indices into the changes, ascending
	Keys   []Key // their keys
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("store: condition failed for %v", e.Keys)
}

// At reports whether the condition of the change with this index failed.
func (e *ConflictError) At(index int) bool {
	for _, i := range e.Failed {
		if i == index {
			return true
		}
	}
	return false
}

// On reports whether a condition on key failed.
func (e *ConflictError) On(key Key) bool {
	for _, k := range e.Keys {
		if k == key {
			return true
		}
	}
	return false
}

// AsConflict returns the *ConflictError in err's chain, or nil.
func AsConflict(err error) *ConflictError {
	var c *ConflictError
	errors.As(err, &c)
	return c
}

// LimitError says which limit a request exceeds. It is a mistake of the caller, not of the client.
type LimitError struct {
	What     string // "item bytes", "changes", …
	Got, Max int
	Key      Key // where one key is to blame
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("store: %d %s, at most %d allowed (%s)", e.Got, e.What, e.Max, e.Key)
}

// Validate checks what every adapter must refuse before it touches anything: limits, malformed or repeated keys, Keep of a
// kind that is not immutable.
func Validate(changes []Change) error {
	if len(changes) == 0 {
		return errors.New("store: a write without changes")
	}
	if len(changes) > MaxChanges {
		return &LimitError{What: "changes", Got: len(changes), Max: MaxChanges}
	}
	total := 0
	seen := make(map[Key]bool, len(changes))
	for _, c := range changes {
		if err := ValidateKey(c.Item.Key); err != nil {
			return err
		}
		if seen[c.Item.Key] {
			return fmt.Errorf("store: two changes of %s in one write", c.Item.Key)
		}
		seen[c.Item.Key] = true
		switch c.Op {
		case OpCreate, OpReplace, OpKeep:
			n := c.Item.Size()
			if n > MaxItemBytes {
				return &LimitError{What: "item bytes", Got: n, Max: MaxItemBytes, Key: c.Item.Key}
			}
			if c.Item.Kind == "" || c.Item.Schema < 1 {
				return fmt.Errorf("store: %s without kind or schema", c.Item.Key)
			}
			if c.Op == OpKeep && !IsImmutable(c.Item.Kind) {
				return fmt.Errorf("store: keep of %s, whose kind %q is not declared immutable", c.Item.Key, c.Item.Kind)
			}
			if c.Op == OpReplace && c.Item.Version < 1 {
				return fmt.Errorf("store: replace of %s without the version it replaces", c.Item.Key)
			}
			total += n
		case OpDelete:
			if c.Item.Version < 1 {
				return fmt.Errorf("store: delete of %s without the version it deletes", c.Item.Key)
			}
		case OpCheck:
		default:
			return fmt.Errorf("store: unknown change %d of %s", c.Op, c.Item.Key)
		}
	}
	if total > MaxWriteBytes {
		return &LimitError{What: "bytes in one write", Got: total, Max: MaxWriteBytes}
	}
	return nil
}

// ValidateKey refuses empty, oversized and NUL-bearing keys.
func ValidateKey(k Key) error {
	switch {
	case k.PK == "" || k.SK == "":
		return fmt.Errorf("store: incomplete key %q %q", k.PK, k.SK)
	case len(k.PK) > MaxPartitionKey:
		return &LimitError{What: "partition key bytes", Got: len(k.PK), Max: MaxPartitionKey}
	case len(k.SK) > MaxSortKey:
		return &LimitError{What: "sort key bytes", Got: len(k.SK), Max: MaxSortKey}
	}
	for _, s := range [2]string{k.PK, k.SK} {
		for i := 0; i < len(s); i++ {
			if s[i] == 0 {
				return fmt.Errorf("store: NUL byte in key %q %q", k.PK, k.SK)
			}
		}
	}
	return nil
}
