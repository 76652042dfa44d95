package pulumi

import (
	"slices"
	"strings"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/hook"
)

// The formats of a webhook's messages.
const (
	formatRaw         = "raw"
	formatSlack       = "slack"
	formatTeams       = "ms_teams"
	formatDeployments = "pulumi_deployments"
)

func webhookFormat(format string, onStack bool) (string, error) {
	switch format {
	case "":
		return formatRaw, nil
	case formatRaw, formatSlack, formatTeams:
		return format, nil
	case formatDeployments:
		if !onStack {
			return "", fault.Wrong("body.format", "the format %q is for the webhooks of stacks, not of organizations", format)
		}
		return "", fault.Wrong("body.format", "the format %q starts deployments, which this server does not run: use %q, %q or %q", format, formatRaw, formatSlack, formatTeams)
	}
	return "", fault.Wrong("body.format", "the format of a webhook is %q, %q or %q", formatRaw, formatSlack, formatTeams)
}

// webhookGroup is a set of filters under one name. The filters that only organizations can ask for come first.
type webhookGroup struct {
	name    string
	onOrg   []string // filters for organizations alone
	onBoth  []string
	onStack bool // the group is for stacks, too
}

// webhookGroups are the groups as the CLI knows them (pkg/cmd/pulumi/org and stack, webhook new). Those that stand for what this server
// does not do yet can be asked for all the same: their events then come with the feature.
var webhookGroups = []webhookGroup{
	{name: "stacks", onStack: true, onOrg: []string{"stack_created", "stack_deleted"}, onBoth: []string{
		"update_succeeded", "update_failed", "preview_succeeded", "preview_failed", "destroy_succeeded", "destroy_failed",
		"refresh_succeeded", "refresh_failed", "import_succeeded", "import_failed",
	}},
	{name: "deployments", onStack: true, onBoth: []string{
		"deployment_queued", "deployment_started", "deployment_succeeded", "deployment_failed",
		"drift_detected", "drift_detection_succeeded", "drift_detection_failed", "drift_remediation_succeeded", "drift_remediation_failed",
		"deployment_file_ingestion_failed",
	}},
	{name: "policies", onStack: true, onBoth: []string{"policy_violation_mandatory", "policy_violation_advisory"}},
	{name: "environments", onOrg: []string{
		"environment_created", "environment_deleted", "environment_revision_created", "environment_revision_retracted",
		"environment_revision_tag_created", "environment_revision_tag_deleted", "environment_revision_tag_updated",
		"environment_tag_created", "environment_tag_deleted", "environment_tag_updated", "imported_environment_changed",
		"environment_rotation_succeeded", "environment_rotation_failed",
	}},
	{name: "change_requests", onOrg: []string{
		"change_request_created", "change_request_updated", "change_request_approved", "change_request_unapproved",
		"change_request_closed", "change_request_applied", "change_request_submitted",
	}},
}

// The groups of a webhook that names neither filters nor groups.
var (
	defaultGroups      = []string{"stacks", "deployments", "environments"}
	defaultStackGroups = []string{"stacks", "deployments"}
)

// subscription puts filters and groups under the core's topics.
func subscription(filters, groups []string, onStack bool) (hook.Subscription, error) {
	if len(filters) == 0 && len(groups) == 0 {
		groups = defaultGroups
		if onStack {
			groups = defaultStackGroups
		}
	}
	s := hook.Subscription{Filters: unique(filters), Groups: unique(groups)}
	var wanted []string
	for _, name := range s.Groups {
		i := slices.IndexFunc(webhookGroups, func(g webhookGroup) bool { return g.name == name })
		if i < 0 || onStack && !webhookGroups[i].onStack {
			return s, fault.Wrong("body.groups", "%q is not a group of events that this webhook can ask for", name)
		}
		wanted = append(wanted, webhookGroups[i].filters(onStack)...)
	}
	for _, name := range s.Filters {
		if !slices.ContainsFunc(webhookGroups, func(g webhookGroup) bool { return slices.Contains(g.filters(onStack), name) }) {
			return s, fault.Wrong("body.filters", "%q is not an event that this webhook can ask for", name)
		}
		wanted = append(wanted, name)
	}
	for _, name := range unique(wanted) {
		s.Topics = append(s.Topics, strings.ReplaceAll(name, "_", "."))
	}
	return s, nil
}

// filters are those that a webhook of a stack, or of an organization, gets with the group.
func (g webhookGroup) filters(onStack bool) []string {
	if onStack {
		return g.onBoth
	}
	return slices.Concat(g.onOrg, g.onBoth)
}

// unique keeps the first of equal names.
func unique(names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}
