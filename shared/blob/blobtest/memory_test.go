package blobtest_test

import (
	"testing"
	"time"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/blob/blobtest"
)

func TestTheStoreInMemoryPassesTheSuite(t *testing.T) {
	blobtest.Run(t, func(_ *testing.T, now func() time.Time) blob.Store { return blobtest.NewMemory(now) })
}
