package pulumi_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// pageOfUpdates is an answer of the history in the newer shape.
type pageOfUpdates struct {
	Updates             []latest
	ItemsPerPage, Total int
}

func (p pageOfUpdates) versions() []int64 {
	out := []int64{}
	for _, u := range p.Updates {
		out = append(out, u.Version)
	}
	return out
}

func (c *client) history(stack, query string) (out pageOfUpdates) {
	c.T.Helper()
	c.call("GET", stack+"/updates?output-type=service"+query, nil).Into(c.T, http.StatusOK, &out)
	return out
}

// down counts from a number down to another.
func down(from, to int64) []int64 {
	out := []int64{}
	for ; from >= to; from-- {
		out = append(out, from)
	}
	return out
}

func TestTheHistoryOf250UpdatesComesInPagesEachUpdateOnce(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	require.Empty(t, c.history(stack, "").Updates)
	for range 250 {
		c.start(stack, "update", 1).complete("succeeded").Into(t, http.StatusNoContent, nil)
	}
	all := c.history(stack, "")
	require.Equal(t, down(250, 1), all.versions())
	require.Equal(t, 250, all.Total)
	for _, size := range []int64{1, 7, 100, 249, 250, 251, 1000} {
		var got []int64
		pages := (250 + size - 1) / size
		for page := int64(1); page <= pages; page++ {
			if size == 1 && page > 5 {
				break
			}
			p := c.history(stack, fmt.Sprintf("&page=%d&pageSize=%d", page, size))
			require.Equal(t, 250, p.Total)
			require.EqualValues(t, size, p.ItemsPerPage)
			require.Equal(t, down(250-(page-1)*size, max(250-page*size+1, 1)), p.versions())
			got = append(got, p.versions()...)
		}
		require.Len(t, got, map[bool]int{true: 5, false: 250}[size == 1])
	}
	require.Equal(t, down(250, 241), c.history(stack, "&page=1").versions(), "a page holds ten unless it is asked for more")
	c.Spy.Reset()
	c.history(stack, "&page=25")
	require.LessOrEqual(t, c.Spy.Items(), 12, "a page costs what it shows")
	for _, page := range []string{"26", "251", "1000000", "9223372036854775807", "9223372036854775"} {
		require.Empty(t, c.history(stack, "&page="+page).Updates, "page %s", page)
	}
	for _, bad := range []string{"page=-1", "page=x", "pageSize=0", "pageSize=-1", "pageSize=1001", "page=9223372036854775808", "output-type=other"} {
		c.call("GET", stack+"/updates?"+bad, nil).Into(t, http.StatusBadRequest, nil)
	}
	var older struct {
		Updates []struct {
			Version int64
			Kind    string
			Result  string
		}
	}
	c.call("GET", stack+"/updates?page=2&pageSize=100", nil).Into(t, http.StatusOK, &older)
	require.Len(t, older.Updates, 100)
	require.EqualValues(t, 150, older.Updates[0].Version)
	require.Equal(t, "update succeeded", older.Updates[0].Kind+" "+older.Updates[0].Result)
}

func TestBothShapesOfTheHistoryTellOfKindsResultsAndChanges(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	c.call("GET", stack+"/updates/latest", nil).Into(t, http.StatusNotFound, nil)
	c.finished(stack)
	c.Clock.Add(1e9)
	c.start(stack, "refresh", 1).complete("failed").Into(t, http.StatusNoContent, nil)
	c.imported(stack, odd)
	c.start(stack, "destroy", 1)
	all := c.history(stack, "").Updates
	require.Equal(t, []string{"destroy in-progress", "import succeeded", "refresh failed", "update succeeded"}, []string{
		all[0].Info.Kind + " " + all[0].Info.Result, all[1].Info.Kind + " " + all[1].Info.Result,
		all[2].Info.Kind + " " + all[2].Info.Result, all[3].Info.Kind + " " + all[3].Info.Result,
	})
	require.Zero(t, all[0].Info.EndTime)
	require.NotZero(t, all[1].Info.EndTime)
	require.Nil(t, all[0].Info.ResourceCount)
	require.Equal(t, 2, *all[2].Info.ResourceCount)
	require.Equal(t, map[string]int64{"create": 2}, all[3].Info.ResourceChanges)
	for _, u := range all {
		require.EqualValues(t, 4, u.LatestVersion)
		require.Equal(t, u.Version, u.Info.Version)
	}
	a := c.call("GET", stack+"/updates/1", nil)
	var one struct {
		Info struct {
			Message     string
			Environment map[string]string
			Config      map[string]any
		}
		GithubCommitInfo map[string]any
	}
	a.Into(t, http.StatusOK, &one)
	require.Equal(t, "m", one.Info.Message)
	require.Equal(t, map[string]any{"string": "[\"b\"]", "secret": true, "object": true}, one.Info.Config["a"])
	require.Equal(t, "acme/shop", one.GithubCommitInfo["slug"])
	require.Equal(t, "0123456789abcdef", one.GithubCommitInfo["sha"])
	require.Equal(t, "An Author", one.GithubCommitInfo["author"].(map[string]any)["name"])
	require.Equal(t, "committer@example.com", one.GithubCommitInfo["committer"].(map[string]any)["email"])
	older := string(c.call("GET", stack+"/updates", nil).Body)
	require.Contains(t, older, `"resourceChanges":{"create":2}`)
	require.Contains(t, older, `"git.head":"0123456789abcdef"`)
	for _, below := range []string{"/updates/5", "/updates/999999999999", "/export/5", "/export/9223372036854775807"} {
		a := c.call("GET", stack+below, nil)
		a.Into(t, http.StatusNotFound, nil)
		isVendorError(t, a)
	}
	for _, below := range []string{"/updates/0", "/updates/-1", "/updates/x", "/export/0", "/export/x"} {
		require.GreaterOrEqual(t, c.call("GET", stack+below, nil).Status, 400)
	}
}

func TestPreviewsOfTheLatestVersionComeInEitherOrderAndInPages(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	c.preview(stack).complete("succeeded").Into(t, http.StatusNoContent, nil)
	c.finished(stack)
	var ids []string
	for i := range 25 {
		p := c.preview(stack)
		p.complete(map[bool]string{true: "failed", false: "succeeded"}[i%5 == 0]).Into(t, http.StatusNoContent, nil)
		ids = append(ids, p.id)
	}
	list := func(query string) (out pageOfUpdates) {
		t.Helper()
		c.call("GET", stack+"/updates/latest/previews?"+query, nil).Into(t, http.StatusOK, &out)
		return out
	}
	idsOf := func(p pageOfUpdates) []string {
		out := []string{}
		for _, u := range p.Updates {
			out = append(out, u.UpdateID)
			require.Equal(t, "preview", u.Info.Kind)
			require.EqualValues(t, 2, u.Version, "the version that it would have made")
			require.Nil(t, u.Info.ResourceCount)
		}
		return out
	}
	require.Equal(t, ids, idsOf(list("asc=true")), "those of the version before are not among them")
	all := list("")
	require.Equal(t, 25, all.Total)
	require.Equal(t, ids[24], all.Updates[0].UpdateID)
	require.Equal(t, ids[0], all.Updates[24].UpdateID)
	require.Equal(t, "failed", all.Updates[24].Info.Result)
	require.Equal(t, ids[:10], idsOf(list("asc=true&page=1")))
	require.Equal(t, ids[20:], idsOf(list("asc=true&page=3")))
	require.Equal(t, ids[7:14], idsOf(list("asc=true&page=2&pageSize=7")))
	for _, page := range []string{"4", "1000000", "9223372036854775807", "9223372036854775"} {
		require.Empty(t, list("page="+page).Updates)
		require.Equal(t, 25, list("page="+page).Total)
	}
	c.start(stack, "update", 1).complete("succeeded").Into(t, http.StatusNoContent, nil)
	require.Empty(t, list("").Updates)
}

func TestEveryVersionIsExportedAsItWasThen(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	failed := c.start(stack, "update", 1)
	failed.complete("failed").Into(t, http.StatusNoContent, nil)
	for i := 2; i <= 4; i++ {
		c.imported(stack, fmt.Sprintf(`{"version":3,"deployment":{"manifest":{"time":"2026-01-02T03:04:05Z","magic":"","version":""},"n":%d}}`, i))
	}
	c.start(stack, "update", 1)
	for i := 2; i <= 4; i++ {
		require.Contains(t, string(c.call("GET", fmt.Sprintf("%s/export/%d", stack, i), nil).Body), fmt.Sprintf(`"n":%d}`, i))
	}
	require.Contains(t, string(c.call("GET", stack+"/export/5", nil).Body), `"n":4}`, "a running update has left nothing yet")
	require.JSONEq(t, c.exported(c.fresh()), string(c.call("GET", stack+"/export/1", nil).Body))
	require.NotEqual(t, http.StatusOK, c.call("GET", stack+"/export/6", nil).Status)
}
