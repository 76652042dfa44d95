package local_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/local"
)

const (
	crashDir    = "POLYPLANE_TEST_CRASH_DIR"    // set in the process that is to be killed
	crashRounds = "POLYPLANE_TEST_CRASH_ROUNDS" // how often it is; 10 when unset
	crashers    = 8                             // writers in that process
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeUntilKilled continues what earlier rounds wrote and prints "writer step" for each acknowledged step, and for each step that a
// reader saw.
func writeUntilKilled(dir string) error {
	d, err := local.Open(dir, local.Options{Now: fixed})
	if err != nil {
		return err
	}
	failed := make(chan error)
	var out sync.Mutex
	say := func(writer string, step int64) error {
		out.Lock()
		defer out.Unlock()
		_, err := fmt.Fprintf(os.Stdout, "%s %d\n", writer, step)
		return err
	}
	go func() { failed <- readUntilKilled(d, pointRead, say) }()
	go func() { failed <- readUntilKilled(d, rangeRead, say) }()
	for w := range crashers {
		writer := fmt.Sprint(w)
		go func() {
			items, err := d.BatchGet(context.Background(), []store.Key{{PK: "left", SK: writer}})
			if err != nil {
				failed <- err
				return
			}
			for step := items[0].Version + 1; ; step++ {
				if err := d.Write(context.Background(), pair(writer, step)...); err != nil {
					failed <- err
					return
				}
				if err := say(writer, step); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

// pointRead and rangeRead are the two ways to see how far a writer came.
func pointRead(d *local.DB, writer string) (int64, error) {
	i, err := d.Get(context.Background(), store.Key{PK: "left", SK: writer})
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return i.Version, err
}

func rangeRead(d *local.DB, writer string) (int64, error) {
	p, err := d.Query(context.Background(), store.Query{PK: "right", Prefix: writer})
	if err != nil || len(p.Items) == 0 {
		return 0, err
	}
	return p.Items[0].Version, nil
}

// readUntilKilled tells what a reader sees.
func readUntilKilled(d *local.DB, read func(*local.DB, string) (int64, error), say func(string, int64) error) error {
	seen := map[string]int64{}
	for n := 0; ; n++ {
		writer := fmt.Sprint(n % crashers)
		step, err := read(d, writer)
		if err != nil {
			return err
		}
		if step > seen[writer] {
			seen[writer] = step
			if err := say(writer, step); err != nil {
				return err
			}
		}
	}
}

func TestWhatWasAcknowledgedOrReadSurvivesSIGKILLAndNoWriteIsTorn(t *testing.T) {
	rounds := 10
	if n, err := strconv.Atoi(os.Getenv(crashRounds)); err == nil {
		rounds = n
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	dir, total := t.TempDir(), 0
	acked := map[string]int64{}
	for round := range rounds {
		n := 1 + random.IntN(600)
		killAfter(t, dir, n, acked)
		d := open(t, dir, local.Options{})
		due := 0
		for w := range crashers {
			writer := fmt.Sprint(w)
			have := lastPair(t, d, writer)
			require.GreaterOrEqual(t, have, acked[writer], "round %d: a step that was acknowledged or read is gone", round)
			require.LessOrEqual(t, have, acked[writer]+1, "round %d: more than the one step under way", round)
			acked[writer] = have
			if have > 0 {
				due += int(have) + 2
			}
		}
		keys, err := d.Due(t.Context(), store.DueQuery{Kind: "pair", Before: fixed().Add(1), Limit: 1 << 30})
		require.NoError(t, err)
		require.Len(t, keys, due, "round %d: the due index is not in step with the items", round)
		require.NoError(t, d.Close())
		total += n
	}
	t.Logf("%d rounds, %d steps acknowledged or read", rounds, total)
}

// killAfter runs the writing process, kills it when it told of n steps and notes how far each writer came.
func killAfter(t *testing.T, dir string, n int, acked map[string]int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewReader(stdout)
	for seen := 0; ; {
		line, err := lines.ReadString('\n')
		if err != nil { // a line cut by the kill was not acknowledged in full
			require.ErrorIs(t, err, io.EOF)
			break
		}
		writer, step, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		require.True(t, ok, line)
		number, err := strconv.ParseInt(step, 10, 64)
		require.NoError(t, err)
		acked[writer] = max(acked[writer], number)
		if seen++; seen == n {
			_, err := local.Open(dir, local.Options{Now: fixed})
			require.ErrorContains(t, err, "another polyplane process runs on it")
			require.NoError(t, cmd.Process.Kill())
		}
	}
	require.ErrorContains(t, cmd.Wait(), "killed", stderr.String())
}
