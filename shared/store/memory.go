package store

import (
	"container/list"
	"context"
	"errors"
	"slices"
	"sync"
)

// A request reads the same few items again and again: the gate finds the stack, the handler's core call finds it once more. Remember
// begins a memory for one request, and the store made by Remembering answers repeated reads from it, as of the request's first
// read. Any write by the request empties the memory, so that what comes after a write, and every attempt of a write that lost a
// race, reads afresh.

type memoryKey struct{}

type memory struct {
	mu    sync.Mutex
	items map[Key]Item // absent ones have version 0

	used    []Key     // what the request itself asked for before its first write, in order; guesses are not among it
	written bool      // reads from now on are of another time: no guess at the start of a request can serve them
	told    func(Key) // hears of every further use; nil tells nobody
}

// maxRemembered bounds the items of one request's memory; bodies beyond maxRememberedBody are not kept.
const (
	maxRemembered     = 256
	maxRememberedBody = 64 << 10
)

// Remember begins a memory for the request whose context this is.
func Remember(ctx context.Context) context.Context {
	return context.WithValue(ctx, memoryKey{}, &memory{items: map[Key]Item{}})
}

func memoryOf(ctx context.Context) *memory {
	m, _ := ctx.Value(memoryKey{}).(*memory)
	return m
}

func (m *memory) get(k Key) (Item, bool) {
	if m == nil {
		return Item{}, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	i, ok := m.items[k]
	return i, ok
}

func (m *memory) put(k Key, i Item) {
	if m == nil || len(i.Body) > maxRememberedBody {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.items[k]; !ok && len(m.items) < maxRemembered {
		m.items[k] = i
	}
}

// use notes that the request itself asked for a key.
func (m *memory) use(k Key) {
	if m == nil {
		return
	}
	m.mu.Lock()
	if m.written || len(m.used) >= maxRemembered || slices.Contains(m.used, k) {
		m.mu.Unlock()
		return
	}
	m.used = append(m.used, k)
	told := m.told
	m.mu.Unlock()
	if told != nil {
		told(k)
	}
}

func (m *memory) forget() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.items)
	m.written = true
}

// Remembering answers repeated point reads of one request from the request's memory.
func Remembering(s Store) Store { return &remembering{Store: s} }

type remembering struct{ Store }

func (r *remembering) Get(ctx context.Context, k Key) (Item, error) {
	m := memoryOf(ctx)
	m.use(k)
	if i, ok := m.get(k); ok {
		if i.Version == 0 {
			return Item{}, ErrNotFound
		}
		return i, nil
	}
	i, err := r.Store.Get(ctx, k)
	if err == nil || errors.Is(err, ErrNotFound) {
		m.put(k, i)
	}
	return i, err
}

func (r *remembering) BatchGet(ctx context.Context, ks []Key) ([]Item, error) {
	m := memoryOf(ctx)
	if m == nil {
		return r.Store.BatchGet(ctx, ks)
	}
	for _, k := range ks {
		m.use(k)
	}
	return r.remembered(ctx, m, ks)
}

// remembered answers from the memory, and reads what it lacks.
func (r *remembering) remembered(ctx context.Context, m *memory, ks []Key) ([]Item, error) {
	out := make([]Item, len(ks))
	var missing []Key
	var at []int
	for n, k := range ks {
		if i, ok := m.get(k); ok {
			out[n] = i
			out[n].Key = k
			continue
		}
		missing, at = append(missing, k), append(at, n)
	}
	if len(missing) == 0 {
		return out, nil
	}
	found, err := r.Store.BatchGet(ctx, missing)
	if err != nil {
		return nil, err
	}
	for n, i := range found {
		out[at[n]] = i
		m.put(missing[n], i)
	}
	return out, nil
}

func (r *remembering) Write(ctx context.Context, changes ...Change) error {
	memoryOf(ctx).forget()
	return r.Store.Write(ctx, changes...)
}

// Prefetch reads items that the request will ask for one by one into its memory, in one round trip. Errors show again when they are
// asked for. Where nothing is remembered it does nothing.
func Prefetch(ctx context.Context, s Store, keys ...Key) {
	if f, ok := s.(prefetcher); ok && len(keys) > 0 {
		f.prefetch(ctx, keys)
	}
}

type prefetcher interface {
	prefetch(ctx context.Context, keys []Key)
}

func (r *remembering) prefetch(ctx context.Context, keys []Key) {
	if m := memoryOf(ctx); m != nil {
		_, _ = r.remembered(ctx, m, keys)
	}
}

// Hints guess which keys a request will read from what the last one to the same address read, so that a chain of dependent reads
// (token, user, organization, name, head) becomes one batch. A wrong guess costs a read and nothing else: the request still
// walks the chain, link by link, through its memory.
type Hints struct {
	mu    sync.Mutex
	most  int
	known map[string]*list.Element
	used  *list.List // most recently used first
}

type hint struct {
	address string
	keys    []Key
}

// NewHints keeps hints of up to most addresses.
func NewHints(most int) *Hints {
	return &Hints{most: most, known: map[string]*list.Element{}, used: list.New()}
}

// Prefetch reads what is known of the addresses into the request's memory, in one round trip.
func (h *Hints) Prefetch(ctx context.Context, s Store, addresses ...string) {
	if h == nil {
		return
	}
	h.mu.Lock()
	var keys []Key
	for _, a := range addresses {
		e := h.known[a]
		if e == nil {
			continue
		}
		h.used.MoveToFront(e)
		for _, k := range e.Value.(*hint).keys {
			if !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	h.mu.Unlock()
	Prefetch(ctx, s, keys...)
}

// Learn remembers what the request has read so far for the next one to the same address.
func (h *Hints) Learn(ctx context.Context, address string) {
	m := memoryOf(ctx)
	if h == nil || m == nil {
		return
	}
	m.mu.Lock()
	keys := slices.Clone(m.used)
	m.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keep(address, keys)
}

// Follow remembers what the request reads from now on, up to its first write, for the next one to the same address. A request that
// reads nothing more leaves what was known.
func (h *Hints) Follow(ctx context.Context, address string) {
	m := memoryOf(ctx)
	if h == nil || m == nil {
		return
	}
	var keys []Key
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = func(k Key) {
		h.mu.Lock()
		defer h.mu.Unlock()
		keys = append(keys, k)
		h.keep(address, keys)
	}
}

// keep is called with the lock held. keys only ever grows, so that a reader's copy of it stays good.
func (h *Hints) keep(address string, keys []Key) {
	if e := h.known[address]; e != nil {
		e.Value.(*hint).keys = keys
		h.used.MoveToFront(e)
		return
	}
	h.known[address] = h.used.PushFront(&hint{address: address, keys: keys})
	if h.used.Len() > h.most {
		last := h.used.Back()
		delete(h.known, last.Value.(*hint).address)
		h.used.Remove(last)
	}
}
