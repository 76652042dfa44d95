package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
)

// object is a JSON object.
type object = map[string]any

// stack is one stack as its client sees it.
type stack struct {
	*plane
	path string // below /api
}

// newStack makes the calls of a login and a creation.
func (p *plane) newStack(name string) (stack, error) {
	for _, path := range []string{"/capabilities", "/user/organizations/default", "/user"} {
		if err := p.call(http.MethodGet, path, p.auth, nil, &object{}); err != nil {
			return stack{}, err
		}
	}
	err := p.call(http.MethodPost, "/stacks/acme/bench", p.auth, object{"stackName": name, "tags": object{"pulumi:project": "bench", "pulumi:runtime": "go"}}, &object{})
	return stack{p, "/stacks/acme/bench/" + name}, err
}

// running is a started update.
type running struct {
	stack
	at, lease string
}

// start creates and starts an update, and reads what a client reads then. journal is the version of the journal that it can write, 0 for
// checkpoints.
func (s stack) start(journal int) (running, error) {
	var made struct{ UpdateID string }
	err := s.call(http.MethodPost, s.path+"/update", s.auth, object{
		"name": "bench", "runtime": "go", "options": object{"parallel": 8}, "config": object{}, "metadata": object{"message": "bench"},
	}, &made)
	if err != nil {
		return running{}, err
	}
	r := running{stack: s, at: s.path + "/update/" + made.UpdateID}
	var started struct{ Token string }
	if err := s.call(http.MethodPost, r.at, s.auth, object{"journalVersion": journal}, &started); err != nil {
		return r, err
	}
	r.lease = "update-token " + started.Token
	if err := s.call(http.MethodGet, s.path+"/export", s.auth, nil, &object{}); err != nil {
		return r, err
	}
	return r, s.call(http.MethodGet, s.path, s.auth, nil, &object{})
}

func (r running) journal(batch zipped) error {
	return r.call(http.MethodPatch, r.at+"/journalentries", r.lease, batch, nil)
}

func (r running) events(batch zipped) error {
	return r.call(http.MethodPost, r.at+"/events/batch", r.lease, batch, nil)
}

func (r running) renew() error {
	return r.call(http.MethodPost, r.at+"/renew_lease", r.lease, object{"token": "", "duration": 300}, &object{})
}

func (r running) complete() error {
	return r.call(http.MethodPost, r.at+"/complete", r.lease, object{"status": "succeeded"}, nil)
}

// wave is how many resources the client creates at once.
const wave = 8

// component is the state of a created component, as large as a small real one (about 600 bytes), with outputs that do not compress to
// nothing.
func component(n int) object {
	sum := sha256.Sum256(fmt.Appendf(nil, "component %d", n))
	id := hex.EncodeToString(sum[:])
	return object{
		"urn": fmt.Sprintf("urn:pulumi:dev::bench::bench:index:Item::item-%d", n), "custom": false, "type": "bench:index:Item",
		"parent":  "urn:pulumi:dev::bench::pulumi:pulumi:Stack::bench-dev",
		"created": "2026-01-02T03:04:05.678901234Z", "modified": "2026-01-02T03:04:05.678901234Z",
		"outputs": object{"arn": "arn:aws:service:eu-central-1:123456789012:item/" + id[:24], "name": fmt.Sprintf("item-%d", n),
			"endpoint": "https://" + id[24:36] + ".example.com", "fingerprint": id, "ready": true},
	}
}

// entries are what the engine journals when it creates n components, in waves: their begins, their successes, their outputs.
func entries(n int) []object {
	var out []object
	add := func(kind, op int, more object) {
		e := object{"version": 1, "kind": kind, "sequenceID": len(out) + 1, "operationID": op, "removeOld": nil, "removeNew": nil}
		maps.Copy(e, more)
		out = append(out, e)
	}
	add(6, 0, object{"secretsProvider": object{"type": "service", "state": object{"url": "http://127.0.0.1:8081", "owner": "acme", "project": "bench", "stack": "dev"}}})
	op := 0
	for from := 0; from < n; from += wave {
		to := min(from+wave, n)
		first := op
		for i := from; i < to; i++ {
			begun := component(i)
			delete(begun, "outputs")
			add(0, first+i-from+1, object{"operation": object{"type": "creating", "resource": begun}})
		}
		for i := from; i < to; i++ {
			made := component(i)
			made["outputs"] = object{}
			add(1, first+i-from+1, object{"state": made})
		}
		op += to - from
		for i := from; i < to; i++ {
			op++
			add(4, op, object{"state": component(i), "removeNew": first + i - from + 1})
		}
	}
	return out
}

// engineEvents are what the engine tells when it creates n components.
func engineEvents(n int) []object {
	var out []object
	add := func(name string, payload object) {
		out = append(out, object{"sequence": len(out), "timestamp": 1767323045, name: payload})
	}
	add("preludeEvent", object{"config": object{}})
	for i := range n {
		state := component(i)
		about := object{"op": "create", "urn": state["urn"], "type": state["type"], "provider": "", "logical": true}
		begun, ended := maps.Clone(about), maps.Clone(about)
		begun["new"] = object{"urn": state["urn"], "type": state["type"], "parent": state["parent"], "inputs": object{}}
		ended["new"] = state
		add("resourcePreEvent", object{"metadata": begun})
		add("resOutputsEvent", object{"metadata": ended})
	}
	add("summaryEvent", object{"maybeCorrupt": false, "durationSeconds": 1, "resourceChanges": object{"create": n}})
	return out
}

// batches cuts a list as the client does.
func batches(name string, list []object, of int) []zipped {
	var out []zipped
	for from := 0; from < len(list); from += of {
		out = append(out, zip(object{name: list[from:min(from+of, len(list))]}))
	}
	return out
}
