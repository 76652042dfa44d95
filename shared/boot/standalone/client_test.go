package standalone_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
)

// load is several clients that write at once and what was acknowledged to each.
type load struct {
	base, token string
	http        *http.Client
	limit       int64         // full is closed after so many acknowledged writes
	full        chan struct{} // closed once
	acked       atomic.Int64
	once        sync.Once

	mu     sync.Mutex
	stacks []*ackedStack
	wrong  []string
}

// ackedStack is a stack whose creation was acknowledged, and what the server must not forget of it.
type ackedStack struct {
	name string // org/project/stack

	mu       sync.Mutex
	resource int               // of the last one that was sent
	acked    []string          // URNs whose journal entries were acknowledged
	tried    map[string]bool   // URNs that were sent
	secrets  map[string]string // ciphertext → plaintext, base64
	done     []string          // updates whose completion was acknowledged
	running  *lease            // of an update that was started and whose completion was not acknowledged
}

// lease is a started update.
type lease struct {
	id, token string
	sequence  int64
	doubt     []byte // batch whose answer did not come; the client sends it again
	closing   bool   // completion was sent
}

func newLoad(p *process, token string, limit int64) *load {
	return &load{base: p.pulumi + "/api", token: token, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}, limit: limit, full: make(chan struct{})}
}

// at points the clients at a process that serves the same data.
func (l *load) at(p *process, limit int64) {
	l.http.CloseIdleConnections()
	l.base, l.limit, l.full, l.once = p.pulumi+"/api", limit, make(chan struct{}), sync.Once{}
	l.acked.Store(0)
}

func (l *load) complain(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

func (l *load) all() []*ackedStack {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.stacks)
}

// call returns the status and the body, or an error when no answer came.
func (l *load) call(method, path, auth string, body any) (int, []byte, error) {
	raw, ok := body.([]byte)
	if !ok && body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return 0, nil, err
		}
	}
	req, err := http.NewRequest(method, l.base+path, bytes.NewReader(raw))
	if err != nil {
		return 0, nil, err
	}
	if auth == "" {
		auth = "token " + l.token
	}
	req.Header.Set("Authorization", auth)
	req.Header.Set("Content-Type", "application/json")
	res, err := l.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	out, err := io.ReadAll(res.Body)
	return res.StatusCode, out, err
}

// write makes a call that must be acknowledged, and decodes the answer into v.
func (l *load) write(method, path, auth string, body, v any) error {
	status, out, err := l.call(method, path, auth, body)
	if err != nil {
		return err
	}
	if status/100 != 2 {
		return fmt.Errorf("%s %s: %d %s", method, path, status, out)
	}
	if v != nil {
		if err := json.Unmarshal(out, v); err != nil {
			return err
		}
	}
	if l.acked.Add(1) == l.limit {
		l.once.Do(func() { close(l.full) })
	}
	return nil
}

// begin starts clients, which write until the server is gone; over is closed when all have ended.
func (l *load) begin(clients int, name string) (over chan struct{}) {
	var writers sync.WaitGroup
	for n := range clients {
		writers.Go(func() { l.run(fmt.Sprintf("%s-c%d", name, n)) })
	}
	over = make(chan struct{})
	go func() { writers.Wait(); close(over) }()
	return over
}

// isFull waits until the limit is reached, and returns false when the clients ended before.
func (l *load) isFull(over chan struct{}) bool {
	select {
	case <-l.full:
		return true
	case <-over:
		return false
	}
}

// run makes stacks and updates until a call is not answered. Any answer but success is a complaint.
func (l *load) run(name string) {
	for n := 0; ; n++ {
		if err := l.live(fmt.Sprintf("%s-%d", name, n)); err != nil {
			if _, unanswered := err.(*url.Error); !unanswered && err != io.ErrUnexpectedEOF {
				l.complain("%v", err)
			}
			return
		}
	}
}

// live is the life of one stack: created, a secret, two updates.
func (l *load) live(name string) error {
	if err := l.write(http.MethodPost, "/stacks/acme/shop", "", map[string]any{"stackName": name}, nil); err != nil {
		return err
	}
	s := &ackedStack{name: "acme/shop/" + name, tried: map[string]bool{}, secrets: map[string]string{}}
	l.mu.Lock()
	l.stacks = append(l.stacks, s)
	l.mu.Unlock()
	if err := l.encrypt(s); err != nil {
		return err
	}
	for range 2 {
		if err := l.start(s); err != nil {
			return err
		}
		for range 3 {
			if err := l.journal(s); err != nil {
				return err
			}
		}
		if err := l.complete(s); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) encrypt(s *ackedStack) error {
	plain := base64.StdEncoding.EncodeToString([]byte("secret of " + s.name))
	var out struct{ Ciphertext string }
	if err := l.write(http.MethodPost, "/stacks/"+s.name+"/encrypt", "", map[string]any{"plaintext": plain}, &out); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets[out.Ciphertext] = plain
	return nil
}

func (l *load) start(s *ackedStack) error {
	var made struct{ UpdateID string }
	if err := l.write(http.MethodPost, "/stacks/"+s.name+"/update", "", map[string]any{"name": "shop"}, &made); err != nil {
		return err
	}
	var started struct{ Token string }
	if err := l.write(http.MethodPost, "/stacks/"+s.name+"/update/"+made.UpdateID, "", map[string]any{"journalVersion": 1}, &started); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = &lease{id: made.UpdateID, token: started.Token}
	return nil
}

func (l *load) onLease(s *ackedStack, method, below string, body any) error {
	return l.write(method, "/stacks/"+s.name+"/update/"+s.running.id+below, "update-token "+s.running.token, body, nil)
}

// journal sends the entries of a created resource, or once more the batch in doubt.
func (l *load) journal(s *ackedStack) error {
	r := s.running
	if r.doubt == nil {
		s.mu.Lock()
		s.resource++
		s.mu.Unlock()
		r.doubt = r.batch(urn(s.name, s.resource))
	}
	made := urn(s.name, s.resource)
	s.mu.Lock()
	s.tried[made] = true
	s.mu.Unlock()
	if err := l.onLease(s, http.MethodPatch, "/journalentries", r.doubt); err != nil {
		return err
	}
	r.doubt = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked = append(s.acked, made)
	return nil
}

func urn(stack string, n int) string {
	return fmt.Sprintf("urn:pulumi:dev::shop::t:i:R::%s-%d", stack, n)
}

// batch is the entries of a created resource; the first one of an update begins with its secrets provider.
func (r *lease) batch(made string) []byte {
	var entries []map[string]any
	add := func(e map[string]any) {
		r.sequence++
		maps.Copy(e, map[string]any{"version": 1, "sequenceID": r.sequence, "removeOld": nil, "removeNew": nil})
		entries = append(entries, e)
	}
	if r.sequence == 0 {
		add(map[string]any{"kind": 6, "operationID": 0, "secretsProvider": map[string]any{"type": "service"}})
	}
	op := r.sequence + 1
	res := map[string]any{"urn": made, "type": "t:i:R", "custom": false}
	add(map[string]any{"kind": 0, "operationID": op, "operation": map[string]any{"type": "creating", "resource": res}})
	add(map[string]any{"kind": 1, "operationID": op, "state": res})
	body, err := json.Marshal(map[string]any{"entries": entries})
	if err != nil {
		panic(err)
	}
	return body
}

func (l *load) complete(s *ackedStack) error {
	s.running.closing = true
	if err := l.onLease(s, http.MethodPost, "/complete", map[string]any{"status": "succeeded"}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done, s.running = append(s.done, s.running.id), nil
	return nil
}

// snapshot is what was acknowledged so far.
func (l *load) snapshot() []*ackedStack {
	var out []*ackedStack
	for _, s := range l.all() {
		s.mu.Lock()
		out = append(out, &ackedStack{name: s.name, acked: slices.Clone(s.acked), done: slices.Clone(s.done), secrets: maps.Clone(s.secrets)})
		s.mu.Unlock()
	}
	return out
}

// check looks for everything that was acknowledged of the stacks. sent, when true, also demands that an export shows nothing that was
// never sent.
func (l *load) check(stacks []*ackedStack, sent bool) {
	listed := l.list()
	for _, s := range stacks {
		if !listed[s.name] {
			l.complain("stack %s is not listed", s.name)
			continue
		}
		var out struct {
			Deployment struct{ Resources []struct{ URN string } }
		}
		if err := l.write(http.MethodGet, "/stacks/"+s.name+"/export", "", nil, &out); err != nil {
			l.complain("%v", err)
			continue
		}
		there := map[string]bool{}
		for _, r := range out.Deployment.Resources {
			there[r.URN] = true
			if sent && !s.tried[r.URN] {
				l.complain("%s: %s was never sent", s.name, r.URN)
			}
		}
		for _, u := range s.acked {
			if !there[u] {
				l.complain("%s: %s was acknowledged and is lost", s.name, u)
			}
		}
		for _, id := range s.done {
			var is struct{ Status string }
			if err := l.write(http.MethodGet, "/stacks/"+s.name+"/update/"+id, "", nil, &is); err != nil || is.Status != "succeeded" {
				l.complain("%s: update %s was completed and is %q (%v)", s.name, id, is.Status, err)
			}
		}
		for sealed, plain := range s.secrets {
			var is struct{ Plaintext string }
			if err := l.write(http.MethodPost, "/stacks/"+s.name+"/decrypt", "", map[string]any{"ciphertext": sealed}, &is); err != nil || is.Plaintext != plain {
				l.complain("%s: a secret does not open (%v)", s.name, err)
			}
		}
	}
}

func (l *load) list() map[string]bool {
	listed := map[string]bool{}
	for token := ""; ; {
		var page struct {
			Stacks            []struct{ OrgName, ProjectName, StackName string }
			ContinuationToken string
		}
		if err := l.write(http.MethodGet, "/user/stacks?maxResults=1000&continuationToken="+url.QueryEscape(token), "", nil, &page); err != nil {
			l.complain("%v", err)
			return listed
		}
		for _, s := range page.Stacks {
			listed[s.OrgName+"/"+s.ProjectName+"/"+s.StackName] = true
		}
		if token = page.ContinuationToken; token == "" {
			return listed
		}
	}
}
