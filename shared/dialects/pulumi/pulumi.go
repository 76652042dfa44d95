// Package pulumi speaks the Pulumi Service API, so that the Pulumi CLI, its SDKs and the Pulumi Cloud provider work against
// Polyplane. It translates and never decides: wire shapes are here, rules in shared/core.
package pulumi

import (
	"context"
	"net/http"
	"strings"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
)

type dialect struct{ ports.Ports }

// New is the dialect on the given ports.
func New(p ports.Ports) api.Dialect {
	d := dialect{p}
	return api.Dialect{
		Name:            "pulumi",
		Title:           "Polyplane: Pulumi Service API",
		Version:         "1",
		Root:            "/api",
		Operations:      d.operations(),
		Credential:      credential,
		Target:          target,
		Render:          render,
		ErrorShape:      errorBody{},
		RequestIDHeader: "X-Pulumi-Request-ID",
	}
}

// in is the ports of a request that acts on one stack: its store reaches the scopes that the gate's decision opened and no other
// tenant's.
func (d dialect) in(ctx context.Context) ports.Ports {
	p := d.Ports
	p.Store = store.In(p.Store, access.Of(ctx).Scopes()...)
	return p
}

// target puts path parameters under the core's names.
func target(p api.Params) permission.Target {
	return permission.Target{
		Organization: p("orgName"), Project: p("projectName"), Stack: p("stackName"), Update: p("updateID"),
		Team: p("teamName"), User: p("userLogin") + p("user"),
	}
}

// credential reads "Authorization: token …" and "Authorization: update-token …". The word is matched without regard to case.
func credential(r *http.Request) (api.Credential, error) {
	h := strings.TrimSpace(r.Header.Get("Authorization"))
	if h == "" {
		return api.Credential{}, nil
	}
	scheme, text, _ := strings.Cut(h, " ")
	text = strings.TrimSpace(text)
	switch {
	case text == "":
	case strings.EqualFold(scheme, "token"), strings.EqualFold(scheme, "bearer"):
		return api.Credential{Form: string(access.Token), Secret: text}, nil
	case strings.EqualFold(scheme, "update-token"):
		return api.Credential{Form: string(access.Lease), Secret: text}, nil
	}
	return api.Credential{}, fault.New(fault.Unauthenticated, "the Authorization header must read \"token <value>\" or \"update-token <value>\"")
}
