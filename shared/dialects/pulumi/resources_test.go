package pulumi_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/cost"
	"github.com/polyplane/polyplane/shared/core/organization"
)

func TestResourcesAreSampledOncePerHourAndSummedInBuckets(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	u := c.start(stack, "update", 1)
	u.journal(u.made(urn(1))...).Into(t, http.StatusNoContent, nil)
	u.journal(u.made(urn(2))...).Into(t, http.StatusNoContent, nil)
	u.complete("succeeded").Into(t, http.StatusNoContent, nil)
	summary := func(query string) []map[string]any {
		var out struct{ Summary []map[string]any }
		c.call(http.MethodGet, "/orgs/acme/resources/summary?"+query, nil).Into(t, http.StatusOK, &out)
		return out.Summary
	}
	c.call(http.MethodGet, "/orgs/acme/resources/summary?granularity=daily&lookbackDays=2", nil).Into(t, http.StatusNoContent, nil)
	o, err := organization.Find(context.Background(), c.Ports, "acme")
	require.NoError(t, err)
	sample := func() int {
		n, err := cost.SampleAccount(context.Background(), c.Ports, o.Account)
		require.NoError(t, err)
		return n
	}
	require.Equal(t, 1, sample())
	require.Equal(t, 0, sample(), "an hour is counted once")
	c.Clock.Add(time.Hour)
	require.Equal(t, 1, sample())
	c.Clock.Add(24 * time.Hour)
	require.Equal(t, 1, sample())

	hourly := summary("granularity=hourly&lookbackDays=2")
	require.Len(t, hourly, 3)
	require.Equal(t, map[string]any{"year": 2026.0, "month": 1.0, "day": 2.0, "hour": 3.0, "resources": 2.0, "resourceHours": 2.0}, hourly[0])
	require.Equal(t, []map[string]any{
		{"year": 2026.0, "month": 1.0, "day": 2.0, "resources": 2.0, "resourceHours": 4.0},
		{"year": 2026.0, "month": 1.0, "day": 3.0, "resources": 2.0, "resourceHours": 2.0},
	}, summary("granularity=daily&lookbackDays=3"))
	require.Equal(t, []map[string]any{{"year": 2026.0, "weekNumber": 1.0, "resources": 2.0, "resourceHours": 6.0}}, summary("granularity=weekly&lookbackDays=28"))
	require.Equal(t, []map[string]any{{"year": 2026.0, "month": 1.0, "resources": 2.0, "resourceHours": 6.0}}, summary("granularity=monthly&lookbackDays=90"))
	require.Equal(t, []map[string]any{{"year": 2026.0, "resources": 2.0, "resourceHours": 6.0}}, summary("granularity=yearly&lookbackStart=1767312000"))
	for _, bad := range []string{"", "granularity=minutely&lookbackDays=1", "granularity=daily", "granularity=hourly&lookbackDays=3",
		"granularity=daily&lookbackDays=-1", "granularity=daily&lookbackStart=1", "granularity=daily&lookbackDays=1&lookbackStart=1767312000"} {
		c.call(http.MethodGet, "/orgs/acme/resources/summary?"+bad, nil).Into(t, http.StatusBadRequest, nil)
	}
}
