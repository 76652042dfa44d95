package pulumi_test

import (
	"maps"
	"net/http"
	"strings"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/boot/guarantee"
)

func init() {
	maps.Copy(samples, policySamples)
	maps.Copy(neverFilled, map[string]string{
		"GetPolicyGroup accounts":                          "there are no Insights accounts",
		"GetPolicyGroup agentPoolId":                       "policy packs are run by the clients that update stacks",
		"ListPolicyGroups policyGroups[].numAccounts":      "there are no Insights accounts",
		"GetStackPolicyGroups policyGroups[].numAccounts":  "there are no Insights accounts",
		"ListPolicyIssues policyIssues[].resourceVersion":  "only resources of Insights have versions",
		"GetPolicyIssue policyIssue.resourceVersion":       "only resources of Insights have versions",
		"UpdatePolicyIssue policyIssue.resourceVersion":    "only resources of Insights have versions",
		"ListPolicyIssues policyIssues[].assignedTo.email": "the administrator of a test has no address",
		"GetPolicyIssue policyIssue.assignedTo.email":      "the administrator of a test has no address",
		"UpdatePolicyIssue policyIssue.assignedTo.email":   "the administrator of a test has no address",
	})
}

// packOf is what a client announces of a version of a pack with one policy, "short", that takes the property max.
func packOf(name, tag string) map[string]any {
	return map[string]any{
		"name": name, "displayName": "Names of " + name, "versionTag": tag, "description": "about names", "readme": "# Names", "provider": "any",
		"tags": []string{"names"}, "repository": "https://example.com/names", "runtime": "nodejs", "metadata": map[string]string{"git.head": "abc"},
		"policies": []any{map[string]any{
			"name": "short", "displayName": "Short", "description": "Names are short", "enforcementLevel": "mandatory", "message": "too long",
			"severity": "high", "tags": []string{"style"}, "remediationSteps": "shorten it", "url": "https://example.com/short",
			"framework":    map[string]any{"name": "f", "version": "1", "reference": "r", "specification": "s"},
			"configSchema": map[string]any{"type": "object", "properties": map[string]any{"max": map[string]any{"type": "integer", "minimum": 1}}, "required": []string{"max"}},
		}},
	}
}

// inOrg is a path below the organization.
func (c *client) inOrg(below string) string { return "/orgs/" + c.Org + below }

// announced is the answer to the announcement of a version.
type announced struct {
	Version         int64
	UploadURI       string
	RequiredHeaders map[string]string
}

func (c *client) announce(name, tag string) announced {
	c.T.Helper()
	var out announced
	c.call("POST", c.inOrg("/policypacks"), packOf(name, tag)).Into(c.T, http.StatusCreated, &out)
	return out
}

// follow makes a call to an address that an answer gave out, as a client does: without a credential.
func (c *client) follow(method, address string, header map[string]string, body any) boottest.Answer {
	c.T.Helper()
	path, ok := strings.CutPrefix(address, "http://example.com") // what net/http/httptest calls itself
	if !ok {
		c.T.Fatalf("%q is no address of this server", address)
	}
	h := http.Header{}
	for k, v := range header {
		h.Set(k, v)
	}
	return c.Do(boottest.Request{Method: method, Path: path, Header: h, Body: body})
}

// publish publishes a version of a pack.
func (c *client) publish(name, tag string) {
	c.T.Helper()
	a := c.announce(name, tag)
	c.follow("PUT", a.UploadURI, a.RequiredHeaders, []byte("archive of "+name+" "+tag)).Into(c.T, http.StatusOK, nil)
	c.call("POST", c.inOrg("/policypacks/"+name+"/versions/"+tag+"/complete"), nil).Into(c.T, http.StatusNoContent, nil)
}

// group makes a policy group that holds a stack and enforces a pack, and returns its path below /api.
func (c *client) group(name, mode, stack, pack string) string {
	c.T.Helper()
	c.call("POST", c.inOrg("/policygroups"), map[string]any{"name": name, "mode": mode}).Into(c.T, http.StatusNoContent, nil)
	at := c.inOrg("/policygroups/" + name)
	c.call("PATCH", at, map[string]any{"addStack": reference(stack), "addPolicyPack": map[string]any{
		"name": pack, "config": map[string]any{"short": map[string]any{"enforcementLevel": "mandatory", "max": 5}}, "environments": []string{"shared/names"},
	}}).Into(c.T, http.StatusNoContent, nil)
	return at
}

// reference names a stack as requests about policy groups do.
func reference(stack string) map[string]any {
	segs := strings.Split(stack, "/")
	return map[string]any{"routingProject": segs[3], "name": segs[4]}
}

// violation is the engine event of a resource that violates the policy.
func violation(sequence int, urn, pack, tag, message string) map[string]any {
	return map[string]any{"sequence": sequence, "timestamp": 1, "policyEvent": map[string]any{
		"resourceUrn": urn, "message": "<{%reset%}>" + message + "<{%reset%}>", "color": "raw", "policyName": "short", "policyPackName": pack,
		"policyPackVersion": tag, "policyPackVersionTag": tag, "enforcementLevel": "mandatory", "severity": "high",
	}}
}

// analyzed is the engine event of a resource that a pack was run on.
func analyzed(sequence int, urn, pack, tag string, passed, failed []string) map[string]any {
	return map[string]any{"sequence": sequence, "timestamp": 1, "policyAnalyzeSummaryEvent": map[string]any{
		"resourceUrn": urn, "policyPackName": pack, "policyPackVersion": tag, "policyPackVersionTag": tag, "passed": passed, "failed": failed,
	}}
}

// ran runs an update that tells these events.
func (c *client) ran(stack, outcome string, events ...any) *running {
	c.T.Helper()
	u := c.start(stack, "update", 1)
	u.journal(u.made(urn(1))...).Into(c.T, http.StatusNoContent, nil)
	u.record(events...).Into(c.T, http.StatusOK, nil)
	u.complete(outcome).Into(c.T, http.StatusNoContent, nil)
	c.Relay()
	return u
}

type issue struct {
	ID, Status, Message, PolicyGroupName, EntityProject, EntityID, Priority, ResourceType, ResourceName string
	StackVersion                                                                                        int64
}

// issues lists the policy issues of the organization, newest first.
func (c *client) issues(query string, body map[string]any) []issue {
	c.T.Helper()
	var out struct{ PolicyIssues []issue }
	c.call("POST", c.inOrg("/policyresults/issues"+query), body).Into(c.T, http.StatusOK, &out)
	return out.PolicyIssues
}

// violated makes a stack in a group of its own that enforces a pack of its own, and an update of it that violates the pack; it returns the
// issue's path.
func (c *client) violated() string {
	c.T.Helper()
	stack, pack := c.fresh(), "pack"+c.Hex(4)
	c.publish(pack, "1.0.0")
	c.group("group"+c.Hex(4), "preventative", stack, pack)
	u := c.ran(stack, "failed", violation(0, urn(1), pack, "1.0.0", "too long"), analyzed(1, urn(1), pack, "1.0.0", nil, []string{"short"}))
	found := c.issues("", map[string]any{"filterModel": map[string]any{"type": "AND", "conditions": []any{
		map[string]any{"colId": "entityId", "filterType": "text", "type": "equals", "filter": strings.Split(u.stack, "/")[4]},
	}}})
	if len(found) != 1 {
		c.T.Fatalf("the update left %d issues", len(found))
	}
	at := c.inOrg("/policyresults/issues/" + found[0].ID)
	c.call("PATCH", at, map[string]any{"assignedTo": "admin"}).Into(c.T, http.StatusOK, nil)
	return at
}

// packed samples a row on a published version of a pack.
func packed(method, below string) guarantee.Sample {
	return func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		name := "pack" + c.Hex(4)
		c.publish(name, "1.0.0")
		return at(method, c.inOrg("/policypacks/"+name+below), nil)
	}
}

// governed samples a row on a policy group that holds a stack and enforces a pack.
func governed(method, below string, body any) guarantee.Sample {
	return func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		pack := "pack" + c.Hex(4)
		c.publish(pack, "1.0.0")
		return at(method, c.group("group"+c.Hex(4), "preventative", c.fresh(), pack)+below, body)
	}
}

// governedStack samples a row on a stack that is in a policy group.
func governedStack(below string) guarantee.Sample {
	return func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		stack, pack := c.fresh(), "pack"+c.Hex(4)
		c.publish(pack, "1.0.0")
		c.group("group"+c.Hex(4), "preventative", stack, pack)
		return at("GET", stack+below, nil)
	}
}

// unauthorized is a call to an address that an answer gave out.
func unauthorized(method, address string, body any) boottest.Request {
	return boottest.Request{Method: method, Path: strings.TrimPrefix(address, "http://example.com"), Body: body}
}

var policySamples = map[string]guarantee.Sample{
	"ListPolicyPacks_orgs": packedList,
	"CreatePolicyPack": func(p *boottest.Plane) boottest.Request {
		return at("POST", "/orgs/"+p.Org+"/policypacks", packOf("pack"+p.Hex(4), "1.0.0"))
	},
	"DeletePolicyPack_orgs_policypacks": packed("DELETE", ""),
	"GetPolicyPack":                     packed("GET", "/versions/1.0.0"),
	"DeletePolicyPackVersion":           packed("DELETE", "/versions/1.0.0"),
	"CompletePolicyPack":                packed("POST", "/versions/1.0.0/complete"),
	"GetPolicyPackConfigSchema":         packed("GET", "/versions/1.0.0/schema"),
	"UploadPolicyPack": func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		return unauthorized("PUT", c.announce("pack"+c.Hex(4), "1.0.0").UploadURI, []byte("an archive"))
	},
	"DownloadPolicyPack": func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		stack, pack := c.fresh(), "pack"+c.Hex(4)
		c.publish(pack, "1.0.0")
		c.group("group"+c.Hex(4), "preventative", stack, pack)
		return unauthorized("GET", c.required(stack, "")[0].PackLocation, nil)
	},
	"GetStackPolicyPacks": governedStack("/policypacks"),

	"ListPolicyGroups": func(p *boottest.Plane) boottest.Request { return at("GET", "/orgs/"+p.Org+"/policygroups", nil) },
	"NewPolicyGroup": func(p *boottest.Plane) boottest.Request {
		return at("POST", "/orgs/"+p.Org+"/policygroups", map[string]any{"name": "group" + p.Hex(4), "mode": "audit", "entityType": "stacks"})
	},
	"GetPolicyGroup":         governed("GET", "", nil),
	"DeletePolicyGroup":      governed("DELETE", "", nil),
	"UpdatePolicyGroup":      governed("PATCH", "", map[string]any{"policyPacks": []any{}}),
	"BatchUpdatePolicyGroup": governed("PATCH", "/batch", []any{map[string]any{"policyPacks": []any{}}, map[string]any{"stacks": []any{}}}),
	"GetStackPolicyGroups":   governedStack("/policygroups"),

	"GetPolicyComplianceResults": func(p *boottest.Plane) boottest.Request {
		administrator(p).violated()
		administrator(p).violated()
		return at("POST", "/orgs/"+p.Org+"/policyresults/compliance", map[string]any{"entity": "stack", "size": 1})
	},
	"ListPolicyIssues": func(p *boottest.Plane) boottest.Request {
		administrator(p).violated()
		return at("POST", "/orgs/"+p.Org+"/policyresults/issues", map[string]any{"startRow": 0, "endRow": 10})
	},
	"GetPolicyIssue": func(p *boottest.Plane) boottest.Request { return at("GET", administrator(p).violated(), nil) },
	"UpdatePolicyIssue": func(p *boottest.Plane) boottest.Request {
		return at("PATCH", administrator(p).violated(), map[string]any{"status": "in_progress", "priority": "p0", "assignedTo": "admin"})
	},
}

func packedList(p *boottest.Plane) boottest.Request {
	r := packed("GET", "")(p)
	r.Path = r.Path[:strings.LastIndexByte(r.Path, '/')]
	return r
}

type requirement struct {
	Name, VersionTag, DisplayName, PackLocation string
	Version                                     int64
	Config                                      map[string]map[string]any
}

// required are the packs that a stack's groups demand.
func (c *client) required(stack, query string) []requirement {
	c.T.Helper()
	var out struct{ RequiredPolicies []requirement }
	c.call("GET", stack+"/policypacks"+query, nil).Into(c.T, http.StatusOK, &out)
	return out.RequiredPolicies
}
