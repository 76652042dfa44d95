package pulumi

import (
	"context"
	"errors"
	"fmt"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/update"
)

// Options say what to bring where.
type Options struct {
	Source       Source
	Organization organization.Organization
	Principal    permission.Principal // who imports; the stacks' creator
	By           update.By            // the same, as updates remember it

	Project    string      // only this project; and the one of stacks whose source does not tell. Empty is all
	Passphrase *Passphrase // nil keeps secrets as they are
	URL        string      // under which clients reach the installation: the address they log in to. Needed to seal secrets
	DryRun     bool        // change nothing
	IntoEmpty  bool        // also into stacks that exist and were never updated
}

// Result is what became of a stack, in one word.
type Result string

// The results. On a dry run, what would become of it.
const (
	Imported Result = "imported"
	Resumed  Result = "resumed"   // the rest of what an earlier run began, or what came since
	UpToDate Result = "unchanged" // an earlier run brought all of it
	Skipped  Result = "skipped"   // nothing was changed, or less than all was brought; Why says why
)

// Outcome is what became of one stack.
type Outcome struct {
	Stack     string   `json:"stack"` // project/stack; as the source calls it when it has no place here
	Result    Result   `json:"result"`
	Why       string   `json:"why,omitempty"` // a sentence
	Updates   int      `json:"updates"`       // adopted by this run
	Resources int      `json:"resources"`     // in the current checkpoint
	Secrets   int      `json:"secrets"`       // in the current checkpoint
	Sealed    bool     `json:"sealed"`        // by the service from now on
	Remarks   []string `json:"remarks,omitempty"`
}

// Progress is how far the import is.
type Progress struct {
	Stack        string `json:"stack"`        // the one under way
	Stacks       int    `json:"stacks"`       // dealt with
	AllStacks    int    `json:"allStacks"`    // in the source
	Updates      int    `json:"updates"`      // dealt with
	AllUpdates   int    `json:"allUpdates"`   // in the source
	Bytes        int64  `json:"bytes"`        // read, or passed over
	AllBytes     int64  `json:"allBytes"`     // in the source
	StackUpdates int    `json:"stackUpdates"` // of the stack, dealt with
	InStack      int    `json:"inStack"`      // updates that the stack has
}

// importer is one run.
type importer struct {
	Options
	ports    ports.Ports
	tell     func(Progress)
	progress Progress
}

// Import brings the stacks of a source, one after the other, and returns what became of each, in order of their names. A stack that
// cannot be brought does not keep the others from it: its outcome says why. The error is of what stops all of them: a source that cannot
// be listed, a store that does not work, a context that ended. tell is told of every update.
func Import(ctx context.Context, p ports.Ports, o Options, tell func(Progress)) ([]Outcome, error) {
	all, err := survey(ctx, o.Source)
	if err != nil {
		return nil, err
	}
	im := &importer{Options: o, ports: p, tell: tell, progress: Progress{AllStacks: len(all)}}
	for _, f := range all {
		im.progress.AllUpdates += f.updates
		im.progress.AllBytes += f.bytes
	}
	var out []Outcome
	for _, f := range all {
		before := im.progress
		im.progress.Stack, im.progress.StackUpdates, im.progress.InStack = f.String(), 0, f.updates
		im.tell(im.progress)
		outcome, err := im.stack(ctx, f)
		if err != nil && !skippable(err) {
			return out, fmt.Errorf("stack %s: %w", f, err)
		}
		if err != nil {
			outcome.Result, outcome.Why = Skipped, sentence(err)
		}
		if outcome.Result != "" {
			out = append(out, outcome)
		}
		im.progress.Stacks++
		im.progress.Updates, im.progress.Bytes = before.Updates+f.updates, before.Bytes+f.bytes
	}
	im.tell(im.progress)
	return out, nil
}

// refusal is why a stack is skipped. What else fails, and is no fault, ends the run: the store's failure, or the source's.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

func refuse(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

func skippable(err error) bool {
	var r refusal
	return errors.As(err, &r) || fault.As(err) != nil
}

func sentence(err error) string {
	if f := fault.As(err); f != nil {
		return f.Message
	}
	return err.Error()
}

// step counts an update of the source that was dealt with.
func (im *importer) step(e entry) {
	im.progress.Updates++
	im.progress.StackUpdates++
	im.progress.Bytes += e.bytes
	im.tell(im.progress)
}
