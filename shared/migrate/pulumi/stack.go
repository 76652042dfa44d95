package pulumi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/project"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/core/update"
	"github.com/polyplane/polyplane/shared/store"
)

// projectTag names a stack's project, as the client's own service has it.
const projectTag = "pulumi:project"

// arrival is one stack on its way.
type arrival struct {
	*importer
	found
	current  state
	sealer   *sealer
	stack    store.Doc[stack.Stack]
	adoption store.Doc[update.Adoption]
	out      Outcome

	missing int // updates whose checkpoint is not there or cannot be read
	foreign int // updates whose checkpoint another passphrase sealed
	large   int // updates without their environment and configuration
}

// stack brings one stack. A zero outcome is of one that was not asked for.
func (im *importer) stack(ctx context.Context, f found) (Outcome, error) {
	a := &arrival{importer: im, found: f, out: Outcome{Stack: f.String()}}
	text, err := read(ctx, im.Source, f.file.Name)
	if err != nil {
		return a.out, err
	}
	if a.current, err = decodeState(text, f.export); err != nil {
		return a.out, refuse("its checkpoint %s: %w", f.file.Name, err)
	}
	if asked, err := a.settle(); !asked || err != nil {
		return a.out, err
	}
	if held, err := busy(ctx, im.Source, f); err != nil {
		return a.out, err
	} else if held {
		return a.out, refuse("an update holds it in the source: wait for it to end, or run `pulumi cancel` there")
	}
	if err := a.check(ctx); err != nil {
		return a.out, err
	}
	if err := a.place(ctx); err != nil {
		return a.out, err
	}
	if err := a.bring(ctx); err != nil {
		return a.out, err
	}
	return a.out, a.finish(ctx)
}

// settle finds out the project; asked is false for one that is not to be brought.
func (a *arrival) settle() (asked bool, err error) {
	if a.project == "" {
		a.project = a.current.project()
	}
	if a.project == "" {
		a.project = a.Project
	}
	if a.project == "" {
		return true, refuse("nothing in the source tells its project: give it with --project")
	}
	a.out.Stack = a.project + "/" + a.name
	if a.Project != "" && a.Project != a.project {
		a.out = Outcome{}
		return false, nil
	}
	if err := project.CheckName("project", a.project); err != nil {
		return true, err
	}
	return true, stack.CheckName("name", a.name)
}

// check opens every secret of the current checkpoint before anything is changed.
func (a *arrival) check(ctx context.Context) error {
	a.sealer = &sealer{ports: a.ports, phrase: a.Passphrase, memo: map[string]string{}, place: place{
		URL: a.URL, Owner: a.Organization.Name, Project: a.project, Stack: a.name,
	}}
	_, h, err := a.sealer.state(ctx, a.current)
	if err != nil {
		return refusal{err}
	}
	if h.sealed && a.URL == "" {
		return refuse("its secrets would be sealed by this installation, whose address is not known: start the server, or give the address with --url")
	}
	a.out.Resources, a.out.Secrets, a.out.Sealed = a.current.Resources, h.secrets, h.sealed
	if h.kept != "" && h.secrets+a.updates > 0 {
		a.remark("its secrets stay %s", h.kept)
	}
	return nil
}

// origin names the stack in its source, the same in every run.
func (a *arrival) origin() string { return a.Source.String() + "#" + a.found.String() }

// place finds the stack that an earlier run began, or makes it.
func (a *arrival) place(ctx context.Context) error {
	a.out.Result = Imported
	d, err := stack.Find(ctx, a.ports, a.Organization.ID, a.project, a.name)
	if fault.Is(err, fault.NotFound) {
		return a.create(ctx)
	}
	if err != nil {
		return err
	}
	a.stack = d
	var adopted bool
	if a.adoption, adopted, err = update.AdoptionOf(ctx, a.ports, d.Value.ID); err != nil {
		return err
	}
	switch {
	case adopted && a.adoption.Value.Source != a.origin():
		return refuse("it exists and was imported from %s", a.adoption.Value.Source)
	case adopted:
		a.out.Result = Resumed
		return nil
	case d.Value.Version > 0:
		return refuse("it exists with %d updates that were made here", d.Value.Version)
	case !a.IntoEmpty:
		return refuse("it exists and is empty: give --into-empty to import into it, or delete it")
	case a.DryRun:
		return nil
	}
	err = update.BeginAdoption(ctx, a.ports, d, a.origin())
	if store.AsConflict(err) != nil {
		return refuse("it was changed here just now")
	}
	if err != nil {
		return err
	}
	return a.reread(ctx)
}

func (a *arrival) create(ctx context.Context) error {
	tags, err := a.tags(ctx)
	if err != nil || a.DryRun {
		return err
	}
	_, err = stack.Create(ctx, a.ports, a.Principal, a.Organization, stack.Draft{
		Project: a.project, Name: a.name, Tags: tags, With: update.NewAdoption(a.origin()),
	})
	if err != nil {
		return err
	}
	return a.reread(ctx)
}

func (a *arrival) reread(ctx context.Context) (err error) {
	if a.stack, err = stack.Find(ctx, a.ports, a.Organization.ID, a.project, a.name); err != nil {
		return err
	}
	a.adoption, _, err = update.AdoptionOf(ctx, a.ports, a.stack.Value.ID)
	return err
}

// tags are those of the source that a stack may have here, and its project's.
func (a *arrival) tags(ctx context.Context) (map[string]string, error) {
	out := map[string]string{projectTag: a.project}
	if a.export {
		return out, nil
	}
	text, err := a.Source.Read(ctx, stacksDir+a.folder+tagsEnding)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	var file struct {
		Tags map[string]string `json:"tags"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, refuse("its tags: %w", err)
	}
	for name, value := range file.Tags {
		if name == projectTag {
			continue
		}
		if err := stack.CheckTags("tags", map[string]string{name: value}); err != nil {
			a.remark("tag %q is left out: %s", name, sentence(err))
			continue
		}
		out[name] = value
	}
	return out, stack.CheckTags("tags", out)
}

// finish says that all was brought, when anything was.
func (a *arrival) finish(ctx context.Context) error {
	if a.missing > 0 {
		a.remark("%d updates are recorded without a checkpoint of their own: the source has none that can be read", a.missing)
	}
	if a.foreign > 0 {
		a.remark("the checkpoints of %d updates stay as they are: their secrets do not open with this passphrase", a.foreign)
	}
	if a.large > 0 {
		a.remark("%d updates are recorded without their environment and configuration, which are too large", a.large)
	}
	if a.out.Updates == 0 && !a.adoption.Value.Finished.IsZero() {
		a.out.Result = UpToDate
		return nil
	}
	if a.DryRun {
		return nil
	}
	return update.FinishAdoption(ctx, a.ports, a.Organization, a.stack.Value, a.adoption)
}

func (a *arrival) remark(format string, args ...any) {
	a.out.Remarks = append(a.out.Remarks, fmt.Sprintf(format, args...))
}
