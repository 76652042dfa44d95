package keys

import (
	"time"

	"github.com/polyplane/polyplane/shared/store"
)

// ResourceSample is how many resources an organization's stacks had in an hour; samples sort by hour.
func ResourceSample(organization string, hour time.Time) store.Key {
	return in(Organization(organization), "resource-samples", ResourceHour(hour))
}

// ResourceSamples is the partition of an organization's samples.
func ResourceSamples(organization string) string {
	return Organization(organization).Partition("resource-samples")
}

// ResourceHour is how an hour sorts among samples.
func ResourceHour(t time.Time) string { return t.UTC().Format("2006010215") }
