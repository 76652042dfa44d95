package local

import (
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/polyplane/polyplane/shared/store"
)

// A full disk ends the process (see the package comment), and what cannot write its log cannot start again either. So writes stop
// while there is still room for compaction and for deletions.
const (
	roomKept  = 256 << 20 // bytes that stay free
	roomEvery = 8 << 20   // bytes written between two looks
)

type room struct {
	free  func() (uint64, error)
	since atomic.Int64 // bytes since the last look
	full  atomic.Bool
}

func newRoom(free func() (uint64, error)) *room {
	r := &room{free: free}
	r.since.Store(roomEvery)
	return r
}

func freeBytes(dir string) func() (uint64, error) {
	return func() (uint64, error) {
		u, err := vfs.Default.GetDiskUsage(dir)
		return u.AvailBytes, err
	}
}

// admit counts bytes about to be written, or refuses them with store.ErrUnavailable. While the disk is full it looks every time.
func (r *room) admit(bytes int) error {
	if r.since.Add(int64(bytes)) < roomEvery && !r.full.Load() {
		return nil
	}
	free, err := r.free()
	if err != nil {
		return nil // not knowing is no reason to refuse: the write itself will tell
	}
	r.since.Store(0)
	r.full.Store(free < roomKept)
	if free < roomKept {
		return fmt.Errorf("%w: %d MB free on the disk of the data directory, %d MB are needed to go on writing",
			store.ErrUnavailable, free>>20, roomKept>>20)
	}
	return nil
}
