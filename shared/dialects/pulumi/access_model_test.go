package pulumi_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/stack"
)

// world is what the model knows of who may do what, in an organization whose members hold nothing on stacks that they were not given.
type world struct {
	*client
	org    organization.Organization
	people []string                     // logins
	tokens map[string]string            // by login
	member map[string]bool              // by login
	owns   map[string]bool              // by login
	own    map[string]map[string]string // login → stack → role
	teams  map[string]*crewModel
	stacks []string // paths below /api
}

type crewModel struct {
	path  string
	in    map[string]bool
	on    map[string]int // stack → permission number
	alive bool
}

// level is how much somebody may do on a stack: 0 nothing, 1 read, 2 write, 3 administer.
func (w *world) level(login, at string) int {
	if !w.member[login] {
		return 0
	}
	if w.owns[login] {
		return 3
	}
	most := map[string]int{"": 0, "stack-reader": 1, "stack-writer": 2, "stack-admin": 3}[w.own[login][at]]
	for _, t := range w.teams {
		if t.alive && t.in[login] {
			most = max(most, map[int]int{0: 0, 101: 1, 102: 2, 103: 3, 104: 3}[t.on[at]])
		}
	}
	return most
}

func newWorld(t *testing.T) *world {
	c := newClient(t)
	o := c.Organization("closed")
	w := &world{
		client: c, org: o, tokens: map[string]string{}, member: map[string]bool{}, owns: map[string]bool{},
		own: map[string]map[string]string{}, teams: map[string]*crewModel{},
	}
	c.auth = "token " + c.Person("boss", "closed", permission.OrganizationOwner)
	c.Org = "closed"
	for i := range 4 {
		login := fmt.Sprintf("person%d", i)
		w.tokens[login] = c.Person(login, "closed", permission.OrganizationMember)
		w.people = append(w.people, login)
		w.member[login] = true
		w.own[login] = map[string]string{}
	}
	for i := range 5 {
		w.stacks = append(w.stacks, c.stack("shop", fmt.Sprintf("s%d", i)))
	}
	return w
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// step makes one change, in the plane and in the model.
func (w *world) step(r *rand.Rand) {
	who, at := pick(r, w.people), pick(r, w.stacks)
	var crews []string
	for name, t := range w.teams {
		if t.alive {
			crews = append(crews, name)
		}
	}
	slices.Sort(crews)
	switch n := r.IntN(12); {
	case n == 0 || len(crews) == 0:
		path := w.crew()
		w.teams[path] = &crewModel{path: path, in: map[string]bool{}, on: map[string]int{}, alive: true}
	case n == 1:
		w.call("DELETE", pick(r, crews), nil).Into(w.T, http.StatusOK, nil)
		for name, t := range w.teams {
			t.alive = t.alive && w.call("GET", name, nil).Status == http.StatusOK
		}
	case n == 2 && w.member[who]:
		w.call("DELETE", w.orgPath()+"/members/"+who, nil).Into(w.T, http.StatusOK, nil)
		w.member[who], w.owns[who], w.own[who] = false, false, map[string]string{}
		for _, t := range w.teams {
			delete(t.in, who)
		}
	case n <= 3 && !w.member[who]:
		w.call("POST", w.orgPath()+"/members/"+who, map[string]any{"role": "member"}).Into(w.T, http.StatusOK, nil)
		w.member[who] = true
	case n == 4 && w.member[who]:
		w.owns[who] = r.IntN(3) == 0
		role := "member"
		if w.owns[who] {
			role = "admin"
		}
		w.call("PATCH", w.orgPath()+"/members/"+who, map[string]any{"role": role}).Into(w.T, http.StatusOK, nil)
	case n <= 6 && w.member[who]:
		t := w.teams[pick(r, crews)]
		action, want := "add", http.StatusOK
		if t.in[who] {
			action = "remove"
		}
		w.call("PATCH", t.path, map[string]any{"memberAction": action, "member": who}).Into(w.T, want, nil)
		t.in[who] = !t.in[who]
	case n <= 9:
		t := w.teams[pick(r, crews)]
		number := pick(r, []int{0, 101, 102, 103, 104})
		if _, ok := t.on[at]; ok && r.IntN(2) == 0 {
			project, name := named(at)
			w.call("PATCH", t.path, map[string]any{"removeStack": map[string]any{"projectName": project, "stackName": name}}).Into(w.T, http.StatusNoContent, nil)
			delete(t.on, at)
			return
		}
		w.call("PATCH", t.path, map[string]any{"addStackPermission": permissionOn(at, number)}).Into(w.T, http.StatusNoContent, nil)
		t.on[at] = number
	case n == 10:
		w.Relay() // what was left to be purged
	case w.member[who] && w.own[who][at] == "":
		project, name := named(at)
		s, err := stack.Find(context.Background(), w.Ports, w.org.ID, project, name)
		require.NoError(w.T, err)
		u, err := organization.MemberDocs(context.Background(), w.Ports, w.org.ID, []string{w.id(who)})
		require.NoError(w.T, err)
		role := pick(r, []permission.Role{permission.StackReader, permission.StackWriter, permission.StackManager})
		require.NoError(w.T, w.Ports.Store.Write(context.Background(), stack.Grant(s.Value, u[0].Value.User, role)...))
		w.own[who][at] = string(role)
	}
}

func (w *world) orgPath() string { return "/orgs/" + w.Org }

func (w *world) id(login string) string {
	var out struct{ ID string }
	w.as(w.tokens[login]).call("GET", "/user", nil).Into(w.T, http.StatusOK, &out)
	return out.ID
}

// agrees compares everybody's view with the model's.
func (w *world) agrees() {
	w.T.Helper()
	for _, login := range w.people {
		c := w.as(w.tokens[login])
		var want []string
		for _, at := range w.stacks {
			level := w.level(login, at)
			if level > 0 {
				want = append(want, strings.TrimPrefix(at, "/stacks"))
			}
			status := map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[level > 0]
			require.Equal(w.T, status, c.call("GET", at, nil).Status, "%s reads %s", login, at)
			status = []int{http.StatusNotFound, http.StatusForbidden, http.StatusOK, http.StatusOK}[level]
			require.Equal(w.T, status, c.call("POST", at+"/encrypt", map[string]any{"plaintext": secret("x")}).Status, "%s writes %s", login, at)
		}
		require.Equal(w.T, want, c.visible(2), "%s", login)
	}
}

// visible are the links of all stacks that the caller sees, page by page.
func (c *client) visible(page int) []string {
	c.T.Helper()
	var all []string
	next := ""
	for {
		var out struct {
			Stacks            []struct{ Links struct{ Self string } }
			ContinuationToken *string
		}
		c.call("GET", fmt.Sprintf("/user/stacks?organization=%s&maxResults=%d&continuationToken=%s", c.Org, page, next), nil).Into(c.T, http.StatusOK, &out)
		require.LessOrEqual(c.T, len(out.Stacks), page)
		for _, s := range out.Stacks {
			all = append(all, s.Links.Self)
		}
		if out.ContinuationToken == nil {
			return all
		}
		next = *out.ContinuationToken
	}
}

func TestWhoMayDoWhatIsTheUnionOfRoleGrantsAndTeams(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t)
			r := rand.New(rand.NewPCG(seed, 1))
			for range 60 {
				w.step(r)
				if r.IntN(4) == 0 {
					w.agrees()
				}
			}
			w.agrees()
			w.Relay()
			w.agrees()
		})
	}
}

func TestAListOfThreeStacksCostsTheSameInAnOrganizationOfAThousand(t *testing.T) {
	w := newWorld(t)
	team := w.crew()
	w.call("PATCH", team, map[string]any{"memberAction": "add", "member": "person0"}).Into(t, http.StatusOK, nil)
	for _, at := range w.stacks[:3] {
		w.call("PATCH", team, map[string]any{"addStackPermission": permissionOn(at, 101)}).Into(t, http.StatusNoContent, nil)
	}
	c := w.as(w.tokens["person0"])
	cost := func() (calls, read int) {
		c.visible(100)
		c.Spy.Reset()
		require.Len(t, c.visible(100), 3)
		for _, call := range c.Spy.Calls() {
			read += len(call.Keys)
		}
		return c.Spy.Reads(), read
	}
	calls, read := cost()
	for i := range 995 {
		w.stack("big", fmt.Sprintf("s%d", i))
	}
	c.Restart()
	again, reread := cost()
	require.Equal(t, calls, again)
	require.Equal(t, read, reread)
	t.Logf("%d round trips, %d keys", again, reread)
}
