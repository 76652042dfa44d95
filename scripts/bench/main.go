// Command bench prints the tables of the budgets: the journey of an update, the store, the front, and exports. Everything runs in this
// one process, on loopback with real HTTP, on the embedded store with every write synced, in temporary directories.
//
// Times depend on the machine, above all on how long its disk takes to sync. Counts do not, but for the few reads and writes that the
// workers of the process make meanwhile.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"text/tabwriter"
	"time"
)

// tables in the order of printing.
var tables = []struct {
	name string
	run  func(scale) error
}{
	{"journey", journey},
	{"checkpoint", checkpoints},
	{"store", storeTable},
	{"front", frontTable},
	{"export", exportTable},
}

// scale is how much is measured.
type scale struct {
	most  int           // resources of the largest update
	times int           // calls of each row of a table of latencies
	long  time.Duration // of each row of a table of rates
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	var names []string
	for _, t := range tables {
		names = append(names, t.name)
	}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := f.String("only", "", "print only these tables, separated by commas: "+strings.Join(names, ", "))
	most := f.Int("n", 10_000, "resources of the largest update")
	times := f.Int("times", 800, "calls of each row of a table of latencies")
	long := f.Duration("long", 2*time.Second, "how long each rate is measured")
	profile := f.String("cpuprofile", "", "write a CPU profile to this file")
	if err := f.Parse(args); err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, name := range strings.Split(*only, ",") {
		if name != "" && !strings.Contains(" "+strings.Join(names, " ")+" ", " "+name+" ") {
			return fmt.Errorf("there is no table %q: they are %s", name, strings.Join(names, ", "))
		}
		wanted[name] = true
	}
	if *profile != "" {
		out, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer func() { _ = out.Close() }()
		if err := pprof.StartCPUProfile(out); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	fmt.Printf("%s, %d cores, %s\n", runtime.Version(), runtime.GOMAXPROCS(0), time.Now().UTC().Format(time.RFC3339))
	for _, t := range tables {
		if *only != "" && !wanted[t.name] {
			continue
		}
		if err := t.run(scale{*most, *times, *long}); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// table prints aligned rows as they come in, all at once at its end.
type table struct{ w *tabwriter.Writer }

func newTable(title string, columns ...string) table {
	fmt.Printf("\n%s\n", title)
	t := table{tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)}
	fmt.Fprintln(t.w, strings.Join(columns, "\t")+"\t")
	return t
}

func (t table) row(cells ...any) {
	for _, c := range cells {
		switch v := c.(type) {
		case time.Duration:
			fmt.Fprintf(t.w, "%s\t", milliseconds(v))
		case float64:
			fmt.Fprintf(t.w, "%.2f\t", v)
		default:
			fmt.Fprintf(t.w, "%v\t", v)
		}
	}
	fmt.Fprintln(t.w)
}

func (t table) end() { _ = t.w.Flush() }

func milliseconds(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	if ms >= 100 {
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.2f ms", ms)
}

func kilobytes(n int64) string { return fmt.Sprintf("%.1f KB", float64(n)/1024) }

// per is n for each of so many.
func per(n int64, of int) float64 { return float64(n) / float64(of) }
