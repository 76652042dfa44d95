package pulumi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/policy"
)

func TestAPackIsUsableOnceItsArchiveWasUploadedAndItWasDeclaredComplete(t *testing.T) {
	c := newClient(t)
	a := c.announce("names", "1.0.0")
	require.EqualValues(t, 1, a.Version)
	complete := c.inOrg("/policypacks/names/versions/1.0.0/complete")
	c.call("POST", complete, nil).Into(t, http.StatusBadRequest, nil)
	c.call("GET", c.inOrg("/policypacks/names/versions/1.0.0"), nil).Into(t, http.StatusNotFound, nil)

	c.follow("PUT", a.UploadURI, a.RequiredHeaders, []byte{0x1f, 0x8b, 0, 1, 2}).Into(t, http.StatusOK, nil)
	require.NotContains(t, string(c.call("GET", c.inOrg("/policypacks"), nil).Body), "names")
	c.call("POST", complete, nil).Into(t, http.StatusNoContent, nil)
	c.call("POST", complete, nil).Into(t, http.StatusNoContent, nil)

	var got struct {
		Version  int64
		Applied  bool
		Policies []map[string]any
	}
	for _, called := range []string{"1.0.0", "1"} {
		c.call("GET", c.inOrg("/policypacks/names/versions/"+called), nil).Into(t, http.StatusOK, &got)
		require.EqualValues(t, 1, got.Version)
		require.False(t, got.Applied)
	}
	require.Equal(t, packOf("names", "")["policies"].([]any)[0].(map[string]any)["framework"], got.Policies[0]["framework"])

	late := c.follow("PUT", a.UploadURI, a.RequiredHeaders, []byte("another archive"))
	require.Equal(t, http.StatusConflict, late.Status, "a published version was changed")
}

func TestAnArchiveComesBackByteForByteWithoutACredential(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	archive := bytes.Repeat([]byte{0x1f, 0x8b, 8, 0, 255, 7}, 500_000)
	a := c.announce("names", "1.0.0")
	c.follow("PUT", a.UploadURI, a.RequiredHeaders, []byte("a first try")).Into(t, http.StatusOK, nil)
	c.follow("PUT", a.UploadURI, a.RequiredHeaders, archive).Into(t, http.StatusOK, nil)
	c.call("POST", c.inOrg("/policypacks/names/versions/1/complete"), nil).Into(t, http.StatusNoContent, nil)
	c.group("g", "preventative", stack, "names")

	got := c.follow("GET", c.required(stack, "")[0].PackLocation, nil, nil)
	require.Equal(t, http.StatusOK, got.Status)
	require.True(t, bytes.Equal(archive, got.Body))
	require.Empty(t, got.Header.Get("Content-Encoding"))
}

func TestALinkToAnArchiveIsForOneVersionOnePurposeAndTwoHours(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	a := c.announce("names", "1.0.0")
	c.publish("others", "1.0.0")
	c.group("g", "preventative", stack, "others")
	fetch := c.required(stack, "")[0].PackLocation

	nowhere := func(method, address string) {
		t.Helper()
		got := c.follow(method, address, nil, []byte("x"))
		require.Equal(t, http.StatusNotFound, got.Status, "%s", got)
		isVendorError(t, got)
	}
	swap := func(address, from, to string) string { return strings.Replace(address, from, to, 1) }
	nowhere("GET", swap(a.UploadURI, "/uploads/", "/"))
	nowhere("PUT", swap(fetch, "/policyarchives/", "/policyarchives/uploads/"))
	last := len(a.UploadURI) - 1
	nowhere("PUT", a.UploadURI[:last]+map[bool]string{true: "B", false: "A"}[a.UploadURI[last] == 'A'])
	nowhere("PUT", a.UploadURI[:len(a.UploadURI)-20])

	again := c.announce("names", "1.0.0")
	require.Equal(t, a.Version, again.Version, "a version that nobody completed lost its number")
	nowhere("PUT", a.UploadURI) // another attempt has the version now

	c.Clock.Add(policy.LinkLife)
	nowhere("PUT", again.UploadURI)
	nowhere("GET", fetch)
}

func TestVersionsAreNumberedWithoutGapsAndTheirTagsAreUnique(t *testing.T) {
	c := newClient(t)
	c.publish("names", "1.0.0")
	a := c.call("POST", c.inOrg("/policypacks"), packOf("names", "1.0.0"))
	require.Equal(t, http.StatusConflict, a.Status, "%s", a)
	require.Contains(t, string(a.Body), "already exists")
	require.EqualValues(t, 2, c.announce("names", "").Version)
	require.EqualValues(t, 3, c.announce("names", "beta").Version)

	bad := packOf("names", "a b")
	require.Equal(t, http.StatusBadRequest, c.call("POST", c.inOrg("/policypacks"), bad).Status)
	bad = packOf("a b", "1")
	require.Equal(t, http.StatusBadRequest, c.call("POST", c.inOrg("/policypacks"), bad).Status)
	for what, schema := range map[string]any{
		"no schema": map[string]any{"max": map[string]any{"type": "nothing"}},
		"a file":    map[string]any{"max": map[string]any{"$ref": "file:///etc/passwd"}},
		"the web":   map[string]any{"max": map[string]any{"$ref": "http://127.0.0.1/schema"}},
	} {
		bad = packOf("names", "9")
		bad["policies"].([]any)[0].(map[string]any)["configSchema"] = map[string]any{"type": "object", "properties": schema}
		got := c.call("POST", c.inOrg("/policypacks"), bad)
		require.Equal(t, http.StatusBadRequest, got.Status, "%s: %s", what, got)
		require.Contains(t, string(got.Body), "configSchema")
	}
}

func TestAVersionThatAGroupUsesCannotBeDeletedAndTheGroupIsNamed(t *testing.T) {
	c := newClient(t)
	c.publish("names", "1.0.0")
	c.publish("names", "2.0.0")
	g := c.group("strict", "preventative", c.fresh(), "names") // the newest
	for _, below := range []string{"/policypacks/names", "/policypacks/names/versions/2.0.0"} {
		a := c.call("DELETE", c.inOrg(below), nil)
		require.Equal(t, http.StatusConflict, a.Status, "%s", a)
		require.Contains(t, string(a.Body), "strict")
	}
	c.call("DELETE", c.inOrg("/policypacks/names/versions/1.0.0"), nil).Into(t, http.StatusOK, nil)
	c.call("PATCH", g, map[string]any{"removePolicyPack": map[string]any{"name": "names"}}).Into(t, http.StatusNoContent, nil)
	c.call("DELETE", c.inOrg("/policypacks/names"), nil).Into(t, http.StatusOK, nil)
	c.Relay()
	c.call("DELETE", c.inOrg("/policypacks/names"), nil).Into(t, http.StatusNotFound, nil)
	require.EqualValues(t, 1, c.announce("names", "2.0.0").Version, "a new pack goes on where a deleted one ended")
}

func TestTheDefaultGroupHoldsEveryStackThatIsInNoOther(t *testing.T) {
	c := newClient(t)
	c.publish("names", "1.0.0")
	c.publish("others", "1.0.0")
	a, b := c.fresh(), c.fresh()
	fallback := c.inOrg("/policygroups/default-policy-group")
	c.call("PATCH", fallback, map[string]any{"addPolicyPack": map[string]any{"name": "names", "version": 1}}).Into(t, http.StatusNoContent, nil)
	demanded := func(stack string) string {
		var names []string
		for _, r := range c.required(stack, "") {
			names = append(names, r.Name)
		}
		return strings.Join(names, ",")
	}
	require.Equal(t, "names", demanded(a))
	for _, at := range []string{fallback, a + "/policygroups"} {
		require.Contains(t, string(c.call("GET", at, nil).Body), `"isOrgDefault":true`)
	}
	require.Contains(t, string(c.call("GET", c.inOrg("/policypacks/names/versions/1"), nil).Body), `"applied":true`)
	g := c.group("g", "preventative", a, "others")
	require.Equal(t, "others", demanded(a))
	require.Equal(t, "names", demanded(b))

	counts := func() string {
		var out struct {
			PolicyGroups []struct {
				Name      string
				NumStacks int
			}
		}
		c.call("GET", c.inOrg("/policygroups"), nil).Into(t, http.StatusOK, &out)
		return fmt.Sprint(out.PolicyGroups)
	}
	require.Equal(t, "[{default-policy-group 1} {g 1}]", counts())
	require.Equal(t, http.StatusBadRequest, c.call("PATCH", fallback, map[string]any{"removeStack": reference(b)}).Status)
	c.call("PATCH", fallback, map[string]any{"addStack": reference(a)}).Into(t, http.StatusNoContent, nil)
	require.Equal(t, "others,names", demanded(a))
	require.Equal(t, "[{default-policy-group 2} {g 1}]", counts())
	c.call("PATCH", fallback, map[string]any{"removeStack": reference(a)}).Into(t, http.StatusNoContent, nil)

	require.Equal(t, http.StatusBadRequest, c.call("DELETE", fallback, nil).Status)
	require.Equal(t, http.StatusBadRequest, c.call("PATCH", fallback, map[string]any{"newName": "x"}).Status)
	c.call("DELETE", g, nil).Into(t, http.StatusNoContent, nil)
	require.Equal(t, "names", demanded(a), "before the memberships are purged")
	c.Relay()
	require.Equal(t, "names", demanded(a))
	require.Equal(t, "[{default-policy-group 2}]", counts())
	c.call("DELETE", c.inOrg("/policypacks/others"), nil).Into(t, http.StatusOK, nil)
}

func TestAnEnforcedPackComesWithEveryUpdateThatIsCreated(t *testing.T) {
	c := newClient(t)
	c.publish("names", "1.0.0")
	stack := c.fresh()
	c.group("g", "preventative", stack, "names")
	for _, kind := range []string{"update", "preview", "refresh", "destroy"} {
		var made struct{ RequiredPolicies []requirement }
		c.call("POST", stack+"/"+kind, program).Into(t, http.StatusOK, &made)
		require.Len(t, made.RequiredPolicies, 1, kind)
		r := made.RequiredPolicies[0]
		require.Equal(t, "names 1.0.0 1", fmt.Sprint(r.Name, " ", r.VersionTag, " ", r.Version))
		require.Equal(t, map[string]any{"enforcementLevel": "mandatory", "max": 5.0}, r.Config["short"])
		require.Equal(t, "archive of names 1.0.0", string(c.follow("GET", r.PackLocation, nil, nil).Body))
	}
}

func TestAnAuditGroupReportsAndStopsNothing(t *testing.T) {
	c := newClient(t)
	c.publish("names", "1.0.0")
	stack := c.fresh()
	at := c.group("watch", "audit", stack, "names")
	require.Equal(t, map[string]any{"enforcementLevel": "advisory", "max": 5.0}, c.required(stack, "?mode=audit")[0].Config["short"])
	require.Empty(t, c.required(stack, "?mode=preventative"))
	var g struct {
		AppliedPolicyPacks []struct{ Config map[string]map[string]any }
	}
	c.call("GET", at, nil).Into(t, http.StatusOK, &g)
	require.Equal(t, "mandatory", g.AppliedPolicyPacks[0].Config["short"]["enforcementLevel"], "the configuration is shown as it was given")

	c.group("strict", "preventative", stack, "names")
	required := c.required(stack, "")
	require.Len(t, required, 1)
	require.Equal(t, "mandatory", required[0].Config["short"]["enforcementLevel"], "a preventative group counts before one that audits")
}

func TestAConfigurationMustFitTheSchemasOfThePack(t *testing.T) {
	c := newClient(t)
	c.publish("names", "1.0.0")
	fallback := c.inOrg("/policygroups/default-policy-group")
	for what, x := range map[string]struct {
		config any
		field  string
	}{
		"an unknown policy":       {map[string]any{"long": map[string]any{}}, "config.long"},
		"too small":               {map[string]any{"short": map[string]any{"max": 0}}, "config.short.max"},
		"a text":                  {map[string]any{"short": map[string]any{"max": "5"}}, "config.short.max"},
		"without what it needs":   {map[string]any{"short": map[string]any{"min": 1}}, "config.short"},
		"an unknown level":        {map[string]any{"short": map[string]any{"enforcementLevel": "strict"}}, "enforcementLevel"},
		"more than all can take":  {map[string]any{"all": map[string]any{"max": 5}}, "config.all"},
		"a policy that is a text": {map[string]any{"short": "mandatory"}, "config.short"},
	} {
		a := c.call("PATCH", fallback, map[string]any{"addPolicyPack": map[string]any{"name": "names", "config": x.config}})
		require.Equal(t, http.StatusBadRequest, a.Status, "%s: %s", what, a)
		require.Contains(t, string(a.Body), x.field, what)
	}
	for _, config := range []any{
		nil, map[string]any{"all": map[string]any{"enforcementLevel": "advisory"}}, map[string]any{"short": map[string]any{"enforcementLevel": "disabled"}},
		map[string]any{"short": map[string]any{"max": 7}},
	} {
		c.call("PATCH", fallback, map[string]any{"addPolicyPack": map[string]any{"name": "names", "config": config}}).Into(t, http.StatusNoContent, nil)
	}
}

func TestABatchOfChangesIsMadeAsAWholeOrNotAtAll(t *testing.T) {
	c := newClient(t)
	c.publish("names", "1.0.0")
	a, b := c.fresh(), c.fresh()
	g := c.group("g", "preventative", a, "names")
	batch := func(changes ...any) int { t.Helper(); return c.call("PATCH", g+"/batch", changes).Status }
	add := func(s string) map[string]any { return map[string]any{"addStack": reference(s)} }

	require.Equal(t, http.StatusNotFound, batch(map[string]any{"newName": "h"}, add(b), map[string]any{"removePolicyPack": map[string]any{"name": "others"}}))
	require.Equal(t, http.StatusBadRequest, batch(add(b), map[string]any{"stackMatchRule": map[string]any{"a": 1}}))
	require.Equal(t, http.StatusBadRequest, batch(map[string]any{"addInsightsAccount": map[string]any{"name": "x"}}))
	require.Empty(t, c.required(b, ""))
	require.Equal(t, http.StatusNoContent, batch(map[string]any{"newName": "h"}, add(b), map[string]any{"removeStack": reference(a)}))
	require.Empty(t, c.required(a, ""))
	require.Len(t, c.required(b, ""), 1)
	c.call("GET", g, nil).Into(t, http.StatusNotFound, nil)
	var got struct{ Stacks []map[string]any }
	c.call("GET", c.inOrg("/policygroups/h"), nil).Into(t, http.StatusOK, &got)
	require.Equal(t, []map[string]any{reference(b)}, got.Stacks)
	c.call("POST", c.inOrg("/policygroups"), map[string]any{"name": "h", "mode": "audit"}).Into(t, http.StatusConflict, nil)
	c.call("POST", c.inOrg("/policygroups"), map[string]any{"name": "metadata", "mode": "audit"}).Into(t, http.StatusBadRequest, nil)
	c.call("POST", c.inOrg("/policygroups"), map[string]any{"name": "g", "entityType": "accounts"}).Into(t, http.StatusNoContent, nil)
	require.Contains(t, string(c.call("GET", c.inOrg("/policygroups/g"), nil).Body), `"mode":"audit"`)
}

func TestAViolationIsAnIssueUntilALaterUpdateDoesNotReportIt(t *testing.T) {
	c := newClient(t)
	c.publish("names", "1.0.0")
	stack := c.fresh()
	c.group("g", "preventative", stack, "names")
	short := []string{"short"}
	c.ran(stack, "failed", violation(0, urn(1), "names", "1.0.0", "too long"), analyzed(1, urn(1), "names", "1.0.0", nil, short))
	found := c.issues("", map[string]any{"groupKeys": nil, "rowGroupCols": nil, "valueCols": nil, "sortModel": nil, "filterModel": nil})
	require.Len(t, found, 1)
	first := found[0]
	require.Equal(t, "open too long g p1 t:i:R r1 1", fmt.Sprint(first.Status, " ", first.Message, " ", first.PolicyGroupName, " ", first.Priority, " ", first.ResourceType, " ", first.ResourceName, " ", first.StackVersion))

	c.ran(stack, "failed") // stopped before any policy was asked
	require.Len(t, c.issues("", map[string]any{}), 1)
	c.ran(stack, "succeeded", analyzed(0, urn(2), "names", "1.0.0", short, nil)) // of another resource alone
	require.Len(t, c.issues("", map[string]any{}), 1)

	c.ran(stack, "succeeded", analyzed(0, urn(1), "names", "1.0.0", short, nil))
	require.Empty(t, c.issues("", map[string]any{}))
	require.Equal(t, "fixed", c.issues("?closed=true", map[string]any{})[0].Status)

	c.ran(stack, "succeeded", violation(0, urn(1), "names", "1.0.0", "too long again"), violation(1, urn(2), "names", "1.0.0", "too long"))
	found = c.issues("", map[string]any{"sortModel": []any{map[string]any{"colId": "resourceName", "sort": "asc"}}})
	require.Len(t, found, 2)
	require.Equal(t, first.ID, found[0].ID, "the same violation is another issue")

	at := c.inOrg("/policyresults/issues/" + first.ID)
	c.call("PATCH", at, map[string]any{"status": "ignored"}).Into(t, http.StatusOK, nil)
	require.Equal(t, http.StatusBadRequest, c.call("PATCH", at, map[string]any{"status": "fixed"}).Status)
	require.Equal(t, http.StatusBadRequest, c.call("PATCH", at, map[string]any{"assignedTo": "nobody"}).Status)
	c.ran(stack, "succeeded", violation(0, urn(1), "names", "1.0.0", "still"))
	require.Equal(t, "ignored", c.issues("?closed=true", map[string]any{"sortModel": []any{map[string]any{"colId": "resourceName", "sort": "asc"}}})[0].Status)

	c.call("DELETE", stack+"?force=true", nil).Into(t, http.StatusNoContent, nil)
	require.Empty(t, c.issues("?closed=true", map[string]any{}))
	c.Relay()
	c.call("GET", at, nil).Into(t, http.StatusNotFound, nil)
}

func TestAnUpdateThatIsTaughtTwiceOrTooLateChangesNoIssue(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	u := c.start(stack, "update", 1)
	u.record(violation(0, urn(1), "mine", "", "local pack")).Into(t, http.StatusOK, nil)
	u.complete("succeeded").Into(t, http.StatusNoContent, nil)
	v := c.start(stack, "update", 1)
	v.complete("succeeded").Into(t, http.StatusNoContent, nil)
	c.Relay()
	c.Clock.Add(time.Hour)
	c.Relay()
	require.Empty(t, c.issues("", map[string]any{}))
	require.LessOrEqual(t, len(c.issues("?closed=true", map[string]any{})), 1)
}

func TestIssuesAreFilteredSortedPagedAndGrouped(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	var events []any
	for n := range 7 {
		events = append(events, violation(n, urn(n), fmt.Sprintf("pack%d", n%2), "1", fmt.Sprintf("no %d", n)))
	}
	c.ran(stack, "succeeded", events...)
	names := func(body map[string]any) string {
		var out []string
		for _, i := range c.issues("", body) {
			out = append(out, i.ResourceName)
		}
		return strings.Join(out, " ")
	}
	byName := []any{map[string]any{"colId": "resourceName", "sort": "desc"}}
	require.Equal(t, "r6 r5 r4", names(map[string]any{"startRow": 0, "endRow": 3, "sortModel": byName}))
	require.Equal(t, "r0", names(map[string]any{"startRow": 6, "endRow": 9, "sortModel": byName}))
	leaf := func(column, value string) any {
		return map[string]any{"colId": column, "filterType": "text", "type": "equals", "filter": value}
	}
	require.Equal(t, "r4 r2 r1", names(map[string]any{"sortModel": byName, "filterModel": map[string]any{"type": "OR", "conditions": []any{
		leaf("resourceName", "r1"),
		map[string]any{"filterType": "join", "type": "AND", "conditions": []any{leaf("policyPack", "pack0"), map[string]any{"colId": "message", "type": "contains", "filter": "2"}}},
		leaf("resourceURN", urn(4)),
	}}}))
	for _, bad := range []map[string]any{
		{"sortModel": []any{map[string]any{"colId": "colour", "sort": "asc"}}},
		{"filterModel": map[string]any{"type": "AND", "conditions": []any{leaf("colour", "red")}}},
		{"filterModel": map[string]any{"type": "AND", "conditions": []any{map[string]any{"colId": "status", "type": "like"}}}},
		{"rowGroupCols": []any{map[string]any{"id": "colour"}}},
		{"valueCols": []any{map[string]any{"id": "status", "aggFunc": "sum"}}},
	} {
		require.Equal(t, http.StatusBadRequest, c.call("POST", c.inOrg("/policyresults/issues"), bad).Status, "%v", bad)
	}
	var out struct {
		GroupData    []map[string]any
		PolicyIssues []issue
		RowCount     int
	}
	grouped := map[string]any{"rowGroupCols": []any{map[string]any{"id": "policyPack"}}, "valueCols": []any{map[string]any{"id": "resourceName", "aggFunc": "max"}}}
	c.call("POST", c.inOrg("/policyresults/issues"), grouped).Into(t, http.StatusOK, &out)
	require.Equal(t, []map[string]any{{"policyPack": "pack0", "count": 4.0, "resourceName": "r6"}, {"policyPack": "pack1", "count": 3.0, "resourceName": "r5"}}, out.GroupData)
	grouped["groupKeys"] = []string{"pack1"}
	c.call("POST", c.inOrg("/policyresults/issues"), grouped).Into(t, http.StatusOK, &out)
	require.Equal(t, 3, out.RowCount)
	require.Len(t, out.PolicyIssues, 3)
}

func TestComplianceIsCountedFromWhatPoliciesWereAsked(t *testing.T) {
	c := newClient(t)
	c.publish("names", "1.0.0")
	a, b := c.fresh(), c.fresh()
	g := c.group("g", "preventative", a, "names")
	c.call("PATCH", g, map[string]any{"addStack": reference(b)}).Into(t, http.StatusNoContent, nil)
	short := []string{"short"}
	c.ran(a, "succeeded", analyzed(0, urn(1), "names", "1.0.0", short, nil), analyzed(1, urn(2), "names", "1.0.0", short, nil),
		analyzed(2, urn(3), "names", "1.0.0", nil, short), violation(3, urn(3), "names", "1.0.0", "too long"))
	c.ran(b, "succeeded", analyzed(0, urn(1), "names", "1.0.0", short, nil))

	type table struct {
		Columns []string
		Rows    []struct {
			EntityName string
			Scores     []int
		}
		ContinuationToken string
	}
	ask := func(body map[string]any) table {
		t.Helper()
		var out table
		c.call("POST", c.inOrg("/policyresults/compliance"), body).Into(t, http.StatusOK, &out)
		return out
	}
	first := ask(map[string]any{"entity": "stack", "size": 1})
	require.Equal(t, []string{"g/names"}, first.Columns)
	require.Len(t, first.Rows, 1)
	second := ask(map[string]any{"entity": "stack", "size": 1, "continuationToken": first.ContinuationToken})
	scores := map[string][]int{first.Rows[0].EntityName: first.Rows[0].Scores, second.Rows[0].EntityName: second.Rows[0].Scores}
	name := func(s string) string { r := reference(s); return fmt.Sprint(r["routingProject"], "/", r["name"]) }
	require.Equal(t, map[string][]int{name(a): {66}, name(b): {100}}, scores)

	bySeverity := ask(map[string]any{"entity": "severity"})
	require.Equal(t, []string{"critical", "high", "medium", "low", "unspecified"}, bySeverity.Columns)
	require.Equal(t, []int{-1, 75, -1, -1, -1}, bySeverity.Rows[0].Scores)
	require.Empty(t, ask(map[string]any{"entity": "account"}).Rows)
	require.Equal(t, http.StatusBadRequest, c.call("POST", c.inOrg("/policyresults/compliance"), map[string]any{"entity": "severity", "continuationToken": first.ContinuationToken}).Status)
}

func TestATransferredStackTakesNothingOfThePoliciesOfItsOldOrganization(t *testing.T) {
	c := newClient(t)
	at := c.violated()
	var found struct{ PolicyIssue issue }
	c.call("GET", at, nil).Into(t, http.StatusOK, &found)
	stack := fmt.Sprintf("/stacks/%s/%s/%s", c.Org, found.PolicyIssue.EntityProject, found.PolicyIssue.EntityID)
	require.Len(t, c.required(stack, ""), 1)
	other := c.annex()
	c.call("POST", stack+"/transfer", map[string]any{"toOrg": other}).Into(t, http.StatusNoContent, nil)
	moved := strings.Replace(stack, "/"+c.Org+"/", "/"+other+"/", 1)
	require.Empty(t, c.required(moved, ""))
	c.call("GET", at, nil).Into(t, http.StatusNotFound, nil)
	c.Relay()
	require.Empty(t, c.issues("", map[string]any{}))
}

func TestTheHistorySaysWhichPolicyPacksAnUpdateHadToRun(t *testing.T) {
	c := newClient(t)
	c.publish("names", "1.0.0")
	stack := c.fresh()
	g := c.group("strict", "preventative", stack, "names")
	c.finished(stack)
	c.preview(stack).complete("succeeded").Into(t, http.StatusNoContent, nil)
	c.call("PATCH", g, map[string]any{"removePolicyPack": map[string]any{"name": "names"}}).Into(t, http.StatusNoContent, nil)
	type ran struct {
		PolicyPacks []struct {
			Name, DisplayName, VersionTag string
			Version                       int64
			Config                        map[string]struct{ Max int }
			Environments                  []string
		}
	}
	for _, below := range []string{"/updates?output-type=service", "/updates/latest/previews", "/updates/latest", "/updates/1"} {
		var out struct {
			ran
			Updates []ran
		}
		c.call("GET", stack+below, nil).Into(t, http.StatusOK, &out)
		packs := append(out.Updates, out.ran)[0].PolicyPacks
		require.Len(t, packs, 1, below)
		p := packs[0]
		require.Equal(t, []any{"names", "Names of names", "1.0.0", int64(1), 5, []string{"shared/names"}},
			[]any{p.Name, p.DisplayName, p.VersionTag, p.Version, p.Config["short"].Max, p.Environments}, below)
	}
	c.start(stack, "update", 1).complete("succeeded").Into(t, http.StatusNoContent, nil)
	a := c.call("GET", stack+"/updates/2", nil)
	a.Into(t, http.StatusOK, nil)
	require.NotContains(t, string(a.Body), "policyPacks")
}
