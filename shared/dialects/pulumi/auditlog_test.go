package pulumi_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/store"
)

type auditLogs struct {
	AuditLogEvents []struct {
		Timestamp                               int64
		SourceIP, Event, Description            string
		TokenID, TokenName                      string
		ActorName, ActorURN                     string `json:",omitempty"`
		ReqOrgAdmin, ReqStackAdmin, AuthFailure bool
		User                                    struct{ Name, GithubLogin string }
	}
	ContinuationToken string
}

func (l auditLogs) events() []string {
	out := []string{}
	for _, e := range l.AuditLogEvents {
		out = append(out, e.Event+" "+e.Description)
	}
	return out
}

// logs lists below /api/orgs/{org}/auditlogs; query is written as in a URL.
func (c *client) logs(below, query string) (out auditLogs) {
	c.T.Helper()
	c.call(http.MethodGet, "/orgs/"+c.Org+"/auditlogs"+below+"?"+query, nil).Into(c.T, http.StatusOK, &out)
	return out
}

// allLogs follows continuation tokens to the end.
func (c *client) allLogs(below, query string) (events []string, pages int) {
	c.T.Helper()
	for token := ""; ; {
		l := c.logs(below, query+"&continuationToken="+url.QueryEscape(token))
		events = append(events, l.events()...)
		pages++
		if token = l.ContinuationToken; token == "" {
			return events, pages
		}
	}
}

func (c *client) exportLogs(below, query string) string {
	c.T.Helper()
	a := c.call(http.MethodGet, "/orgs/"+c.Org+"/auditlogs"+below+"?"+query, nil)
	require.Equal(c.T, http.StatusOK, a.Status, "%s", a.Body)
	require.Equal(c.T, "gzip", a.Header.Get("Content-Encoding"), "whatever the client accepts")
	require.Equal(c.T, "text/plain; charset=utf-8", a.Header.Get("Content-Type"))
	z, err := gzip.NewReader(bytes.NewReader(a.Body))
	require.NoError(c.T, err)
	text, err := io.ReadAll(z)
	require.NoError(c.T, err)
	return string(text)
}

// organizationID is the id of the client's organization.
func (c *client) organizationID() string {
	c.T.Helper()
	o, err := organization.Find(context.Background(), c.Ports, c.Org)
	require.NoError(c.T, err)
	return o.ID
}

// happen leaves n entries that background work did, one a second.
func (c *client) happen(n int, slug string) {
	c.T.Helper()
	org := c.organizationID()
	var changes []store.Change
	for i := range n {
		c.Clock.Add(time.Second)
		changes = append(changes, audit.Record(context.Background(), c.Ports, org, slug, "number %d", i))
		if len(changes) == store.MaxChanges || i == n-1 {
			require.NoError(c.T, c.Ports.Store.Write(context.Background(), changes...))
			changes = nil
		}
	}
}

func unix(t time.Time) string { return fmt.Sprint(t.Unix()) }

func TestTheAuditLogTellsWhatWasDoneNewestFirst(t *testing.T) {
	c := newClient(t)
	stack := c.stack("proj", "dev")
	c.Clock.Add(time.Minute)
	c.call(http.MethodGet, stack+"/export", nil).Into(t, http.StatusOK, nil)
	c.Clock.Add(time.Minute)
	c.call(http.MethodDelete, stack, nil).Into(t, http.StatusNoContent, nil)

	for _, l := range []auditLogs{c.logs("", "startTime="+unix(c.Clock.Now())), c.logs("/v2", "")} {
		require.Len(t, l.AuditLogEvents, 3)
		require.Empty(t, l.ContinuationToken)
		require.Equal(t, []string{"Stack Deleted", "Stack Exported", "Stack Created"},
			[]string{l.AuditLogEvents[0].Event, l.AuditLogEvents[1].Event, l.AuditLogEvents[2].Event})
		e := l.AuditLogEvents[0]
		require.Equal(t, c.Clock.Now().Unix(), e.Timestamp)
		require.Equal(t, "192.0.2.1", e.SourceIP)
		require.Contains(t, e.Description, "acme/proj/dev")
		require.Equal(t, "admin", e.User.GithubLogin)
		require.Equal(t, "Administrator", e.User.Name)
		require.NotEmpty(t, e.TokenID)
		require.Equal(t, "first start", e.TokenName)
		require.True(t, e.ReqStackAdmin, "deleting needs an administrator of the stack")
		require.False(t, e.ReqOrgAdmin)
		require.False(t, l.AuditLogEvents[1].ReqStackAdmin)
		require.Empty(t, e.ActorName)
	}
}

func TestWhatNoPersonDidNamesItsActor(t *testing.T) {
	c := newClient(t)
	c.happen(1, "stack-update-canceled")
	e := c.logs("/v2", "").AuditLogEvents[0]
	require.Equal(t, "system", e.ActorName)
	require.Equal(t, "urn:pulumi:system", e.ActorURN)
	require.Empty(t, e.User.GithubLogin)
}

func TestTheTwoVersionsReadTheirTimesInOppositeDirections(t *testing.T) {
	c := newClient(t)
	begin := c.Clock.Now()
	c.happen(10, "stack-created") // number i is i+1 seconds after the beginning
	at := func(seconds int) string { return unix(begin.Add(time.Duration(seconds) * time.Second)) }
	for query, want := range map[string][2]int{ // newest and oldest number
		"startTime=" + at(5):                        {4, 0},
		"startTime=" + at(5) + "&endTime=" + at(3):  {4, 2},
		"startTime=" + at(10) + "&endTime=" + at(9): {9, 8},
	} {
		l := c.logs("", query).AuditLogEvents
		require.Len(t, l, want[0]-want[1]+1, query)
		require.Equal(t, fmt.Sprintf("number %d", want[0]), l[0].Description)
		require.Equal(t, fmt.Sprintf("number %d", want[1]), l[len(l)-1].Description)
	}
	for query, want := range map[string][2]int{
		"startTime=" + at(5):                       {9, 4},
		"startTime=" + at(3) + "&endTime=" + at(5): {4, 2},
		"endTime=" + at(2):                         {1, 0},
	} {
		l := c.logs("/v2", query).AuditLogEvents
		require.Len(t, l, want[0]-want[1]+1, query)
		require.Equal(t, fmt.Sprintf("number %d", want[0]), l[0].Description)
		require.Equal(t, fmt.Sprintf("number %d", want[1]), l[len(l)-1].Description)
	}
}

func TestAuditLogsAreFilteredUnderBothSpellings(t *testing.T) {
	c := newClient(t)
	bob := c.as(c.Person("bob", c.Org, permission.OrganizationOwner))
	c.stack("proj", "one")
	bob.stack("proj", "two")
	bob.call(http.MethodGet, "/stacks/acme/proj/two/export", nil).Into(t, http.StatusOK, nil)
	for _, query := range []string{
		"userFilter=bob&eventFilter=stack-created", "user=BOB&eventType=stack-created", "userFilter=bob&eventFilter=Stack+Created",
		"userFilter=bob&user=bob&eventType=Stack+Created&eventFilter=Stack+Created",
	} {
		require.Equal(t, []string{"Stack Created created stack acme/proj/two"}, c.logs("/v2", query).events(), query)
	}
	require.Len(t, c.logs("/v2", "user=bob").AuditLogEvents, 2)
	require.Empty(t, c.logs("/v2", "user=nobody").AuditLogEvents)
	require.NotNil(t, c.logs("/v2", "user=nobody").AuditLogEvents)
}

func TestPagesOfTheAuditLogHoldEveryEntryOnceWhileOthersAreAdded(t *testing.T) {
	c := newClient(t)
	c.happen(450, "stack-created")
	want, _ := c.allLogs("/v2", "")
	require.Len(t, want, 450)
	var got []string
	pages := 0
	for token := ""; ; pages++ {
		l := c.logs("", "startTime="+unix(c.Clock.Now())+"&continuationToken="+url.QueryEscape(token))
		got = append(got, l.events()...)
		if token = l.ContinuationToken; token == "" {
			break
		}
		if pages == 0 { // the token alone is enough, as clients of the first version send it
			l = c.logs("", "continuationToken="+url.QueryEscape(token))
			got = append(got, l.events()...)
			token = l.ContinuationToken
		}
		c.happen(30, "stack-deleted")
	}
	require.Equal(t, want, got)
	require.LessOrEqual(t, pages, 5)
}

func TestAContinuationTokenIsGoodForItsListingAlone(t *testing.T) {
	c := newClient(t)
	c.happen(150, "stack-created")
	token := url.QueryEscape(c.logs("/v2", "eventFilter=stack-created").ContinuationToken)
	require.NotEmpty(t, token)
	bob := c.as(c.Person("bob", c.Org, permission.OrganizationOwner))
	refused := func(c *client, query string) {
		t.Helper()
		a := c.call(http.MethodGet, "/orgs/acme/auditlogs/v2?"+query, nil)
		require.Equal(t, http.StatusBadRequest, a.Status, "%s", a.Body)
	}
	refused(c, "continuationToken="+token)
	refused(c, "eventFilter=stack-deleted&continuationToken="+token)
	refused(bob, "eventFilter=stack-created&continuationToken="+token)
	refused(c, "eventFilter=stack-created&continuationToken="+other(token[:1])+token[1:])
	require.Len(t, c.logs("/v2", "eventType=Stack+Created&continuationToken="+token).AuditLogEvents, 50)

	rows := c.exportLogs("/v2/export", "eventFilter=stack-created&continuationToken="+token)
	require.Equal(t, 51, strings.Count(rows, "\n"), "an export goes on where the page ended")
}

// other is a letter that a text does not begin with.
func other(text string) string {
	if strings.HasPrefix(text, "A") {
		return "B"
	}
	return "A"
}

func TestWrongAuditQueriesAreRefused(t *testing.T) {
	c := newClient(t)
	for query, says := range map[string]string{
		"":                                         "startTime or continuationToken is required",
		"startTime=x":                              "startTime",
		"startTime=-1":                             "startTime must be a time",
		"startTime=9223372036854775807":            "startTime must be a time",
		"startTime=5&endTime=6":                    "endTime is after startTime",
		"startTime=5&user=a&userFilter=b":          "userFilter and user are two names",
		"startTime=5&eventType=a&eventFilter=b":    "eventFilter and eventType are two names",
		"startTime=5&format=csv":                   "format must be json",
		"startTime=5&continuationToken=1615413365": "continuation token",
	} {
		a := c.call(http.MethodGet, "/orgs/acme/auditlogs?"+query, nil)
		require.Equal(t, http.StatusBadRequest, a.Status, "%s: %s", query, a.Body)
		require.Contains(t, string(a.Body), says, query)
	}
	a := c.call(http.MethodGet, "/orgs/acme/auditlogs/v2?startTime=6&endTime=5", nil)
	require.Equal(t, http.StatusBadRequest, a.Status)
	a = c.call(http.MethodGet, "/orgs/acme/auditlogs/export?startTime=5&format=xml", nil)
	require.Equal(t, http.StatusBadRequest, a.Status)
	require.Empty(t, c.logs("/v2", "").AuditLogEvents, "a refused export leaves nothing")
}

func TestOnlyAdministratorsSeeTheAuditLog(t *testing.T) {
	c := newClient(t)
	bob := c.as(c.Person("bob", c.Org, permission.OrganizationMember))
	for _, below := range []string{"?startTime=1", "/v2", "/export?startTime=1", "/v2/export"} {
		require.Equal(t, http.StatusForbidden, bob.call(http.MethodGet, "/orgs/acme/auditlogs"+below, nil).Status)
	}
	c.Organization("other")
	require.Equal(t, http.StatusNotFound, c.call(http.MethodGet, "/orgs/other/auditlogs/v2", nil).Status)
}

func TestTheCSVExportIsTheVendorsAndLeavesAnEntry(t *testing.T) {
	c := newClient(t)
	c.stack("proj", "dev")
	c.Clock.Add(90 * time.Second)
	text := c.exportLogs("/export", "startTime="+unix(c.Clock.Now().Add(-time.Minute)))
	require.Equal(t, "Timestamp,Name,Login,Event,Description,SourceIP,RequireOrgAdmin,RequireStackAdmin,AuthenticationFailure\n"+
		"2026-01-02T03:04:05Z,Administrator,admin,Stack Created,created stack acme/proj/dev,192.0.2.1,false,false,false\n", text)

	l := c.logs("/v2", "eventFilter=audit-logs-exported").AuditLogEvents
	require.Len(t, l, 1)
	require.Equal(t, "Audit Logs Exported", l[0].Event)
	require.True(t, l[0].ReqOrgAdmin)
}

func TestACellThatCouldBeAFormulaIsExportedAsText(t *testing.T) {
	c := newClient(t)
	hostile := []string{"=HYPERLINK(\"http://x\",\"y\")", "+1", "-1", "@SUM(A1)", "\tx", "a,\"b\"\nc", "fine = so"}
	org := c.organizationID()
	for _, text := range hostile {
		c.Clock.Add(time.Second)
		require.NoError(t, c.Ports.Store.Write(context.Background(), audit.Record(context.Background(), c.Ports, org, "stack-created", "%s", text)))
	}
	rows, err := csv.NewReader(strings.NewReader(c.exportLogs("/v2/export", "eventFilter=stack-created"))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, len(hostile)+1)
	for i, text := range hostile {
		got := rows[len(hostile)-i][4]
		if strings.ContainsRune("=+-@\t", rune(text[0])) {
			text = "'" + text
		}
		require.Equal(t, text, got)
	}
}

func TestTheCEFExportEscapesWhatItsFormatSays(t *testing.T) {
	c := newClient(t)
	org := c.organizationID()
	require.NoError(t, c.Ports.Store.Write(context.Background(),
		audit.Record(context.Background(), c.Ports, org, "odd|slug", "%s", "a=b|c\\d\r\ne\nf")))
	lines := strings.Split(strings.TrimSuffix(c.exportLogs("/v2/export", "format=cef&eventFilter=odd%7Cslug"), "\n"), "\n")
	require.Len(t, lines, 1, "one event is one line")
	require.True(t, strings.HasPrefix(lines[0], `CEF:0|Pulumi|Pulumi Service|1|odd\|slug|Odd\|slug|3|rt=1767323045000 externalId=`), lines[0])
	require.Contains(t, lines[0], ` msg=a\=b|c\\d\ne\nf cs2Label=RequireOrgAdmin cs2=false`)

	c.stack("proj", "dev")
	line := c.exportLogs("/export", "startTime="+unix(c.Clock.Now())+"&format=cef&eventType=stack-created")
	require.Contains(t, line, " src=192.0.2.1 suser=admin suid=")
	require.Contains(t, line, " cs1Label=Name cs1=Administrator ")
}

// counted counts what arrives and forgets it.
type counted struct {
	header http.Header
	lines  chan int
	pipe   *io.PipeWriter
}

func (w *counted) Header() http.Header         { return w.header }
func (w *counted) WriteHeader(int)             {}
func (w *counted) Write(p []byte) (int, error) { return w.pipe.Write(p) }

func TestAnExportOfAnySizeIsStreamed(t *testing.T) {
	c := newClient(t)
	c.happen(5000, "stack-created")
	in, out := io.Pipe()
	w := &counted{header: http.Header{}, lines: make(chan int, 1), pipe: out}
	go func() {
		z, err := gzip.NewReader(in)
		n := 0
		if err == nil {
			text, _ := io.ReadAll(z)
			n = bytes.Count(text, []byte("\n"))
		}
		w.lines <- n
	}()
	c.Spy.Reset()
	var queries atomic.Int32 // several run at once
	c.Spy.Hook(func(_ int, call boottest.Call) boottest.Fate {
		if call.Method == "Query" {
			queries.Add(1)
		}
		return boottest.Works
	})
	req, err := http.NewRequest(http.MethodGet, "/pulumi/api/orgs/acme/auditlogs/v2/export?eventFilter=stack-created", nil)
	require.NoError(t, err)
	req.RemoteAddr = "192.0.2.1:1"
	req.Header.Set("Authorization", c.auth)
	c.Handler().ServeHTTP(w, req)
	require.NoError(t, out.Close())
	require.Equal(t, 5001, <-w.lines)
	require.Greater(t, queries.Load(), int32(8), "it is read in pieces")
}

func TestAnExportThatFailsHalfwayIsCutSoThatNobodyTakesItForTheWhole(t *testing.T) {
	c := newClient(t)
	c.happen(3000, "stack-created")
	var queries atomic.Int32 // several run at once
	c.Spy.Hook(func(_ int, call boottest.Call) boottest.Fate {
		if call.Method == "Query" && strings.Contains(call.Keys[0].PK, "#audit/") {
			if queries.Add(1) > 6 {
				return boottest.FailsBefore
			}
		}
		return boottest.Works
	})
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		c.call(http.MethodGet, "/orgs/acme/auditlogs/v2/export", nil)
	})
}

func TestWhoIsRefusedIsInTheAuditLogOnceAMinute(t *testing.T) {
	c := newClient(t)
	stack := c.stack("proj", "dev")
	bob := c.as(c.Person("bob", c.Org, permission.OrganizationMember))
	stranger := c.as("pul-" + strings.Repeat("0", 40))
	c.Clock.Add(time.Minute)
	c.Spy.Reset()
	for range 20 {
		require.Equal(t, http.StatusForbidden, bob.call(http.MethodGet, "/orgs/acme/auditlogs/v2", nil).Status)
		require.Equal(t, http.StatusForbidden, bob.call(http.MethodDelete, stack, nil).Status)
		require.Equal(t, http.StatusUnauthorized, stranger.call(http.MethodGet, stack, nil).Status)
		require.Equal(t, http.StatusUnauthorized, stranger.call(http.MethodGet, "/stacks/nowhere/a/b", nil).Status)
		require.Equal(t, http.StatusNotFound, bob.call(http.MethodGet, "/stacks/acme/proj/none", nil).Status)
	}
	require.Zero(t, c.Spy.Writes(), "a refused request writes nothing")
	c.Settle()
	c.Restart() // another process knows nothing of what this one kept
	stranger.call(http.MethodGet, stack, nil)
	c.Settle()

	l := c.logs("/v2", "eventFilter=auth-failure").AuditLogEvents
	require.Len(t, l, 2)
	byLogin := map[string]int{l[0].User.GithubLogin: 0, l[1].User.GithubLogin: 1}
	require.Equal(t, l, c.logs("", "startTime=4000000000&eventFilter=auth-failure").AuditLogEvents)
	e := l[byLogin["bob"]]
	require.True(t, e.AuthFailure)
	require.True(t, e.ReqOrgAdmin)
	require.Equal(t, "Auth Failure", e.Event)
	require.Equal(t, "192.0.2.1", e.SourceIP)
	require.Contains(t, e.Description, "refused ListAuditLogEventsHandlerV2: bob may not do this")
	e = l[byLogin[""]]
	require.True(t, e.AuthFailure)
	require.Empty(t, e.ActorName)
	require.Contains(t, e.Description, "refused GetStack: the access token is missing, expired or revoked")

	c.Clock.Add(time.Minute)
	stranger.call(http.MethodGet, stack, nil)
	c.Settle()
	require.Len(t, c.logs("/v2", "eventFilter=auth-failure").AuditLogEvents, 3)
	require.Contains(t, c.exportLogs("/v2/export", "user=bob"), ",192.0.2.1,true,false,true\n")
	require.Contains(t, c.exportLogs("/v2/export", "user=bob&format=cef"), "|auth-failure|Auth Failure|7|")
}
