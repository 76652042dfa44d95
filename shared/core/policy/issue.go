package policy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/identity"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Status is where an issue stands.
type Status string

// The states. Fixed is set by updates alone: a later one of the stack does not report the violation any more.
const (
	Open       Status = "open"
	InProgress Status = "in_progress"
	ByDesign   Status = "by_design"
	Fixed      Status = "fixed"
	Ignored    Status = "ignored"
)

// Closed reports whether nothing is left to do.
func (s Status) Closed() bool { return s == ByDesign || s == Fixed || s == Ignored }

// Priority says what to do first; the default follows from the severity.
type Priority string

// The priorities, first to last.
const (
	P0 Priority = "p0"
	P1 Priority = "p1"
	P2 Priority = "p2"
	P3 Priority = "p3"
	P4 Priority = "p4"
)

var priorityOf = map[Severity]Priority{Critical: P0, High: P1, Medium: P2, Low: P3, Unsaid: P4}

// Issue is a violation of a policy by a resource of a stack.
type Issue struct {
	Stack    string    `json:"stack"` // id
	Pack     string    `json:"pack"`  // name
	PackTag  string    `json:"packTag,omitempty"`
	Policy   string    `json:"policy"`
	URN      string    `json:"urn"` // of the resource; empty when the stack as a whole violates the policy
	Level    Level     `json:"level"`
	Severity Severity  `json:"severity,omitempty"`
	Message  string    `json:"message"`
	Group    string    `json:"group,omitempty"` // name of the group that demanded the pack; empty when the client brought it
	Mode     Mode      `json:"mode"`
	Observed time.Time `json:"observed"` // first
	Modified time.Time `json:"modified"` // last seen in an update, or changed by somebody
	Version  int64     `json:"version"`  // of the stack's update that reported it last
	Status   Status    `json:"status"`
	Priority Priority  `json:"priority"`
	Assigned *Assignee `json:"assigned,omitempty"`
}

// Assignee is who takes care of an issue.
type Assignee struct {
	User  string `json:"user"` // id
	Login string `json:"login"`
	Name  string `json:"name"`
	Email string `json:"email,omitempty"`
}

// key is the part of an issue's id behind the stack's: the same violation has the same.
func (i Issue) key() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{i.Pack, i.Policy, i.URN}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// ID names an issue in its organization.
func (i Issue) ID() string { return i.Stack + "-" + i.key() }

// resource is the type and the name in the resource's URN: urn:pulumi:<stack>::<project>::<types>::<name>, of the types the last.
func (i Issue) resource() (kind, name string) {
	parts := strings.SplitN(i.URN, "::", 4)
	if len(parts) < 4 {
		return "", ""
	}
	return parts[2][strings.LastIndexByte(parts[2], '$')+1:], parts[3]
}

// Seen is an issue as it is shown: with the names that its stack has now.
type Seen struct {
	Issue
	Project, StackName                           string
	ResourceType, ResourceName, ResourceProvider string
}

func seen(i Issue, s stack.Stack) Seen {
	out := Seen{Issue: i, Project: s.ProjectName, StackName: s.Name}
	out.ResourceType, out.ResourceName = i.resource()
	out.ResourceProvider, _, _ = strings.Cut(out.ResourceType, ":")
	return out
}

func missingIssue(id string) error { return fault.Missing("policy issue %q not found", id) }

func issueOf(ctx context.Context, p ports.Ports, organization, id string) (store.Doc[Issue], stack.Stack, error) {
	cut := strings.LastIndexByte(id, '-')
	if cut < 0 || len(id) > 100 || strings.ContainsFunc(id, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'f') && r != '-'
	}) {
		return store.Doc[Issue]{}, stack.Stack{}, missingIssue(id)
	}
	store.Prefetch(ctx, p.Store, keys.PolicyIssue(organization, id[:cut], id[cut+1:]), keys.StackHead(id[:cut]))
	d, err := issueKind.Get(ctx, p.Store, keys.PolicyIssue(organization, id[:cut], id[cut+1:]))
	if errors.Is(err, store.ErrNotFound) {
		return d, stack.Stack{}, missingIssue(id)
	}
	if err != nil {
		return d, stack.Stack{}, err
	}
	s, err := stack.Of(ctx, p, id[:cut])
	if errors.Is(err, store.ErrNotFound) || err == nil && (s.Value.Deleted || s.Value.Organization != organization) {
		err = missingIssue(id)
	}
	return d, s.Value, err
}

// FindIssue returns an issue of an organization, and the version of the pack that reported it, nil when that is not here any more or never
// was. An issue that is not there is fault.NotFound.
func FindIssue(ctx context.Context, p ports.Ports, organization, id string) (Seen, *Published, error) {
	d, s, err := issueOf(ctx, p, organization, id)
	if err != nil {
		return Seen{}, nil, err
	}
	about, err := Find(ctx, p, organization, d.Value.Pack, d.Value.PackTag)
	if fault.Is(err, fault.NotFound) {
		return seen(d.Value, s), nil, nil
	}
	return seen(d.Value, s), &about, err
}

// Treatment is what somebody changes about an issue; empty fields change nothing.
type Treatment struct {
	Status   Status
	Priority Priority
	Assign   *string // login; empty: nobody
}

// Treat changes an issue. Nobody can say that one is fixed or that it is by design.
func Treat(ctx context.Context, p ports.Ports, o organization.Organization, id string, t Treatment) error {
	if t.Status != "" && !slices.Contains([]Status{Open, InProgress, Ignored}, t.Status) {
		return fault.Wrong("body.status", "status must be %q, %q or %q: an issue is fixed when an update does not report it any more", Open, InProgress, Ignored)
	}
	if t.Priority != "" && !slices.Contains([]Priority{P0, P1, P2, P3, P4}, t.Priority) {
		return fault.Wrong("body.priority", "priority must be p0, p1, p2, p3 or p4")
	}
	return again(ctx, func(ctx context.Context) error {
		d, _, err := issueOf(ctx, p, o.ID, id)
		if err != nil {
			return err
		}
		if t.Status != "" {
			d.Value.Status = t.Status
			d.Expires = time.Time{}
		}
		if t.Priority != "" {
			d.Value.Priority = t.Priority
		}
		if t.Assign != nil {
			if d.Value.Assigned, err = assignee(ctx, p, o, *t.Assign); err != nil {
				return err
			}
		}
		d.Value.Modified = p.Now()
		return p.Store.Write(ctx, issueKind.Replace(d),
			audit.Record(ctx, p, o.ID, "policy-issue-updated", "changed policy issue %s", id))
	})
}

func assignee(ctx context.Context, p ports.Ports, o organization.Organization, login string) (*Assignee, error) {
	if login == "" {
		return nil, nil
	}
	u, err := identity.FindUser(ctx, p, login)
	member := false
	if err == nil {
		_, member, err = organization.MemberOf(ctx, p, o.ID, u.Value.ID)
	}
	if fault.Is(err, fault.NotFound) || err == nil && !member {
		return nil, fault.Wrong("body.assignedTo", "%q is not a member of organization %s", login, o.Name)
	}
	return &Assignee{User: u.Value.ID, Login: u.Value.Login, Name: u.Value.Name, Email: u.Value.Email}, err
}

// maxIssues bounds how many issues of an organization are looked at for one answer.
const maxIssues = 100_000

// issues returns all issues of an organization that are closed or that are not, by stack.
func issues(ctx context.Context, p ports.Ports, organization string, closed bool) ([]Seen, error) {
	docs, err := issueKind.All(ctx, p.Store, store.Query{PK: keys.PolicyIssues(organization)}, maxIssues)
	if err != nil {
		return nil, err
	}
	docs = slices.DeleteFunc(docs, func(d store.Doc[Issue]) bool { return d.Value.Status.Closed() != closed })
	var ids []string
	for _, d := range docs { // sorted by stack
		if len(ids) == 0 || ids[len(ids)-1] != d.Value.Stack {
			ids = append(ids, d.Value.Stack)
		}
	}
	heads, err := stacksOf(ctx, p, organization, ids)
	if err != nil {
		return nil, err
	}
	byID := map[string]stack.Stack{}
	for _, s := range heads {
		byID[s.ID] = s
	}
	out := make([]Seen, 0, len(docs))
	for _, d := range docs {
		if s, ok := byID[d.Value.Stack]; ok {
			out = append(out, seen(d.Value, s))
		}
	}
	return out, nil
}
