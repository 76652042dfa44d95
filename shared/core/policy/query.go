package policy

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/ports"
)

// Condition narrows a list of issues: a test of one column, or with Of a combination of conditions.
type Condition struct {
	Field  string // where it stands in the request
	Column string
	Test   string // "equals", "notEqual", "contains", "notContains", "startsWith", "endsWith", "blank", "notBlank"
	Value  string
	Any    bool // with Of: one of them is enough
	Of     []Condition
}

// Order sorts by a column.
type Order struct {
	Field, Column string
	Descending    bool
}

// Aggregate sums up a column over a group: "count", "min" or "max".
type Aggregate struct{ Field, Column, Function string }

// Query asks for issues. With GroupBy beyond the given Groups it asks for the values of the next column to group by instead.
type Query struct {
	Closed     bool
	Where      []Condition // all of them, or with Any one of them
	Any        bool
	Order      []Order // empty: the last observed first
	From, To   int     // rows [From, To); To 0: to the end, at most MaxRows
	GroupBy    []string
	Groups     []string
	Aggregates []Aggregate
}

// MaxRows is how many rows one answer holds at most.
const MaxRows = 1000

// Found is the answer to a Query.
type Found struct {
	Issues []Seen
	Groups []map[string]any // one for each value of the column grouped by
	Total  int              // rows there are
}

// Issues answers a query about the issues of an organization.
func Issues(ctx context.Context, p ports.Ports, organization string, q Query) (Found, error) {
	if q.From < 0 || q.To < 0 || q.To > 0 && q.To < q.From {
		return Found{}, fault.Wrong("body.endRow", "rows run from body.startRow, 0 or more, to body.endRow")
	}
	if len(q.Groups) > len(q.GroupBy) {
		return Found{}, fault.Wrong("body.groupKeys", "there are more group keys than columns to group by")
	}
	where, err := q.test()
	if err != nil {
		return Found{}, err
	}
	less, err := ordering(q.Order)
	if err != nil {
		return Found{}, err
	}
	for i, c := range q.GroupBy {
		if columns[c] == nil {
			return Found{}, noColumn(fmt.Sprintf("body.rowGroupCols[%d]", i), c)
		}
	}
	for _, a := range q.Aggregates {
		if columns[a.Column] == nil {
			return Found{}, noColumn(a.Field, a.Column)
		}
		if !slices.Contains([]string{"count", "min", "max"}, a.Function) {
			return Found{}, fault.Wrong(a.Field, "%s: the values of a group can be counted (count), and their least (min) or greatest (max) be told", a.Field)
		}
	}
	all, err := issues(ctx, p, organization, q.Closed)
	if err != nil {
		return Found{}, err
	}
	all = slices.DeleteFunc(all, func(s Seen) bool { return !where(s) })
	for i, value := range q.Groups {
		all = slices.DeleteFunc(all, func(s Seen) bool { return columns[q.GroupBy[i]](s) != value })
	}
	if len(q.Groups) < len(q.GroupBy) {
		groups := grouped(all, q.GroupBy[len(q.Groups)], q.Aggregates)
		return Found{Groups: page(groups, q), Total: len(groups)}, nil
	}
	slices.SortStableFunc(all, less)
	return Found{Issues: page(all, q), Total: len(all)}, nil
}

func page[T any](all []T, q Query) []T {
	to := q.To
	if to == 0 || to > q.From+MaxRows {
		to = q.From + MaxRows
	}
	return all[min(q.From, len(all)):min(to, len(all))]
}

// columns are what an issue can be asked for, as text that sorts in the column's order.
var columns = map[string]func(Seen) string{
	"id":               func(s Seen) string { return s.ID() },
	"entityType":       func(Seen) string { return "stack" },
	"entityProject":    func(s Seen) string { return s.Project },
	"entityId":         func(s Seen) string { return s.StackName },
	"policyPack":       func(s Seen) string { return s.Pack },
	"policyPackTag":    func(s Seen) string { return s.PackTag },
	"policyName":       func(s Seen) string { return s.Policy },
	"policyGroupName":  func(s Seen) string { return s.Group },
	"policyGroupType":  func(s Seen) string { return string(s.Mode) },
	"kind":             func(s Seen) string { return string(s.Mode) },
	"level":            func(s Seen) string { return string(s.Level) },
	"severity":         func(s Seen) string { return string(s.Severity) },
	"priority":         func(s Seen) string { return string(s.Priority) },
	"status":           func(s Seen) string { return string(s.Status) },
	"message":          func(s Seen) string { return s.Message },
	"resourceURN":      func(s Seen) string { return s.URN },
	"resourceType":     func(s Seen) string { return s.ResourceType },
	"resourceName":     func(s Seen) string { return s.ResourceName },
	"resourceProvider": func(s Seen) string { return s.ResourceProvider },
	"observedAt":       func(s Seen) string { return s.Observed.UTC().Format(time.RFC3339Nano) },
	"lastModified":     func(s Seen) string { return s.Modified.UTC().Format(time.RFC3339Nano) },
	"stackVersion":     func(s Seen) string { return strconv.FormatInt(s.Version, 10) },
	"assignedTo": func(s Seen) string {
		if s.Assigned == nil {
			return ""
		}
		return s.Assigned.Login
	},
}

// compare orders two issues by a column: times and numbers by size, severities from low to critical, all else as text.
func compare(column string, a, b Seen) int {
	switch column {
	case "severity":
		return slices.Index(Severities, b.Severity) - slices.Index(Severities, a.Severity)
	case "observedAt":
		return a.Observed.Compare(b.Observed)
	case "lastModified":
		return a.Modified.Compare(b.Modified)
	case "stackVersion":
		return int(a.Version - b.Version)
	}
	return strings.Compare(columns[column](a), columns[column](b))
}

func noColumn(field, called string) error {
	return fault.Wrong(field, "%s: policy issues have no column %q", field, called)
}

// tests are the ways to compare a column with a value, without regard to case as a person who filters expects.
var tests = map[string]func(have, value string) bool{
	"equals":      strings.EqualFold,
	"notEqual":    func(h, v string) bool { return !strings.EqualFold(h, v) },
	"contains":    func(h, v string) bool { return strings.Contains(strings.ToLower(h), strings.ToLower(v)) },
	"notContains": func(h, v string) bool { return !strings.Contains(strings.ToLower(h), strings.ToLower(v)) },
	"startsWith":  func(h, v string) bool { return strings.HasPrefix(strings.ToLower(h), strings.ToLower(v)) },
	"endsWith":    func(h, v string) bool { return strings.HasSuffix(strings.ToLower(h), strings.ToLower(v)) },
	"blank":       func(h, _ string) bool { return h == "" },
	"notBlank":    func(h, _ string) bool { return h != "" },
}

func (q Query) test() (func(Seen) bool, error) {
	return Condition{Field: "body.filterModel", Any: q.Any, Of: q.Where}.compile(0)
}

// maxNesting is how deep conditions may lie within each other.
const maxNesting = 10

func (c Condition) compile(depth int) (func(Seen) bool, error) {
	if depth > maxNesting {
		return nil, fault.Wrong(c.Field, "%s: conditions lie more than %d deep within each other", c.Field, maxNesting)
	}
	if c.Column == "" {
		parts := make([]func(Seen) bool, len(c.Of))
		for i, o := range c.Of {
			var err error
			if parts[i], err = o.compile(depth + 1); err != nil {
				return nil, err
			}
		}
		return func(s Seen) bool {
			if c.Any && len(parts) > 0 {
				return slices.ContainsFunc(parts, func(f func(Seen) bool) bool { return f(s) })
			}
			return !slices.ContainsFunc(parts, func(f func(Seen) bool) bool { return !f(s) })
		}, nil
	}
	have, test := columns[c.Column], tests[c.Test]
	if have == nil {
		return nil, noColumn(c.Field, c.Column)
	}
	if test == nil {
		return nil, fault.Wrong(c.Field, "%s: %q is no test of a text", c.Field, c.Test)
	}
	return func(s Seen) bool { return test(have(s), c.Value) }, nil
}

func ordering(by []Order) (func(a, b Seen) int, error) {
	for _, o := range by {
		if columns[o.Column] == nil {
			return nil, noColumn(o.Field, o.Column)
		}
	}
	return func(a, b Seen) int {
		for _, o := range by {
			n := compare(o.Column, a, b)
			if o.Descending {
				n = -n
			}
			if n != 0 {
				return n
			}
		}
		return b.Observed.Compare(a.Observed)
	}, nil
}

// grouped is one row for each value of a column, in order, with the number of its issues and what is asked of other columns.
func grouped(all []Seen, column string, aggregates []Aggregate) []map[string]any {
	byValue := map[string][]Seen{}
	var values []string
	for _, s := range all {
		v := columns[column](s)
		if byValue[v] == nil {
			values = append(values, v)
		}
		byValue[v] = append(byValue[v], s)
	}
	slices.Sort(values)
	out := make([]map[string]any, len(values))
	for i, v := range values {
		row := map[string]any{column: v, "count": len(byValue[v])}
		for _, a := range aggregates {
			by := func(x, y Seen) int { return compare(a.Column, x, y) }
			switch a.Function {
			case "count":
				row[a.Column] = len(byValue[v])
			case "min":
				row[a.Column] = columns[a.Column](slices.MinFunc(byValue[v], by))
			case "max":
				row[a.Column] = columns[a.Column](slices.MaxFunc(byValue[v], by))
			}
		}
		out[i] = row
	}
	return out
}
