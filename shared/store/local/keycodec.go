package local

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/polyplane/polyplane/shared/store"
)

// The tables of the key space, by first byte.
//
//	items    1 PK 00 SK                              value: see itemcodec.go
//	due      2 len(Kind) Kind millis PK 00 SK        value: empty, or the item's Expires
//	expires  3 seconds PK 00 SK                      value: empty
//
// PK and SK hold no NUL, so 00 ends PK and sorts before everything that could follow it: bytewise order is the order of (PK, SK),
// and no partition's keys begin like another's. Times are 8 bytes, big-endian, with the sign flipped, so that they sort too.
const (
	tableItems   byte = 1
	tableDue     byte = 2
	tableExpires byte = 3
)

const signBit = 1 << 63

func appendPair(b []byte, k store.Key) []byte {
	b = append(b, k.PK...)
	b = append(b, 0)
	return append(b, k.SK...)
}

func splitPair(b []byte) (store.Key, error) {
	i := bytes.IndexByte(b, 0)
	if i < 1 || i == len(b)-1 || bytes.IndexByte(b[i+1:], 0) >= 0 {
		return store.Key{}, fmt.Errorf("local: malformed key %q", b)
	}
	return store.Key{PK: string(b[:i]), SK: string(b[i+1:])}, nil
}

func appendTime(b []byte, n int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(n)^signBit) }

func readTime(b []byte) int64 { return int64(binary.BigEndian.Uint64(b) ^ signBit) }

// appendItemKey appends the engine's key of an item.
func appendItemKey(b []byte, k store.Key) []byte { return appendPair(append(b, tableItems), k) }

func decodeItemKey(b []byte) (store.Key, error) {
	if len(b) == 0 || b[0] != tableItems {
		return store.Key{}, fmt.Errorf("local: %q is not the key of an item", b)
	}
	return splitPair(b[1:])
}

// appendPartition appends what every item key of a partition begins with.
func appendPartition(b []byte, pk string) []byte {
	b = append(b, tableItems)
	b = append(b, pk...)
	return append(b, 0)
}

// appendPartitionEnd appends the first key behind all items of a partition.
func appendPartitionEnd(b []byte, pk string) []byte {
	b = appendPartition(b, pk)
	b[len(b)-1] = 1
	return b
}

func appendDuePrefix(b []byte, kind string) []byte {
	b = append(b, tableDue)
	b = binary.AppendUvarint(b, uint64(len(kind)))
	return append(b, kind...)
}

// appendDueKey appends the engine's key of an entry in the due index; millis is Unix time in milliseconds.
func appendDueKey(b []byte, kind string, millis int64, k store.Key) []byte {
	return appendPair(appendTime(appendDuePrefix(b, kind), millis), k)
}

func decodeDueKey(b []byte, prefix int) (store.Key, error) {
	if len(b) < prefix+8 {
		return store.Key{}, fmt.Errorf("local: malformed due key %q", b)
	}
	return splitPair(b[prefix+8:])
}

// appendExpiresKey appends the engine's key of an entry in the expiry index; seconds is Unix time.
func appendExpiresKey(b []byte, seconds int64, k store.Key) []byte {
	return appendPair(appendTime(append(b, tableExpires), seconds), k)
}

func decodeExpiresKey(b []byte) (seconds int64, k store.Key, err error) {
	if len(b) < 9 || b[0] != tableExpires {
		return 0, k, fmt.Errorf("local: malformed expiry key %q", b)
	}
	k, err = splitPair(b[9:])
	return readTime(b[1:9]), k, err
}

// ceilMillis is the first millisecond at or after t: due times are cut to milliseconds, so d < t is cut(d) < ceilMillis(t).
func ceilMillis(t time.Time) int64 {
	n := t.UnixMilli()
	if t.After(time.UnixMilli(n)) {
		n++
	}
	return n
}

// prefixEnd returns the first string behind all that begin with prefix, or "" when there is none.
func prefixEnd(prefix string) string {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			return prefix[:i] + string([]byte{prefix[i] + 1})
		}
	}
	return ""
}
