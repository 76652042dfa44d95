// Package group names the functions that serve operations: one deployable per group on AWS, all of them together on one machine.
package group

// Group is one function of the deployment.
type Group string

// The groups, one per resource family.
const (
	Identity Group = "identity"
	Stacks   Group = "stacks"
	Webhooks Group = "webhooks"
	Activity Group = "activity" // the audit
	Costs    Group = "costs"    // resources under management
)
