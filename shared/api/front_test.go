package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/api/group"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/store"
)

func TestAnswersCarryTheRequestIDAndTheDialectsHeaders(t *testing.T) {
	w := newWorld(things()...)
	for _, path := range []string{"/api/things/o/x", "/nowhere"} {
		rec := w.do(ask{path: path, header: map[string]string{"X-Request-Id": "mine"}})
		id := rec.Header().Get("X-Request-Id")
		require.True(t, strings.HasPrefix(id, "req-"), id)
		require.Equal(t, id, rec.Header().Get("X-Tiny-Request"))
		require.Equal(t, "yes", rec.Header().Get("X-Tiny"))
		require.Contains(t, w.log.String(), `"client_request_id":"mine"`)
	}
}

func TestAClientsOwnRequestIDIsLoggedOnlyWhenShortAndPrintable(t *testing.T) {
	for _, id := range []string{strings.Repeat("x", 129), "two words", "bell\a", "ümlaut"} {
		w := newWorld(things()...)
		w.do(ask{path: "/api/things/o/x", header: map[string]string{"X-Request-Id": id}})
		require.NotContains(t, w.log.String(), "client_request_id", id)
	}
}

func TestAPathParameterKeepsItsEncodedSlash(t *testing.T) {
	w := newWorld(things()...)
	rec := w.get("/api/things/a%2Fb/c%20d")
	require.Equal(t, 200, rec.Code)
	require.JSONEq(t, `{"name":"a/b|c d"}`, rec.Body.String())
	require.Equal(t, permission.Target{Organization: "a/b", Project: "c d"}, w.gate.lastTarget())
}

func TestDoubledAndTrailingSlashesDoNotMatter(t *testing.T) {
	w := newWorld(things()...)
	for _, path := range []string{"//api/things/o/x", "/api//things///o/x", "/api/things/o/x/", "/api/things/o/x//"} {
		rec := w.get(path)
		require.Equal(t, 200, rec.Code, path)
		require.JSONEq(t, `{"name":"o|x"}`, rec.Body.String())
	}
	rec := w.post("//api/things/o//x/", `{"name":"n"}`)
	require.Equal(t, 200, rec.Code)
}

func TestHeadIsServedByGetWithoutABody(t *testing.T) {
	w := newWorld(things()...)
	server := httptest.NewServer(w.handler)
	defer server.Close()
	r, err := http.NewRequest(http.MethodHead, server.URL+"/api/things/o/x", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "token good")
	res, err := server.Client().Do(r)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 200, res.StatusCode)
	require.Empty(t, body)
	require.Equal(t, `"1"`, res.Header.Get("ETag"))
	require.Equal(t, int64(len(`{"name":"o|x"}`)), res.ContentLength)
}

func TestAHeadRowOfItsOwnWinsOverGet(t *testing.T) {
	type out struct {
		Mine string `header:"X-Mine"`
	}
	w := newWorld(append(things(), row("HEAD /api/things/{org}/{thing}", "HeadThing", func(_ context.Context, _ *ThingIn) (*out, error) {
		return &out{Mine: "yes"}, nil
	}))...)
	require.Equal(t, "yes", w.do(ask{method: "HEAD", path: "/api/things/o/x"}).Header().Get("X-Mine"))
	require.Empty(t, w.get("/api/things/o/x").Header().Get("X-Mine"))
}

func TestAnUnknownPathIsTheDialectsNotFound(t *testing.T) {
	w := newWorld(things()...)
	for _, path := range []string{"/", "/api", "/api/things/o", "/api/things/o/x/y", "/api/things/o/..", "/api/things/%2e%2e/x", "/api/things/o/%00", "/api/things/o/%ff"} {
		rec := w.get(path)
		require.Equal(t, 404, rec.Code, path)
		require.Equal(t, rec.Header().Get("X-Request-Id"), errorOf(t, rec).ID)
	}
	require.Empty(t, w.gate.asked)
}

func TestAWrongMethodIs405InTheDialectsBodyWithAllow(t *testing.T) {
	w := newWorld(things()...)
	rec := w.do(ask{method: http.MethodDelete, path: "/api/things/o/x"})
	require.Equal(t, 405, rec.Code)
	require.Equal(t, "GET, HEAD, POST, OPTIONS", rec.Header().Get("Allow"))
	require.Contains(t, errorOf(t, rec).Message, "DELETE is not allowed")
	require.Equal(t, "POST, OPTIONS", w.get("/api/raw/o").Header().Get("Allow"))
	require.Equal(t, "GET, HEAD, OPTIONS", w.post("/api/openapi.json", "").Header().Get("Allow"))
}

func TestABrowsersPreflightIsAnsweredWithoutACredential(t *testing.T) {
	w := newWorld(things()...)
	preflight := map[string]string{"Origin": "https://page.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, content-type"}
	rec := w.do(ask{method: http.MethodOptions, path: "/api/things/o/x", header: preflight, stranger: true})
	require.Equal(t, 204, rec.Code)
	require.Equal(t, "*", rec.Header().Get("Access-Control-Allow-Origin"))
	require.Contains(t, rec.Header().Get("Access-Control-Allow-Methods"), "POST")
	require.Equal(t, "authorization, content-type", rec.Header().Get("Access-Control-Allow-Headers"))
	require.Empty(t, rec.Header().Get("Access-Control-Allow-Credentials"))
	require.Empty(t, w.gate.asked)

	w.Origins = []string{"https://page.example"}
	w.serve()
	rec = w.do(ask{path: "/api/things/o/x", header: map[string]string{"Origin": "https://page.example"}})
	require.Equal(t, "https://page.example", rec.Header().Get("Access-Control-Allow-Origin"))
	require.Contains(t, rec.Header().Values("Vary"), "Origin")
	rec = w.do(ask{method: http.MethodOptions, path: "/api/things/o/x", header: map[string]string{"Origin": "https://other.example", "Access-Control-Request-Method": "GET"}})
	require.Empty(t, rec.Header().Get("Access-Control-Allow-Origin"))
	require.Empty(t, rec.Header().Get("Access-Control-Allow-Methods"))
	rec = w.do(ask{path: "/nowhere", header: map[string]string{"Origin": "https://page.example"}})
	require.Equal(t, 404, rec.Code)
	require.Equal(t, "https://page.example", rec.Header().Get("Access-Control-Allow-Origin"), "a page must be able to read faults")
}

func TestAStrangerLearnsNothingFromValidationAndSendsNoBody(t *testing.T) {
	w := newWorld(things()...)
	body := &watched{r: strings.NewReader(`{"broken`)}
	rec := w.do(ask{method: http.MethodPost, path: "/api/things/o/x", body: body, stranger: true})
	require.Equal(t, 401, rec.Code)
	require.False(t, body.read, "the body was read before the gate")
	rec = w.do(ask{path: "/api/things/o/x", header: map[string]string{"Authorization": "Basic abc"}})
	require.Equal(t, "malformed credential", errorOf(t, rec).Message)
}

type watched struct {
	r    io.Reader
	read bool
}

func (w *watched) Read(p []byte) (int, error) { w.read = true; return w.r.Read(p) }

func TestPublicRowsPassTheGateToo(t *testing.T) {
	public := api.Op("GET /api/hello", "Hello", group.Identity, permission.Public("a greeting"), nothing,
		func(ctx context.Context, _ *struct{}) (*textOut, error) {
			return &textOut{ContentType: "text/plain", Body: []byte(fmt.Sprint(ctx.Value(whoKey{})))}, nil
		})
	w := newWorld(public)
	for _, header := range []map[string]string{nil, {"Authorization": "token other"}, {"Authorization": "Basic x"}} {
		rec := w.do(ask{path: "/api/hello", stranger: true, header: header})
		require.Equal(t, 200, rec.Code)
		require.Equal(t, "user-1", rec.Body.String(), "the handler sees the context that the gate returned")
	}
	require.Len(t, w.gate.needs, 3)
}

func TestAuditFactsReachTheCore(t *testing.T) {
	w := newWorld(api.Op("POST /api/go", "Go", group.Stacks, needRead, audit.Leaves("went"), failing(nil)))
	w.do(ask{method: "POST", path: "/api/go", header: map[string]string{"User-Agent": "cli/1"}})
	require.Equal(t, []api.AuditFacts{{
		Dialect: "tiny", Operation: "Go", Slug: "went", Verb: thingRead, RequestID: "req-1", SourceIP: "192.0.2.1", UserAgent: "cli/1",
	}}, w.facts)
}

func TestEveryErrorBecomesAFaultOfTheDialect(t *testing.T) {
	cases := map[string]struct {
		err    error
		status int
		says   string
		retry  string
	}{
		"a fault":              {fault.Missing("no such thing"), 404, "no such thing", ""},
		"a wrapped fault":      {fmt.Errorf("reading: %w", fault.New(fault.Gone, "it is gone")), 410, "it is gone", ""},
		"a limit":              {&fault.Fault{Code: fault.TooMany, Message: "slow down", RetryAfter: 1500 * time.Millisecond}, 429, "slow down", "2"},
		"the store is away":    {fmt.Errorf("get: %w", store.ErrUnavailable), 503, "cannot answer right now", "1"},
		"a newer schema":       {store.ErrNewerSchema, 503, "cannot answer right now", "1"},
		"a deadline":           {context.DeadlineExceeded, 503, "cannot answer right now", "1"},
		"cancelled by us":      {context.Canceled, 503, "cannot answer right now", "1"},
		"a conflict":           {fmt.Errorf("write: %w", &store.ConflictError{}), 409, "at the same time", ""},
		"out of scope":         {&store.ScopeError{}, 500, "Something went wrong on our side", ""},
		"anything else":        {errSecret, 500, "Something went wrong on our side", ""},
		"an internal fault":    {fault.New(fault.Internal, "the database at 10.0.0.7"), 500, "Something went wrong on our side", ""},
		"a fault with a cause": {fault.New(fault.Unavailable, "away").Because(errSecret), 503, "away", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(row("GET /api/fail", "Fail", failing(c.err)))
			rec := w.get("/api/fail")
			require.Equal(t, c.status, rec.Code)
			require.Equal(t, "application/json", rec.Header().Get("Content-Type"))
			require.Contains(t, errorOf(t, rec).Message, c.says)
			require.NotContains(t, rec.Body.String(), "10.0.0.7")
			require.Equal(t, c.retry, rec.Header().Get("Retry-After"))
			if c.status == 500 {
				require.Contains(t, errorOf(t, rec).Message, "req-1")
				require.Contains(t, w.log.String(), `"level":"ERROR"`)
				require.Contains(t, w.log.String(), `"cause":`)
			}
		})
	}
}

func TestAPanicIsAnInternalFaultAndItsStackIsInTheLog(t *testing.T) {
	w := newWorld(row("GET /api/panic", "Panic", func(context.Context, *struct{}) (*thingOut, error) { panic("secret detail") }))
	rec := w.get("/api/panic")
	require.Equal(t, 500, rec.Code)
	require.NotContains(t, rec.Body.String(), "secret")
	require.Contains(t, w.log.String(), "front_test.go")
	require.Contains(t, w.log.String(), `"request_id":"req-1"`)
	require.Equal(t, 500, w.lastObserved().Status)
}

func TestAnAbortPassesThroughThePanicGuard(t *testing.T) {
	w := newWorld(row("GET /api/abort", "Abort", func(context.Context, *struct{}) (*thingOut, error) { panic(http.ErrAbortHandler) }))
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { w.get("/api/abort") })
	require.Len(t, w.observed, 1)
}

func TestAClientThatWentAwayIsLoggedAndNotAnswered(t *testing.T) {
	ctx, leave := context.WithCancel(context.Background())
	w := newWorld(row("GET /api/slow", "Slow", func(ctx context.Context, _ *struct{}) (*thingOut, error) {
		leave()
		<-ctx.Done()
		return nil, ctx.Err()
	}))
	r := httptest.NewRequest(http.MethodGet, "/api/slow", nil).WithContext(ctx)
	r.Header.Set("Authorization", "token good")
	rec := httptest.NewRecorder()
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { w.handler.ServeHTTP(rec, r) })
	require.Empty(t, rec.Body.String())
	require.Equal(t, 499, w.lastObserved().Status)
	require.Contains(t, w.log.String(), `"status":499`)
	require.NotContains(t, w.log.String(), `"level":"ERROR"`)
}

func TestABodyThatHasNoJSONFormIsAnInternalFault(t *testing.T) {
	type out struct{ Body map[string]any }
	w := newWorld(row("GET /api/odd", "Odd", func(context.Context, *struct{}) (*out, error) {
		return &out{Body: map[string]any{"f": func() {}}}, nil
	}))
	rec := w.get("/api/odd")
	require.Equal(t, 500, rec.Code)
	require.Contains(t, errorOf(t, rec).Message, "Something went wrong")
}

func TestADialectThatCannotRenderStillAnswers(t *testing.T) {
	w := newWorld(row("GET /api/fail", "Fail", failing(fault.Missing("no such thing"))))
	for _, render := range []func(*fault.Fault, string) api.Rendered{
		nil,
		func(*fault.Fault, string) api.Rendered { panic("no") },
		func(*fault.Fault, string) api.Rendered { return api.Rendered{Status: 404, Body: func() {}} },
	} {
		w.dialect.Render = render
		rec := w.serve().get("/api/fail")
		require.Equal(t, 404, rec.Code)
		require.Contains(t, rec.Body.String(), "no such thing")
	}
}

func TestTheStatusIsTheRowsOrTheOutputs(t *testing.T) {
	type chosen struct{ Status int }
	w := newWorld(
		row("POST /api/none", "None", failing(nil)),
		row("POST /api/accepted", "Accepted", failing(nil), api.Status(202)),
		row("POST /api/chosen", "Chosen", func(context.Context, *struct{}) (*chosen, error) { return &chosen{Status: 207}, nil }),
	)
	require.Equal(t, 204, w.post("/api/none", "").Code)
	require.Equal(t, 202, w.post("/api/accepted", "").Code)
	require.Equal(t, 207, w.post("/api/chosen", "").Code)
}

func TestAFunctionServesItsGroupsRowsOnly(t *testing.T) {
	w := newWorld(
		api.Op("GET /api/stacks", "Stacks", group.Stacks, needRead, nothing, failing(nil)),
		api.Op("GET /api/user", "User", group.Identity, needRead, nothing, failing(nil)),
	)
	w.Groups = []group.Group{group.Identity}
	w.serve()
	require.Equal(t, 404, w.get("/api/stacks").Code)
	require.Equal(t, 204, w.get("/api/user").Code)
}

func TestTheLogTellsTheRouteAndNoSecret(t *testing.T) {
	w := newWorld(things()...)
	w.do(ask{
		method: http.MethodPost, path: "/api/things/o/hidden-path?token=hidden-query", body: strings.NewReader(`{"name":"hidden-body"}`),
		header: map[string]string{"X-Secret": "hidden-header"},
	})
	var line map[string]any
	require.NoError(t, json.Unmarshal([]byte(w.log.String()), &line))
	require.Equal(t, "PutThing", line["operation"])
	require.Equal(t, "/api/things/{org}/{thing}", line["route"])
	require.Equal(t, "user-1", line["principal"])
	require.EqualValues(t, 200, line["status"])
	require.EqualValues(t, len(`{"name":"hidden-body"}`), line["bytes_in"])
	require.NotContains(t, w.log.String(), "hidden")
	require.NotContains(t, w.log.String(), "good")
	require.Equal(t, api.Observation{
		Dialect: "tiny", Operation: "PutThing", Status: 200, Duration: time.Millisecond,
		BytesIn: int64(len(`{"name":"hidden-body"}`)), BytesOut: int64(len(`{"name":"hidden-body"}`)),
	}, w.lastObserved())
}

func TestEveryBeginIsFollowedByOneObserve(t *testing.T) {
	w := newWorld(append(things(), row("GET /api/panic", "Panic", func(ctx, *struct{}) (*struct{}, error) { panic("x") }))...)
	flight := map[string]int{}
	w.Begin = func(dialect, operation string) { flight[dialect+operation]++ }
	w.Observe = func(o api.Observation) { flight[o.Dialect+o.Operation]-- }
	w.serve()
	for _, path := range []string{"/api/things/o/x", "/nowhere", "/api/panic", "/api/raw/o", "/api/openapi.json"} {
		w.get(path)
	}
	require.Equal(t, map[string]int{"tinyGetThing": 0, "tiny": 0, "tinyPanic": 0}, flight)
}

func TestACredentialNeverPrintsItsSecret(t *testing.T) {
	c := api.Credential{Form: "token", Secret: "hunter2"}
	j, err := json.Marshal(struct{ C api.Credential }{c})
	require.NoError(t, err)
	for _, s := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v %s %q %x %d", c, c, c, c, c, c), c.LogValue().String(), string(j), fmt.Sprintf("%#v", []api.Credential{c})} {
		require.NotContains(t, s, "hunter2")
	}
}
