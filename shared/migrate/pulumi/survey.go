package pulumi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Where a DIY backend keeps what.
const (
	metaFile    = ".pulumi/meta.yaml"
	stacksDir   = ".pulumi/stacks/"
	historyDir  = ".pulumi/history/"
	locksDir    = ".pulumi/locks/"
	tagsEnding  = ".pulumi-tags"
	jsonEnding  = ".json"
	pastEnding  = ".history.json"
	stateEnding = ".checkpoint.json"
)

// found is a stack in a source.
type found struct {
	project string // empty in the oldest layout and in flat exports: the checkpoint tells
	name    string
	file    File   // the current checkpoint, or the export
	export  bool   // file is an untyped deployment and there is nothing else
	folder  string // "<project>/<stack>", or "<stack>" in the oldest layout

	updates int   // in its history
	bytes   int64 // of all that will be read
}

// mark names the stack within its source.
func (f found) String() string { return f.folder }

// survey lists the stacks of a source, by name, and how much there is of each.
func survey(ctx context.Context, s Source) ([]found, error) {
	levels, diy, err := layout(ctx, s)
	if err != nil {
		return nil, err
	}
	below := stacksDir
	if !diy {
		below = ""
	}
	newest := map[string]found{} // of a stack that is there in two compressions
	err = s.List(ctx, below, func(f File) error {
		rest := strings.TrimPrefix(f.Name, below)
		called, ok := strings.CutSuffix(bare(rest), jsonEnding)
		parts := strings.Split(called, "/")
		if !ok || diy && len(parts) != levels || len(parts) > 2 || strings.HasPrefix(rest, ".") {
			return nil // a backup, the tags, or nothing of ours
		}
		at := found{name: parts[len(parts)-1], file: f, export: !diy, folder: called, bytes: f.Size}
		if len(parts) == 2 {
			at.project = parts[0]
		}
		if other, twice := newest[called]; !twice || other.file.Modified.Before(f.Modified) {
			newest[called] = at
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the stacks of %s: %w", s, err)
	}
	all := make([]found, 0, len(newest))
	for _, f := range newest {
		if !f.export {
			err := past(ctx, s, f, func(p entry) { f.updates++; f.bytes += p.bytes })
			if err != nil {
				return nil, err
			}
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b found) int { return strings.Compare(a.folder, b.folder) })
	return all, nil
}

var metaVersion = regexp.MustCompile(`(?m)^version:\s*(\d+)\s*$`)

// layout tells whether a source is a DIY backend and how many names lead to a stack in it.
func layout(ctx context.Context, s Source) (levels int, diy bool, err error) {
	legacy := false
	err = s.List(ctx, stacksDir, func(f File) error {
		diy = true
		legacy = legacy || !strings.Contains(strings.TrimPrefix(f.Name, stacksDir), "/") && strings.HasSuffix(bare(f.Name), jsonEnding)
		return nil
	})
	if err != nil {
		return 0, false, fmt.Errorf("listing %s: %w", s, err)
	}
	levels = 2
	text, err := s.Read(ctx, metaFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if legacy {
			levels = 1
		}
		return levels, diy, nil
	case err != nil:
		return 0, false, err
	}
	m := metaVersion.FindSubmatch(text)
	if m == nil {
		return 0, false, fmt.Errorf("%s in %s tells no version", metaFile, s)
	}
	switch version := string(m[1]); version {
	case "0":
		levels = 1
	case "1":
	default:
		return 0, false, fmt.Errorf("%s has layout %s, which this version of polyplane does not know", s, version)
	}
	return levels, true, nil
}

// entry is an update in a stack's history.
type entry struct {
	at    int64 // nanoseconds: its place in the order
	past  string
	state string // file of the checkpoint it left; "" when it is missing
	bytes int64
}

// mark is the entry's place, as text that sorts alike.
func (e entry) mark() string { return fmt.Sprintf("%020d", e.at) }

// past calls each for the updates of a stack's history, in order. It holds their names, not what they say.
func past(ctx context.Context, s Source, f found, each func(entry)) error {
	all := map[int64]entry{}
	err := s.List(ctx, historyDir+f.folder+"/", func(file File) error {
		rest := strings.TrimPrefix(file.Name, historyDir+f.folder+"/")
		if strings.Contains(rest, "/") {
			return nil // another stack's: a project and a stack of the oldest layout may share a name
		}
		called, isPast := strings.CutSuffix(bare(rest), pastEnding)
		if !isPast {
			var isState bool
			if called, isState = strings.CutSuffix(bare(rest), stateEnding); !isState {
				return nil
			}
		}
		at, err := strconv.ParseInt(called[strings.LastIndex(called, "-")+1:], 10, 64)
		if err != nil || at < 0 {
			return nil // the backend names none so
		}
		e := all[at]
		e.at = at
		e.bytes += file.Size
		if isPast {
			e.past = file.Name
		} else {
			e.state = file.Name
		}
		all[at] = e
		return nil
	})
	if err != nil {
		return fmt.Errorf("listing the history of %s: %w", f, err)
	}
	order := make([]int64, 0, len(all))
	for at, e := range all {
		if e.past != "" {
			order = append(order, at)
		}
	}
	slices.Sort(order)
	for _, at := range order {
		each(all[at])
	}
	return nil
}

// busy reports whether an update holds the stack in its source.
func busy(ctx context.Context, s Source, f found) (bool, error) {
	if f.export {
		return false, nil
	}
	held := false
	for _, below := range []string{"organization/" + f.folder, f.folder} {
		prefix := locksDir + below + "/"
		err := s.List(ctx, prefix, func(file File) error {
			rest := strings.TrimPrefix(file.Name, prefix)
			held = held || strings.HasSuffix(rest, jsonEnding) && !strings.Contains(rest, "/")
			return nil
		})
		if err != nil {
			return false, fmt.Errorf("looking for locks of %s: %w", f, err)
		}
	}
	return held, nil
}
