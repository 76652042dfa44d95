package pulumi

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/permission"
)

// AuditLogQuery is what all four audit log rows take. Older clients say eventType and user where newer ones say eventFilter and
// userFilter.
type AuditLogQuery struct {
	Organization      string         `path:"orgName"`
	ContinuationToken string         `query:"continuationToken" doc:"of the page before; good for a listing and an export with the same filters"`
	StartTime         api.Opt[int64] `query:"startTime" doc:"Unix seconds"`
	EndTime           api.Opt[int64] `query:"endTime" doc:"Unix seconds"`
	EventFilter       string         `query:"eventFilter" doc:"one kind of event, as a slug or as it is shown: stack-created or Stack Created"`
	EventType         string         `query:"eventType" doc:"older name of eventFilter"`
	UserFilter        string         `query:"userFilter" doc:"login of who did it"`
	User              string         `query:"user" doc:"older name of userFilter"`
}

type auditLogsIn struct {
	AuditLogQuery
	Format string `query:"format" doc:"json, the only one here: text formats are exported"`
}

type auditLogEvent struct {
	Timestamp     int64    `json:"timestamp"` // Unix seconds
	SourceIP      string   `json:"sourceIP"`
	Event         string   `json:"event" doc:"as shown to people: Stack Created"`
	Description   string   `json:"description"`
	User          userInfo `json:"user"`
	TokenID       string   `json:"tokenID,omitempty"`
	TokenName     string   `json:"tokenName,omitempty"`
	ReqOrgAdmin   bool     `json:"reqOrgAdmin"`
	ReqStackAdmin bool     `json:"reqStackAdmin"`
	AuthFailure   bool     `json:"authFailure" doc:"the caller was refused, and nothing was done"`
	ActorName     string   `json:"actorName,omitempty" doc:"of who is not a person: a token of an organization or a team, or the service itself"`
	ActorURN      string   `json:"actorUrn,omitempty"`
}

type auditLogsOut struct {
	Body struct {
		AuditLogEvents    []auditLogEvent `json:"auditLogEvents"`
		ContinuationToken string          `json:"continuationToken,omitempty"`
	}
}

// auditPage is how many events a page of a listing has.
const auditPage = 100

// listAuditLogsV1 lists what happened at or before startTime, newest first.
func (d dialect) listAuditLogsV1(ctx context.Context, in *auditLogsIn) (*auditLogsOut, error) {
	return d.listAuditLogs(ctx, in, boundsV1)
}

// listAuditLogsV2 lists what happened from startTime to endTime, newest first.
func (d dialect) listAuditLogsV2(ctx context.Context, in *auditLogsIn) (*auditLogsOut, error) {
	return d.listAuditLogs(ctx, in, boundsV2)
}

func (d dialect) listAuditLogs(ctx context.Context, in *auditLogsIn, bounds func(AuditLogQuery) (auditLogBounds, error)) (*auditLogsOut, error) {
	if in.Format != "" && in.Format != "json" {
		return nil, fault.Wrong("query.format", "format must be json or absent here; csv and cef are at the path of the export")
	}
	a := access.Of(ctx)
	f, err := d.auditFilter(a, in.AuditLogQuery, bounds)
	if err != nil {
		return nil, err
	}
	entries, next, err := audit.List(ctx, d.Ports, a.Organization.ID, f, auditPage)
	if err != nil {
		return nil, err
	}
	out := &auditLogsOut{}
	out.Body.AuditLogEvents = make([]auditLogEvent, len(entries))
	for i, e := range entries {
		out.Body.AuditLogEvents[i] = auditLogEventOf(e)
	}
	if next != "" {
		out.Body.ContinuationToken = d.Cursors.Make(auditBinding(a, f), auditPosition{Before: next, From: f.From})
	}
	return out, nil
}

// auditPosition is where a listing goes on, and the lower bound that it began with: clients of the first version send the token alone.
type auditPosition struct {
	Before string `json:"before"`
	From   string `json:"from,omitempty"`
}

// auditBinding ties a continuation token to the organization, the filters and the caller.
func auditBinding(a access.Access, f audit.Filter) string {
	return fmt.Sprintf("audit/%s/%s/%q/%q", a.Organization.ID, a.Principal.Scope(), f.Slug, strings.ToLower(f.Login))
}

// auditFilter reads the query. Bounds that come with a continuation token narrow what it goes on with.
func (d dialect) auditFilter(a access.Access, q AuditLogQuery, bounds func(AuditLogQuery) (auditLogBounds, error)) (f audit.Filter, err error) {
	event, err := either("eventFilter", q.EventFilter, "eventType", q.EventType)
	if err != nil {
		return f, err
	}
	if f.Login, err = either("userFilter", q.UserFilter, "user", q.User); err != nil {
		return f, err
	}
	f.Slug = auditSlug(event)
	b, err := bounds(q)
	if err != nil {
		return f, err
	}
	if !b.from.IsZero() {
		f.From = audit.At(b.from)
	}
	if !b.before.IsZero() {
		f.To = audit.At(b.before)
	}
	if q.ContinuationToken == "" {
		return f, nil
	}
	var at auditPosition
	if err := d.Cursors.Open(auditBinding(a, f), q.ContinuationToken, "query.continuationToken", &at); err != nil {
		return f, err
	}
	f.From = max(f.From, at.From)
	if f.To == "" || at.Before < f.To {
		f.To = at.Before
	}
	return f, nil
}

// either is the value of a parameter that has two names.
func either(name, value, older, otherwise string) (string, error) {
	if value != "" && otherwise != "" && value != otherwise {
		return "", fault.Wrong("query."+older, "%s and %s are two names of one thing and say different things; give one of them", name, older)
	}
	return max(value, otherwise), nil
}

// auditLogBounds are the bounds of a listing: from is the first moment, before the first that is no more in it. Zero is unbounded.
type auditLogBounds struct{ from, before time.Time }

// latestSecond is the end of the year 9999.
const latestSecond = 253402300799

// second reads a bound; ok is false when it is absent.
func second(name string, v api.Opt[int64]) (t time.Time, ok bool, err error) {
	n, ok := v.Get()
	if ok && (n < 0 || n > latestSecond) {
		return t, false, fault.Wrong("query."+name, "%s must be a time in Unix seconds, from 0 to %d", name, latestSecond)
	}
	return time.Unix(n, 0).UTC(), ok, nil
}

// boundsV1 takes startTime for the newest moment, as that version documents it, and endTime for the oldest.
func boundsV1(q AuditLogQuery) (b auditLogBounds, err error) {
	start, started, err := second("startTime", q.StartTime)
	if err != nil {
		return b, err
	}
	end, ended, err := second("endTime", q.EndTime)
	switch {
	case err != nil:
		return b, err
	case !started && q.ContinuationToken == "":
		return b, fault.Wrong("query.startTime", "startTime or continuationToken is required: events at or before startTime are listed")
	case started && ended && end.After(start):
		return b, fault.Wrong("query.endTime", "endTime is after startTime: this version lists from startTime back to endTime")
	}
	if started {
		b.before = start.Add(time.Second)
	}
	if ended {
		b.from = end
	}
	return b, nil
}

// boundsV2 takes startTime for the oldest moment and endTime for the newest.
func boundsV2(q AuditLogQuery) (b auditLogBounds, err error) {
	start, started, err := second("startTime", q.StartTime)
	if err != nil {
		return b, err
	}
	end, ended, err := second("endTime", q.EndTime)
	switch {
	case err != nil:
		return b, err
	case started && ended && end.Before(start):
		return b, fault.Wrong("query.endTime", "endTime is before startTime: this version lists from startTime to endTime")
	}
	if started {
		b.from = start
	}
	if ended {
		b.before = end.Add(time.Second)
	}
	return b, nil
}

// auditEvent is how a slug is shown: "stack-created" as "Stack Created".
func auditEvent(slug string) string {
	words := strings.Split(slug, "-")
	for i, w := range words {
		if w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, " ")
}

// auditSlug is the slug of an event as a client may write it: as a slug or as auditEvent shows it.
func auditSlug(event string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimSpace(event), " ", "-"))
}

func auditLogEventOf(e audit.Entry) auditLogEvent {
	out := auditLogEvent{
		Timestamp: e.At.Unix(), SourceIP: e.SourceIP, Event: auditEvent(e.Slug), Description: e.Description,
		User:    userInfo{Name: e.Actor.Name, GithubLogin: e.Actor.Login},
		TokenID: e.Actor.TokenID, TokenName: e.Actor.TokenName,
		ReqOrgAdmin: e.OrganizationAdmin, ReqStackAdmin: e.StackAdmin, AuthFailure: e.Refused,
	}
	switch permission.PrincipalKind(e.Actor.Kind) {
	case permission.KindUser, permission.KindLease: // a person, or an update that a person started
	case "stranger": // nobody knows
	default:
		out.ActorName = e.Actor.Name
		if out.ActorName == "" {
			out.ActorName = e.Actor.Kind
		}
		out.ActorURN = strings.TrimSuffix("urn:pulumi:"+e.Actor.Kind+":"+e.Actor.ID, ":")
	}
	return out
}
