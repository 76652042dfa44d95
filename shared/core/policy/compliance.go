package policy

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/update"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Result is what the packs found when they were last run on a stack.
type Result struct {
	Version int64                 `json:"version"` // of the last update that was looked at
	Packs   map[string]PackResult `json:"packs,omitempty"`
}

// PackResult is what one pack found.
type PackResult struct {
	Tag        string             `json:"tag"`
	Group      string             `json:"group,omitempty"` // name of the group that demanded it
	At         time.Time          `json:"at"`
	Severities map[Severity]Tally `json:"severities"`
}

// Tally counts how often policies were asked about a resource or a stack.
type Tally struct {
	Passed int `json:"passed"`
	Failed int `json:"failed"`
}

// Scores beside 0 to 100.
const NotApplicable = -1

// Score is how much of what was asked was found right, in percent, rounded down; NotApplicable when nothing was asked.
func (t Tally) Score() int {
	if t.Passed+t.Failed == 0 {
		return NotApplicable
	}
	return 100 * t.Passed / (t.Passed + t.Failed)
}

func (t Tally) plus(o Tally) Tally { return Tally{t.Passed + o.Passed, t.Failed + o.Failed} }

func (r PackResult) total() (t Tally) {
	for _, s := range r.Severities {
		t = t.plus(s)
	}
	return t
}

// result is the result of a stack after an update: packs that ran replace what they had found, those that belong to the stack and did not run
// stay as they are, and the others go. A destroyed stack has none.
func result(ctx context.Context, p ports.Ports, f update.Finished, r report, required []Required, was Result) (Result, error) {
	next := Result{Version: f.Version, Packs: map[string]PackResult{}}
	if f.Kind == update.Destroy && f.Outcome == update.Succeeded {
		return next, nil
	}
	for _, q := range required {
		if old, ok := was.Packs[q.Name]; ok {
			old.Group = q.Group
			next.Packs[q.Name] = old
		}
	}
	fresh := map[string]PackResult{}
	severities := map[string]map[string]Severity{}
	for _, s := range r.summaries {
		pr, ok := fresh[s.Pack]
		if !ok {
			pr = PackResult{Tag: s.Tag, At: p.Now(), Severities: map[Severity]Tally{}}
			for _, q := range required {
				if q.Name == s.Pack {
					pr.Group = q.Group
				}
			}
			var err error
			if severities[s.Pack], err = severitiesOf(ctx, p, f.Organization, s.Pack, s.Tag); err != nil {
				return next, err
			}
		}
		for _, policy := range s.Passed {
			sev := severities[s.Pack][policy]
			pr.Severities[sev] = pr.Severities[sev].plus(Tally{Passed: 1})
		}
		for _, policy := range s.Failed {
			sev := severities[s.Pack][policy]
			pr.Severities[sev] = pr.Severities[sev].plus(Tally{Failed: 1})
		}
		fresh[s.Pack] = pr
	}
	for name, pr := range fresh {
		next.Packs[name] = pr
	}
	return next, nil
}

// By is what compliance is told by.
type By string

// The ways.
const (
	ByStack    By = "stack"    // a row for each stack, a column for each pack in a group
	BySeverity By = "severity" // a row for each pack in a group, a column for each severity
	ByAccount  By = "account"  // of cloud accounts, which are not kept here: the columns of ByStack and no row
)

// Compliance is a table of scores.
type Compliance struct {
	Columns []string
	Rows    []Score
}

// Score is a row of it.
type Score struct {
	Entity string // "project/stack", or "group/pack"
	Scores []int
}

// demanded is a pack in a group.
type demanded struct{ group, pack string }

func (d demanded) String() string { return d.group + "/" + d.pack }

// ComplianceOf tells how well the stacks of an organization keep to the packs of its groups, a page of at most limit rows at a time, with
// the token of the next page or "".
func ComplianceOf(ctx context.Context, p ports.Ports, organization string, by By, limit int, token string) (Compliance, string, error) {
	groups, err := allGroups(ctx, p, organization)
	if err != nil {
		return Compliance{}, "", err
	}
	var columns []demanded
	for _, g := range groups {
		for _, a := range g.Packs {
			columns = append(columns, demanded{g.Name, a.Name})
		}
	}
	slices.SortStableFunc(columns, func(a, b demanded) int { return strings.Compare(a.String(), b.String()) })
	switch by {
	case BySeverity:
		return bySeverity(ctx, p, organization, columns, limit, token)
	case ByAccount:
		out, err := byStack(ctx, p, organization, columns, nil)
		return out, "", err
	}
	binding := "policy-compliance\x00" + organization
	q := store.Query{PK: keys.PolicyResults(organization), Limit: limit}
	if token != "" {
		if err := p.Cursors.Open(binding, token, "body.continuationToken", &q.After); err != nil {
			return Compliance{}, "", err
		}
	}
	docs, page, err := resultKind.Page(ctx, p.Store, q)
	if err != nil {
		return Compliance{}, "", err
	}
	out, err := byStack(ctx, p, organization, columns, docs)
	next := ""
	if page.More {
		next = p.Cursors.Make(binding, page.Next)
	}
	return out, next, err
}

func byStack(ctx context.Context, p ports.Ports, organization string, columns []demanded, docs []store.Doc[Result]) (Compliance, error) {
	var out Compliance
	for _, c := range columns {
		out.Columns = append(out.Columns, c.String())
	}
	ids := make([]string, len(docs))
	results := map[string]Result{}
	for i, d := range docs {
		ids[i] = d.SK
		results[d.SK] = d.Value
	}
	heads, err := stacksOf(ctx, p, organization, ids)
	if err != nil {
		return out, err
	}
	for _, s := range heads {
		row := Score{Entity: s.ProjectName + "/" + s.Name}
		for _, c := range columns {
			score := NotApplicable
			if pr, ok := results[s.ID].Packs[c.pack]; ok && pr.Group == c.group {
				score = pr.total().Score()
			}
			row.Scores = append(row.Scores, score)
		}
		out.Rows = append(out.Rows, row)
	}
	return out, nil
}

// maxResults bounds the stacks whose results are summed up for one answer.
const maxResults = 50_000

func bySeverity(ctx context.Context, p ports.Ports, organization string, rows []demanded, limit int, token string) (Compliance, string, error) {
	binding := "policy-severities\x00" + organization
	from := 0
	if token != "" {
		if err := p.Cursors.Open(binding, token, "body.continuationToken", &from); err != nil {
			return Compliance{}, "", err
		}
	}
	docs, err := resultKind.All(ctx, p.Store, store.Query{PK: keys.PolicyResults(organization)}, maxResults)
	if err != nil {
		return Compliance{}, "", err
	}
	sums := map[demanded]map[Severity]Tally{}
	for _, d := range docs {
		for name, pr := range d.Value.Packs {
			at := demanded{pr.Group, name}
			if sums[at] == nil {
				sums[at] = map[Severity]Tally{}
			}
			for sev, t := range pr.Severities {
				sums[at][sev] = sums[at][sev].plus(t)
			}
		}
	}
	var out Compliance
	for _, s := range Severities {
		if s == Unsaid {
			s = "unspecified"
		}
		out.Columns = append(out.Columns, string(s))
	}
	from = min(max(from, 0), len(rows))
	to := min(from+limit, len(rows))
	for _, d := range rows[from:to] {
		row := Score{Entity: d.String()}
		for _, s := range Severities {
			row.Scores = append(row.Scores, sums[d][s].Score())
		}
		out.Rows = append(out.Rows, row)
	}
	next := ""
	if to < len(rows) {
		next = p.Cursors.Make(binding, to)
	}
	return out, next, nil
}
