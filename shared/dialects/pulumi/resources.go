package pulumi

import (
	"context"
	"net/http"
	"time"

	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/cost"
)

type resourceSummaryIn struct {
	Organization  string `path:"orgName"`
	Granularity   string `query:"granularity" required:"true" enum:"yearly,monthly,weekly,daily,hourly"`
	LookbackDays  int    `query:"lookbackDays"`
	LookbackStart int64  `query:"lookbackStart" doc:"Unix seconds"`
}

// resourceCount is one bucket; the parts of its date that its granularity does not have are absent.
type resourceCount struct {
	Year          int  `json:"year"`
	Month         int  `json:"month,omitempty"`
	Day           int  `json:"day,omitempty"`
	WeekNumber    int  `json:"weekNumber,omitempty"` // ISO 8601, with the year that the week belongs to
	Hour          *int `json:"hour,omitempty"`
	Resources     int  `json:"resources"`
	ResourceHours int  `json:"resourceHours"`
}

type resourceSummaryOut struct {
	Status int
	Body   *struct {
		Summary []resourceCount `json:"summary"`
	}
}

// getResourceSummary answers 204 when nothing was counted in the time asked for.
func (d dialect) getResourceSummary(ctx context.Context, in *resourceSummaryIn) (*resourceSummaryOut, error) {
	g := cost.Granularity(in.Granularity)
	var start time.Time
	if in.LookbackStart != 0 {
		start = time.Unix(in.LookbackStart, 0)
	}
	from, err := cost.LookBack(g, d.Now(), in.LookbackDays, start)
	if err != nil {
		return nil, err
	}
	buckets, err := cost.Summary(ctx, d.Ports, access.Of(ctx).Organization.ID, g, from)
	if err != nil {
		return nil, err
	}
	out := &resourceSummaryOut{Status: http.StatusNoContent}
	if len(buckets) == 0 {
		return out, nil
	}
	out.Status = http.StatusOK
	out.Body = &struct {
		Summary []resourceCount `json:"summary"`
	}{}
	for _, b := range buckets {
		out.Body.Summary = append(out.Body.Summary, countOf(g, b))
	}
	return out, nil
}

func countOf(g cost.Granularity, b cost.Bucket) resourceCount {
	c := resourceCount{Year: b.From.Year(), Resources: b.Resources, ResourceHours: b.ResourceHours}
	switch g {
	case cost.Hourly:
		hour := b.From.Hour()
		c.Month, c.Day, c.Hour = int(b.From.Month()), b.From.Day(), &hour
	case cost.Daily:
		c.Month, c.Day = int(b.From.Month()), b.From.Day()
	case cost.Weekly:
		c.Year, c.WeekNumber = b.From.ISOWeek()
	case cost.Monthly:
		c.Month = int(b.From.Month())
	}
	return c
}
