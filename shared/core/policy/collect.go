package policy

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/purge"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/core/update"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Limits of what one update leaves.
const (
	maxReported = 2000    // violations of one update that become issues
	maxMessage  = 8 << 10 // bytes of an issue's message
	keepFixed   = 90 * 24 * time.Hour
)

// terminal finds what clients write into a message to colour it on a terminal.
var terminal = regexp.MustCompile(`<\{%[^%]{0,40}%\}>`)

// Violated is the data of the event policy.violated: an update reported violations that the one before did not.
type Violated struct {
	Organization string `json:"organization"` // id
	Stack        string `json:"stack"`        // id
	Update       string `json:"update"`       // id
	Version      int64  `json:"version"`
	Mandatory    int    `json:"mandatory"` // new ones that stop an update
	Advisory     int    `json:"advisory"`  // new ones that do not
}

// CollectFinished is the consumer of update.finished: it reads the violations in the update's engine events into the issues of the stack.
// Seen twice, or after a later update of the stack, an update changes nothing.
func CollectFinished(p ports.Ports) event.Consumer {
	return func(ctx context.Context, e event.Event) error {
		var f update.Finished
		if err := json.Unmarshal(e.Data, &f); err != nil {
			return err
		}
		return Collect(ctx, p, f)
	}
}

// Collect does what CollectFinished says for one update.
func Collect(ctx context.Context, p ports.Ports, f update.Finished) error {
	s, err := stack.Of(ctx, p, f.Stack)
	if errors.Is(err, store.ErrNotFound) || err == nil && (s.Value.Deleted || s.Value.Organization != f.Organization) {
		return nil
	}
	if err != nil {
		return err
	}
	at := keys.PolicyResult(f.Organization, f.Stack)
	was, err := resultKind.Get(ctx, p.Store, at)
	if errors.Is(err, store.ErrNotFound) {
		was, err = store.Doc[Result]{Key: at}, nil
	}
	if err != nil || was.Value.Version >= f.Version {
		return err
	}
	events, err := update.Events(ctx, p, s.Value, f.Update)
	if err != nil {
		return err
	}
	r := read(events)
	known, err := issueKind.All(ctx, p.Store, store.Query{PK: keys.PolicyIssues(f.Organization), Prefix: keys.PolicyIssuesOf(f.Stack)}, maxIssues)
	if err != nil {
		return err
	}
	if len(r.violations) == 0 && len(r.summaries) == 0 && len(known) == 0 && !was.Exists() {
		return nil // no policy has ever had to do with this stack
	}
	required, err := RequiredOf(ctx, p, s.Value, "")
	if err != nil {
		return err
	}
	changes, told := settle(p, f, r, required, known)
	for chunk := range slices.Chunk(changes, store.MaxCoreChanges) {
		if err := p.Store.Write(ctx, chunk...); err != nil {
			return err
		}
	}
	next, err := result(ctx, p, f, r, required, was.Value)
	if err != nil {
		return err
	}
	was.Value = next
	last := []store.Change{resultKind.Create(at, next)}
	if was.Exists() {
		last[0] = resultKind.Replace(was)
	}
	if told.Mandatory+told.Advisory > 0 {
		last = append(last, event.New(p, f.Organization, "policy.violated", told))
	}
	return p.Store.Write(ctx, last...)
}

// evaluation is one policy asked about one resource, or with an empty URN about the whole stack.
type evaluation struct{ pack, policy, urn string }

// summary is how the policies of a pack answered about a resource or, with an empty URN, the stack.
type summary struct {
	Pack   string   `json:"policyPackName"`
	Tag    string   `json:"policyPackVersionTag"`
	URN    string   `json:"resourceUrn"`
	Passed []string `json:"passed"`
	Failed []string `json:"failed"`
}

// report is what an update's engine events say about policies.
type report struct {
	violations map[evaluation]Issue // of each the level, severity, message and tag are set
	summaries  []summary
	evaluated  map[evaluation]bool
	ran        map[string]bool // packs
	deleted    map[string]bool // URNs
}

type violation struct {
	URN      string   `json:"resourceUrn"`
	Message  string   `json:"message"`
	Policy   string   `json:"policyName"`
	Pack     string   `json:"policyPackName"`
	Tag      string   `json:"policyPackVersionTag"`
	Level    Level    `json:"enforcementLevel"`
	Severity Severity `json:"severity"`
}

func read(events []update.EngineEvent) report {
	r := report{violations: map[evaluation]Issue{}, evaluated: map[evaluation]bool{}, ran: map[string]bool{}, deleted: map[string]bool{}}
	for _, e := range events {
		var told struct {
			Policy  *violation `json:"policyEvent"`
			Analyze *summary   `json:"policyAnalyzeSummaryEvent"`
			Stack   *summary   `json:"policyAnalyzeStackSummaryEvent"`
			Outputs *struct {
				Metadata struct {
					Op  string `json:"op"`
					URN string `json:"urn"`
				} `json:"metadata"`
			} `json:"resOutputsEvent"`
		}
		if json.Unmarshal(e.Raw, &told) != nil {
			continue // not of a shape that a client known to us writes
		}
		if v := told.Policy; v != nil {
			r.violated(*v)
		}
		if s := told.Analyze; s != nil {
			r.summarised(*s)
		}
		if s := told.Stack; s != nil {
			s.URN = ""
			r.summarised(*s)
		}
		if o := told.Outputs; o != nil && (o.Metadata.Op == "delete" || o.Metadata.Op == "discard") {
			r.deleted[o.Metadata.URN] = true
		}
	}
	return r
}

func (r *report) violated(v violation) {
	r.ran[v.Pack] = true
	at := evaluation{v.Pack, v.Policy, v.URN}
	i, again := r.violations[at]
	if !again && len(r.violations) >= maxReported {
		return
	}
	message := strings.TrimSpace(terminal.ReplaceAllString(v.Message, ""))
	if again && !strings.Contains(i.Message, message) {
		message = i.Message + "\n" + message
	}
	i.Pack, i.PackTag, i.Policy, i.URN = v.Pack, v.Tag, v.Policy, v.URN
	i.Level, i.Severity = v.Level, v.Severity
	if !slices.Contains(Severities, i.Severity) {
		i.Severity = Unsaid
	}
	i.Message = strings.ToValidUTF8(message[:min(len(message), maxMessage)], "")
	r.violations[at] = i
}

func (r *report) summarised(s summary) {
	r.ran[s.Pack] = true
	r.summaries = append(r.summaries, s)
	for _, policy := range slices.Concat(s.Passed, s.Failed) {
		r.evaluated[evaluation{s.Pack, policy, s.URN}] = true
	}
}

// gone reports whether the update shows that a known violation is not there any more: it was not reported although the policy was asked
// about the resource or the stack; or the resource or the whole stack was deleted; or, in an update that succeeded, the pack does not belong to
// the stack any more, or is of a kind that tells only of violations.
func (r *report) gone(i Issue, f update.Finished) bool {
	switch {
	case r.deleted[i.URN]:
		return true
	case f.Kind == update.Destroy:
		return f.Outcome == update.Succeeded
	case r.evaluated[evaluation{i.Pack, i.Policy, i.URN}], r.evaluated[evaluation{i.Pack, i.Policy, ""}]:
		return true
	case f.Kind != update.Update || f.Outcome != update.Succeeded:
		return false
	case !r.ran[i.Pack]:
		return true
	}
	return !slices.ContainsFunc(r.summaries, func(s summary) bool { return s.Pack == i.Pack })
}

// settle returns the changes that bring a stack's issues up to date with an update, and what is new.
func settle(p ports.Ports, f update.Finished, r report, required []Required, known []store.Doc[Issue]) ([]store.Change, Violated) {
	told := Violated{Organization: f.Organization, Stack: f.Stack, Update: f.Update, Version: f.Version}
	var changes []store.Change
	left := maps.Clone(r.violations)
	for _, d := range known {
		i, still := left[evaluation{d.Value.Pack, d.Value.Policy, d.Value.URN}]
		switch {
		case still:
			delete(left, evaluation{i.Pack, i.Policy, i.URN})
			i.Stack, i.Observed, i.Status, i.Priority, i.Assigned = f.Stack, d.Value.Observed, d.Value.Status, d.Value.Priority, d.Value.Assigned
			if i.Status == Fixed {
				i.Status = Open
				told.count(i)
			}
			i.of(f, required, p.Now())
			d.Value, d.Expires = i, time.Time{}
			changes = append(changes, issueKind.Replace(d))
		case d.Value.Status != Fixed && r.gone(d.Value, f):
			d.Value.Status, d.Value.Modified = Fixed, p.Now()
			d.Expires = p.Now().Add(keepFixed)
			changes = append(changes, issueKind.Replace(d))
		}
	}
	for _, i := range left {
		i.Stack, i.Observed, i.Status, i.Priority = f.Stack, p.Now(), Open, priorityOf[i.Severity]
		i.of(f, required, p.Now())
		told.count(i)
		changes = append(changes, issueKind.Create(keys.PolicyIssue(f.Organization, f.Stack, i.key()), i))
	}
	return changes, told
}

// of says which update reported an issue last, and for which group.
func (i *Issue) of(f update.Finished, required []Required, now time.Time) {
	i.Version, i.Modified, i.Mode = f.Version, now, Preventative
	for _, q := range required {
		if q.Name == i.Pack {
			i.Group, i.Mode = q.Group, q.Mode
		}
	}
}

func (v *Violated) count(i Issue) {
	if i.Level == Advisory {
		v.Advisory++
	} else {
		v.Mandatory++
	}
}

// Forget is the consumer of stack.deleted and stack.transferred: what policies know of a stack does not outlive it in the organization.
func Forget(p ports.Ports) event.Consumer {
	return func(ctx context.Context, e event.Event) error {
		var h stack.Happened
		if err := json.Unmarshal(e.Data, &h); err != nil {
			return err
		}
		nothing := func(store.Item) ([]store.Change, error) { return nil, nil }
		q := store.Query{PK: keys.PolicyIssues(h.Organization), Prefix: keys.PolicyIssuesOf(h.Stack)}
		if err := purge.Walk(ctx, p.Store, q, nothing); err != nil {
			return err
		}
		return again(ctx, func(ctx context.Context) error {
			items, err := p.Store.BatchGet(ctx, []store.Key{
				keys.PolicyMembership(h.Organization, h.Stack), keys.PolicyResult(h.Organization, h.Stack),
			})
			if err != nil {
				return err
			}
			var changes []store.Change
			for _, i := range items {
				if i.Version > 0 {
					changes = append(changes, store.Delete(i.Key, i.Version))
				}
			}
			if len(changes) == 0 {
				return nil
			}
			return p.Store.Write(ctx, changes...)
		})
	}
}

// severitiesOf are the severities of a version's policies, by name; none when the version is not here.
func severitiesOf(ctx context.Context, p ports.Ports, organization, pack, tag string) (map[string]Severity, error) {
	about, err := Find(ctx, p, organization, pack, tag)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := map[string]Severity{}
	for _, q := range about.Policies {
		out[q.Name] = q.Severity
	}
	return out, nil
}
