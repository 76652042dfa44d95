package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/polyplane/polyplane/shared/store"
)

// itemFormat is the first byte of every stored value. What follows in format 1: flags, schema, version, length and text of the
// kind, due milliseconds and expiry seconds where flagged, and the body to the end. Numbers are varints.
const itemFormat byte = 1

const (
	flagDue     byte = 1
	flagExpires byte = 2
)

// head is an item without key and body.
type head struct {
	kind       string
	schema     int
	version    int64
	hasDue     bool
	hasExpires bool
	due        int64 // Unix milliseconds
	expires    int64 // Unix seconds
}

func headOf(i store.Item) head {
	h := head{kind: i.Kind, schema: i.Schema, version: i.Version}
	if !i.Due.IsZero() {
		h.hasDue, h.due = true, i.Due.UnixMilli()
	}
	if !i.Expires.IsZero() {
		h.hasExpires, h.expires = true, i.Expires.Unix()
	}
	return h
}

// expired reports whether the item is no longer to be seen at the given Unix second.
func (h head) expired(now int64) bool { return h.hasExpires && h.expires <= now }

// item makes the item that h describes; it takes over body.
func (h head) item(k store.Key, body []byte) store.Item {
	i := store.Item{Key: k, Kind: h.kind, Schema: h.schema, Version: h.version, Body: body}
	if h.hasDue {
		i.Due = time.UnixMilli(h.due).UTC()
	}
	if h.hasExpires {
		i.Expires = time.Unix(h.expires, 0).UTC()
	}
	return i
}

// appendItem appends the stored form of an item.
func appendItem(b []byte, h head, body []byte) []byte {
	var flags byte
	if h.hasDue {
		flags |= flagDue
	}
	if h.hasExpires {
		flags |= flagExpires
	}
	b = append(b, itemFormat, flags)
	b = binary.AppendUvarint(b, uint64(h.schema))
	b = binary.AppendUvarint(b, uint64(h.version))
	b = binary.AppendUvarint(b, uint64(len(h.kind)))
	b = append(b, h.kind...)
	if h.hasDue {
		b = binary.AppendVarint(b, h.due)
	}
	if h.hasExpires {
		b = binary.AppendVarint(b, h.expires)
	}
	return append(b, body...)
}

var errTorn = errors.New("local: the stored item is cut short or damaged")

// decodeItem reads the stored form. body is a part of b.
func decodeItem(b []byte) (h head, body []byte, err error) {
	if len(b) < 2 {
		return h, nil, errTorn
	}
	if b[0] != itemFormat {
		return h, nil, fmt.Errorf("local: the stored item has format %d, this version reads %d", b[0], itemFormat)
	}
	flags := b[1]
	if flags&^(flagDue|flagExpires) != 0 {
		return h, nil, errTorn
	}
	r := reader{rest: b[2:]}
	schema, version, kindLen := r.uvarint(), r.uvarint(), r.uvarint()
	h.kind = string(r.take(kindLen))
	if h.hasDue = flags&flagDue != 0; h.hasDue {
		h.due = r.varint()
	}
	if h.hasExpires = flags&flagExpires != 0; h.hasExpires {
		h.expires = r.varint()
	}
	if r.bad || schema < 1 || schema > math.MaxInt32 || version < 1 || version > math.MaxInt64 || h.kind == "" {
		return head{}, nil, errTorn
	}
	h.schema, h.version = int(schema), int64(version)
	return h, r.rest, nil
}

// appendExpiry and decodeExpiry are the value of a due entry: it repeats Expires, so that Due need not read the item.
func appendExpiry(b []byte, h head) []byte {
	if h.hasExpires {
		b = binary.AppendVarint(b, h.expires)
	}
	return b
}

func decodeExpiry(b []byte) (h head, err error) {
	if len(b) == 0 {
		return h, nil
	}
	r := reader{rest: b}
	h.hasExpires, h.expires = true, r.varint()
	if r.bad || len(r.rest) > 0 {
		return head{}, errTorn
	}
	return h, nil
}

// reader takes parts off the front of a value; the first that is missing makes it bad for good.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	return advance(r, v, n)
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.rest)
	return advance(r, v, n)
}

func advance[N uint64 | int64](r *reader, v N, n int) N {
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}
