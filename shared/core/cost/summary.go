package cost

import (
	"context"
	"time"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Granularity is how long a bucket is.
type Granularity string

// The granularities.
const (
	Hourly  Granularity = "hourly"
	Daily   Granularity = "daily"
	Weekly  Granularity = "weekly"
	Monthly Granularity = "monthly"
	Yearly  Granularity = "yearly"
)

// Bucket is the resources of a stretch of time. From is its beginning (UTC); a week begins on Monday.
type Bucket struct {
	From          time.Time
	Resources     int // of the last sample in it
	ResourceHours int // of all samples in it
}

// Limits of looking back.
const (
	maxHourlyDays = 2
	maxDays       = 731 // two years
	maxSamples    = 24 * (maxDays + 1)
)

// Summary returns the buckets from a time on, oldest first; buckets without samples are left out.
func Summary(ctx context.Context, p ports.Ports, organization string, g Granularity, from time.Time) ([]Bucket, error) {
	docs, err := sampleKind.All(ctx, p.Store, store.Query{PK: keys.ResourceSamples(organization), From: keys.ResourceHour(from)}, maxSamples)
	if err != nil {
		return nil, err
	}
	var out []Bucket
	for _, d := range docs {
		at := g.begin(d.Value.At)
		if n := len(out); n == 0 || !out[n-1].From.Equal(at) {
			out = append(out, Bucket{From: at})
		}
		b := &out[len(out)-1]
		b.Resources = d.Value.Resources
		b.ResourceHours += d.Value.Resources
	}
	return out, nil
}

// begin is the beginning of the bucket that a time lies in.
func (g Granularity) begin(t time.Time) time.Time {
	t = t.UTC()
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	switch g {
	case Hourly:
		return t.Truncate(time.Hour)
	case Daily:
		return day
	case Weekly:
		return day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
	case Monthly:
		return day.AddDate(0, 0, 1-day.Day())
	}
	return time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
}

// LookBack is from where a summary begins: so many days back, or a given time; exactly one of them. The beginning is moved back to that
// of its bucket, so that the first bucket is whole.
func LookBack(g Granularity, now time.Time, days int, start time.Time) (time.Time, error) {
	switch {
	case days == 0 && start.IsZero():
		return time.Time{}, fault.Wrong("lookbackDays", "either lookbackDays or lookbackStart is needed")
	case days != 0 && !start.IsZero():
		return time.Time{}, fault.Wrong("lookbackStart", "lookbackDays and lookbackStart exclude each other")
	case days < 0 || days > maxDays:
		return time.Time{}, fault.Wrong("lookbackDays", "lookbackDays must be 1 to %d", maxDays)
	case g == Hourly && days > maxHourlyDays:
		return time.Time{}, fault.Wrong("lookbackDays", "with hourly granularity lookbackDays must be 1 to %d", maxHourlyDays)
	}
	if days != 0 {
		return g.begin(now.AddDate(0, 0, -days)), nil
	}
	if start.Before(now.AddDate(-1, 0, 0)) || start.After(now) {
		return time.Time{}, fault.Wrong("lookbackStart", "lookbackStart must lie within the last year")
	}
	return g.begin(start), nil
}
