package pulumi

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/policy"
)

type complianceIn struct {
	OrganizationPath
	Body struct {
		Entity            string `json:"entity" enum:"stack,account,severity"`
		Size              int    `json:"size,omitempty" minimum:"1" maximum:"1000" doc:"rows of an answer; absent: 1000"`
		ContinuationToken string `json:"continuationToken,omitempty" nullable:"true"`
	}
}

type complianceRow struct {
	EntityName string `json:"entityName"` // "project/stack"; by severity "group/pack"
	Scores     []int  `json:"scores"`     // for each column percent, or -1 where nothing was evaluated
}

type complianceOut struct {
	Body struct {
		Columns           []string        `json:"columns"` // "group/pack"; by severity the severities
		Rows              []complianceRow `json:"rows"`
		ContinuationToken string          `json:"continuationToken,omitempty"`
	}
}

// getPolicyCompliance knows of no Insights accounts: asked for them it answers the columns and no row.
func (d dialect) getPolicyCompliance(ctx context.Context, in *complianceIn) (*complianceOut, error) {
	size := in.Body.Size
	if size == 0 {
		size = 1000
	}
	c, next, err := policy.ComplianceOf(ctx, d.Ports, access.Of(ctx).Organization.ID, policy.By(in.Body.Entity), size, in.Body.ContinuationToken)
	if err != nil {
		return nil, err
	}
	out := &complianceOut{}
	out.Body.Columns, out.Body.Rows, out.Body.ContinuationToken = c.Columns, []complianceRow{}, next
	if out.Body.Columns == nil {
		out.Body.Columns = []string{}
	}
	for _, r := range c.Rows {
		row := complianceRow{EntityName: r.Entity, Scores: r.Scores}
		if row.Scores == nil {
			row.Scores = []int{}
		}
		out.Body.Rows = append(out.Body.Rows, row)
	}
	return out, nil
}

type gridColumn struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName,omitempty"`
	Field       string `json:"field,omitempty"`
	AggFunc     string `json:"aggFunc,omitempty" doc:"count, min or max"`
}

// column is the name of the column that is meant.
func (c gridColumn) column() string {
	if c.Field != "" {
		return c.Field
	}
	return c.ID
}

type gridFilter struct {
	ColID      string       `json:"colId,omitempty"`
	FilterType string       `json:"filterType,omitempty" doc:"text, or join for a combination"`
	Type       string       `json:"type,omitempty" doc:"equals, notEqual, contains, notContains, startsWith, endsWith, blank or notBlank; of a combination AND or OR"`
	Filter     string       `json:"filter,omitempty"`
	Conditions []gridFilter `json:"conditions,omitempty"`
}

func (f gridFilter) condition(field string) (policy.Condition, error) {
	c := policy.Condition{Field: field, Column: f.ColID, Test: f.Type, Value: f.Filter}
	if len(f.Conditions) == 0 && f.FilterType != "join" {
		if f.ColID == "" {
			return c, fault.Wrong(field+".colId", "%s.colId must name a column", field)
		}
		return c, nil
	}
	var err error
	c.Column = ""
	c.Any, c.Of, err = combination(field, f.Type, f.Conditions)
	return c, err
}

func combination(field, kind string, of []gridFilter) (either bool, out []policy.Condition, err error) {
	if kind != "" && !strings.EqualFold(kind, "and") && !strings.EqualFold(kind, "or") {
		return false, nil, fault.Wrong(field+".type", "%s.type must be AND or OR", field)
	}
	for i, f := range of {
		c, err := f.condition(fmt.Sprintf("%s.conditions[%d]", field, i))
		if err != nil {
			return false, nil, err
		}
		out = append(out, c)
	}
	return strings.EqualFold(kind, "or"), out, nil
}

type gridFilterModel struct {
	Type       string       `json:"type,omitempty" doc:"AND or OR"`
	Conditions []gridFilter `json:"conditions,omitempty"`
}

type gridSort struct {
	ColID string `json:"colId"`
	Sort  string `json:"sort" enum:"asc,desc"`
}

type gridRows struct {
	StartRow     int              `json:"startRow,omitempty" minimum:"0"`
	EndRow       int              `json:"endRow,omitempty" minimum:"0" doc:"exclusive; absent: as many as one answer holds"`
	FilterModel  *gridFilterModel `json:"filterModel,omitempty"`
	SortModel    []gridSort       `json:"sortModel,omitempty"`
	RowGroupCols []gridColumn     `json:"rowGroupCols,omitempty"`
	GroupKeys    []string         `json:"groupKeys,omitempty"`
	ValueCols    []gridColumn     `json:"valueCols,omitempty"`
}

func (g gridRows) query(closed bool) (policy.Query, error) {
	q := policy.Query{Closed: closed, From: g.StartRow, To: g.EndRow, Groups: g.GroupKeys}
	if m := g.FilterModel; m != nil {
		var err error
		if q.Any, q.Where, err = combination("body.filterModel", m.Type, m.Conditions); err != nil {
			return q, err
		}
	}
	for i, s := range g.SortModel {
		q.Order = append(q.Order, policy.Order{Field: fmt.Sprintf("body.sortModel[%d].colId", i), Column: s.ColID, Descending: s.Sort == "desc"})
	}
	for _, c := range g.RowGroupCols {
		q.GroupBy = append(q.GroupBy, c.column())
	}
	for i, c := range g.ValueCols {
		q.Aggregates = append(q.Aggregates, policy.Aggregate{Field: fmt.Sprintf("body.valueCols[%d]", i), Column: c.column(), Function: c.AggFunc})
	}
	return q, nil
}

type listPolicyIssuesIn struct {
	OrganizationPath
	Closed bool `query:"closed" doc:"those that are fixed, ignored or by design, instead of the others"`
	Body   gridRows
}

type policyIssue struct {
	ID               string          `json:"id"`
	EntityType       string          `json:"entityType" enum:"stack,insights-account"`
	EntityProject    string          `json:"entityProject"`
	EntityID         string          `json:"entityId"` // the stack's name
	StackVersion     int64           `json:"stackVersion,omitempty"`
	ResourceVersion  int64           `json:"resourceVersion,omitempty"` // of Insights resources, which there are none of here
	PolicyPack       string          `json:"policyPack"`
	PolicyPackTag    string          `json:"policyPackTag"`
	PolicyName       string          `json:"policyName"`
	PolicyGroupName  string          `json:"policyGroupName,omitempty"`
	PolicyGroupType  policy.Mode     `json:"policyGroupType,omitempty"`
	Kind             policy.Mode     `json:"kind" enum:"audit,preventative"`
	Level            policy.Level    `json:"level"`
	Severity         policy.Severity `json:"severity"`
	Priority         policy.Priority `json:"priority" enum:"p0,p1,p2,p3,p4"`
	Status           policy.Status   `json:"status" enum:"open,in_progress,by_design,fixed,ignored"`
	Message          string          `json:"message,omitempty"`
	ResourceURN      string          `json:"resourceURN"`
	ResourceType     string          `json:"resourceType"`
	ResourceName     string          `json:"resourceName"`
	ResourceProvider string          `json:"resourceProvider"`
	AssignedTo       *userInfo       `json:"assignedTo,omitempty"`
	ObservedAt       time.Time       `json:"observedAt"`
	LastModified     time.Time       `json:"lastModified"`
}

func issueBody(s policy.Seen) policyIssue {
	out := policyIssue{
		ID: s.ID(), EntityType: "stack", EntityProject: s.Project, EntityID: s.StackName, StackVersion: s.Version,
		PolicyPack: s.Pack, PolicyPackTag: s.PackTag, PolicyName: s.Policy, PolicyGroupName: s.Group, Kind: s.Mode, Level: s.Level,
		Severity: s.Severity, Priority: s.Priority, Status: s.Status, Message: s.Message, ResourceURN: s.URN,
		ResourceType: s.ResourceType, ResourceName: s.ResourceName, ResourceProvider: s.ResourceProvider,
		ObservedAt: s.Observed, LastModified: s.Modified,
	}
	if s.Group != "" {
		out.PolicyGroupType = s.Mode
	}
	if a := s.Assigned; a != nil {
		out.AssignedTo = &userInfo{Name: a.Name, GithubLogin: a.Login, Email: a.Email}
	}
	return out
}

type listPolicyIssuesOut struct {
	Body struct {
		PolicyIssues []policyIssue    `json:"policyIssues"`
		GroupData    []map[string]any `json:"groupData"` // one row for each value of the column grouped by, with the number of its issues as count
		RowCount     int              `json:"rowCount"`  // in all, not in this answer
	}
}

func (d dialect) listPolicyIssues(ctx context.Context, in *listPolicyIssuesIn) (*listPolicyIssuesOut, error) {
	q, err := in.Body.query(in.Closed)
	if err != nil {
		return nil, err
	}
	found, err := policy.Issues(ctx, d.Ports, access.Of(ctx).Organization.ID, q)
	if err != nil {
		return nil, err
	}
	out := &listPolicyIssuesOut{}
	out.Body.RowCount, out.Body.GroupData = found.Total, found.Groups
	if out.Body.GroupData == nil {
		out.Body.GroupData = []map[string]any{}
	}
	out.Body.PolicyIssues = make([]policyIssue, len(found.Issues))
	for i, s := range found.Issues {
		out.Body.PolicyIssues[i] = issueBody(s)
	}
	return out, nil
}

type PolicyIssuePath struct {
	OrganizationPath
	Issue string `path:"issueId"`
}

type registryPolicyPack struct {
	ID                string         `json:"id"`
	Name              string         `json:"name"`
	DisplayName       string         `json:"displayName"`
	Publisher         string         `json:"publisher"`
	Source            string         `json:"source"`
	Version           string         `json:"version"`
	AccessLevel       string         `json:"accessLevel" enum:"full,view-only,deny"`
	EnforcementLevels []policy.Level `json:"enforcementLevels"`
}

type policyIssueOut struct {
	Body struct {
		PolicyIssue policyIssue         `json:"policyIssue"`
		Policy      *policyBody         `json:"policy,omitempty"`     // absent when the pack's version is not here
		PolicyPack  *registryPolicyPack `json:"policyPack,omitempty"` // likewise
	}
}

type getPolicyIssueIn struct{ PolicyIssuePath }

func (d dialect) getPolicyIssue(ctx context.Context, in *getPolicyIssueIn) (*policyIssueOut, error) {
	return d.issue(ctx, in.Issue)
}

func (d dialect) issue(ctx context.Context, id string) (*policyIssueOut, error) {
	o := access.Of(ctx).Organization
	s, about, err := policy.FindIssue(ctx, d.Ports, o.ID, id)
	if err != nil {
		return nil, err
	}
	out := &policyIssueOut{}
	out.Body.PolicyIssue = issueBody(s)
	if about == nil {
		return out, nil
	}
	pack := &registryPolicyPack{
		ID: about.Pack.ID, Name: about.Pack.Name, DisplayName: about.DisplayName, Publisher: o.Name, Source: "private",
		Version: about.Tag, AccessLevel: "full", EnforcementLevels: []policy.Level{},
	}
	for _, p := range about.Policies {
		if !slices.Contains(pack.EnforcementLevels, p.Level) {
			pack.EnforcementLevels = append(pack.EnforcementLevels, p.Level)
		}
		if p.Name == s.Policy {
			b := policyOf(p)
			out.Body.Policy = &b
		}
	}
	out.Body.PolicyPack = pack
	return out, nil
}

type updatePolicyIssueIn struct {
	PolicyIssuePath
	Body struct {
		Status     policy.Status   `json:"status,omitempty" enum:"open,in_progress,by_design,fixed,ignored" doc:"only open, in_progress and ignored can be set"`
		Priority   policy.Priority `json:"priority,omitempty" enum:"p0,p1,p2,p3,p4"`
		AssignedTo *string         `json:"assignedTo,omitempty" doc:"a member's login; empty: nobody"`
	}
}

func (d dialect) updatePolicyIssue(ctx context.Context, in *updatePolicyIssueIn) (*policyIssueOut, error) {
	t := policy.Treatment{Status: in.Body.Status, Priority: in.Body.Priority, Assign: in.Body.AssignedTo}
	if err := policy.Treat(ctx, d.Ports, access.Of(ctx).Organization, in.Issue, t); err != nil {
		return nil, err
	}
	return d.issue(ctx, in.Issue)
}
