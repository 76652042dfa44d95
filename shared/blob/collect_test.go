package blob_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/blob/blobtest"
)

// table stands for the items that hold manifests.
type table map[string]blob.Manifest

func (tb table) referenced(context.Context) (map[string]bool, error) {
	ids := map[string]bool{}
	for _, m := range tb {
		for _, ref := range m.Chunks {
			ids[ref.ID] = true
		}
	}
	return ids, nil
}

// paced lets a test step in between the steps of a collection or a write.
type paced struct {
	blob.Store
	afterList, afterStat, beforeDelete func()
}

func step(f func()) {
	if f != nil {
		f()
	}
}

func (p *paced) List(ctx context.Context, scope, after string, limit int) ([]blob.Info, error) {
	infos, err := p.Store.List(ctx, scope, after, limit)
	step(p.afterList)
	return infos, err
}

func (p *paced) Stat(ctx context.Context, scope string, ids []string) (map[string]blob.Info, error) {
	infos, err := p.Store.Stat(ctx, scope, ids)
	step(p.afterStat)
	return infos, err
}

func (p *paced) DeleteBefore(ctx context.Context, scope string, ids []string, cutoff time.Time) ([]string, error) {
	step(p.beforeDelete)
	return p.Store.DeleteBefore(ctx, scope, ids, cutoff)
}

func collect(t require.TestingT, s blob.Store, now time.Time, tb table) blob.Collected {
	done, err := blob.Collect(context.Background(), s, scope, tb.referenced, now, blob.Grace)
	require.NoError(t, err)
	return done
}

func TestACollectionDeletesWhatNoManifestNamesAndIsOld(t *testing.T) {
	s, clock := newStore()
	kept, dropped, young := random(1, 200<<10), random(2, 200<<10), random(3, 200<<10)
	tb := table{"kept": write(t, s, clock.Now(), kept)}
	gone := write(t, s, clock.Now(), dropped)
	clock.Pass(blob.Grace)
	fresh := write(t, s, clock.Now(), young)
	assert.Equal(t, blob.Collected{Kept: len(tb["kept"].Chunks), Young: len(gone.Chunks) + len(fresh.Chunks)}, collect(t, s, clock.Now(), tb),
		"as old as the grace is young")

	clock.Pass(time.Second)
	done := collect(t, s, clock.Now(), tb)
	assert.Equal(t, len(tb["kept"].Chunks), done.Kept)
	assert.Equal(t, len(fresh.Chunks), done.Young)
	assert.Equal(t, len(gone.Chunks), done.Deleted)
	assert.Greater(t, done.Bytes, int64(200<<10))
	assert.Less(t, done.Bytes, int64(201<<10))

	read(t, s, tb["kept"])
	read(t, s, fresh)
	_, err := blob.Read(t.Context(), s, scope, key, gone)
	require.ErrorIs(t, err, blob.ErrNotFound)
	assert.Equal(t, blob.Collected{Kept: done.Kept, Young: done.Young}, collect(t, s, clock.Now(), tb))
}

func TestACollectionOfMoreThanOnePageSeesAll(t *testing.T) {
	s, clock := newStore()
	var chunks []blob.Chunk
	for i := range 2500 {
		chunks = append(chunks, blob.Chunk{ID: blobtest.ID(fmt.Sprint(i)), Data: []byte("x")})
	}
	require.NoError(t, s.Put(t.Context(), scope, chunks))
	clock.Pass(blob.Grace + time.Second)
	assert.Equal(t, blob.Collected{Deleted: 2500, Bytes: 2500}, collect(t, s, clock.Now(), nil))
}

func TestACollectionThatCannotKnowWhatIsNamedDeletesNothing(t *testing.T) {
	s, clock := newStore()
	m := write(t, s, clock.Now(), random(1, 1000))
	clock.Pass(blob.Grace * 2)
	outage := errors.New("the table is away")
	_, err := blob.Collect(t.Context(), s, scope, func(context.Context) (map[string]bool, error) { return nil, outage }, clock.Now(), blob.Grace)
	require.ErrorIs(t, err, outage)
	read(t, s, m)
}

func TestAChunkPutAgainAfterItWasListedSurvives(t *testing.T) {
	doc := random(1, 200<<10)
	for name, at := range map[string]func(p *paced, now func()){
		"before manifests are read": func(p *paced, now func()) { p.afterList = now },
		"after manifests are read":  func(p *paced, now func()) { p.beforeDelete = now },
	} {
		t.Run(name, func(t *testing.T) {
			s, clock := newStore()
			write(t, s, clock.Now(), doc) // its manifest is dropped
			clock.Pass(blob.Grace * 2)
			var m blob.Manifest
			p := &paced{Store: s}
			at(p, func() {
				if m.Size == 0 {
					m = write(t, s, clock.Now(), doc)
				}
			})
			done := collect(t, p, clock.Now(), nil) // the manifest is committed only after the collection
			assert.Equal(t, blob.Collected{Young: len(m.Chunks)}, done)
			read(t, s, m)
		})
	}
}

func TestAChunkThatAWriterFoundYoungSurvivesUntilItsManifestIsThere(t *testing.T) {
	s, clock := newStore()
	doc := random(1, 200<<10)
	tb := table{}
	write(t, s, clock.Now(), doc)
	clock.Pass(blob.Grace / 2)
	p := &paced{Store: s, afterStat: func() {
		clock.Pass(blob.Grace/2 - time.Second) // a writer cannot be slower
		collect(t, s, clock.Now(), tb)
	}}
	m := write(t, p, clock.Now(), doc)
	tb["m"] = m
	clock.Pass(blob.Grace)
	assert.Equal(t, len(m.Chunks), collect(t, s, clock.Now(), tb).Kept)
	read(t, s, m)
}

// TestNoOrderOfWritersAndCollectionsLosesACommittedDocument lets writers, droppers, time and collections happen in any order,
// also in between the steps of a collection.
func TestNoOrderOfWritersAndCollectionsLosesACommittedDocument(t *testing.T) {
	type pending struct {
		manifest blob.Manifest
		at       time.Time
	}
	var docs [][]byte // the third shares chunks with the first
	for seed := range uint64(2) {
		docs = append(docs, random(seed, 60<<10))
	}
	docs = append(docs, append(docs[0][:50<<10:50<<10], "changed"...), []byte("short"))

	rapid.Check(t, func(t *rapid.T) {
		s, clock := newStore()
		tb := table{}
		var written []pending
		collecting := false
		var act func()
		p := &paced{Store: s}
		between := func() {
			if rapid.Bool().Draw(t, "in between") {
				act()
			}
		}
		p.afterList, p.beforeDelete = between, between
		act = func() {
			switch rapid.IntRange(0, 4).Draw(t, "act") {
			case 0:
				doc := rapid.SampledFrom(docs).Draw(t, "doc")
				written = append(written, pending{write(t, s, clock.Now(), doc), clock.Now()})
			case 1:
				for i, w := range written {
					if clock.Now().Sub(w.at) < blob.Grace/2 { // later ones were given up
						tb[fmt.Sprint(i)] = w.manifest
					}
				}
				written = nil
			case 2:
				clear(tb)
			case 3:
				if !collecting { // the clock of a collection is read at its start; meanwhile hours pass, not weeks
					clock.Pass(time.Duration(rapid.IntRange(0, 40*24).Draw(t, "hours")) * time.Hour)
				}
			case 4:
				if !collecting {
					collecting = true
					collect(t, p, clock.Now(), tb)
					collecting = false
				}
			}
			for _, m := range tb {
				read(t, s, m)
			}
		}
		for range rapid.IntRange(1, 30).Draw(t, "acts") {
			act()
		}
	})
}
