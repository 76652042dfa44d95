package pulumi

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/policy"
)

type policyGroupSummary struct {
	Name                  string      `json:"name"`
	IsOrgDefault          bool        `json:"isOrgDefault"`
	NumStacks             int         `json:"numStacks"`
	NumAccounts           int         `json:"numAccounts,omitempty"` // there are no Insights accounts here
	EntityType            string      `json:"entityType" enum:"stacks,accounts"`
	Mode                  policy.Mode `json:"mode" enum:"audit,preventative"`
	NumEnabledPolicyPacks int         `json:"numEnabledPolicyPacks"`
}

func summaryOf(g policy.Counted) policyGroupSummary {
	return policyGroupSummary{
		Name: g.Name, IsOrgDefault: g.IsDefault(), NumStacks: g.Stacks, EntityType: g.Label, Mode: g.Mode, NumEnabledPolicyPacks: len(g.Packs),
	}
}

type listPolicyGroupsIn struct{ OrganizationPath }

type listPolicyGroupsOut struct {
	Body struct {
		PolicyGroups []policyGroupSummary `json:"policyGroups"`
	}
}

func summariesOf(groups []policy.Counted) *listPolicyGroupsOut {
	out := &listPolicyGroupsOut{}
	out.Body.PolicyGroups = make([]policyGroupSummary, len(groups))
	for i, g := range groups {
		out.Body.PolicyGroups[i] = summaryOf(g)
	}
	return out
}

func (d dialect) listPolicyGroups(ctx context.Context, _ *listPolicyGroupsIn) (*listPolicyGroupsOut, error) {
	groups, err := policy.Groups(ctx, d.Ports, access.Of(ctx).Organization.ID)
	return summariesOf(groups), err
}

func (d dialect) getStackPolicyGroups(ctx context.Context, _ *getStackIn) (*listPolicyGroupsOut, error) {
	groups, err := policy.CountedOf(ctx, d.Ports, access.Of(ctx).Stack.Value)
	return summariesOf(groups), err
}

type newPolicyGroupIn struct {
	OrganizationPath
	Body struct {
		Name             string          `json:"name"`
		EntityType       string          `json:"entityType,omitempty" enum:"stacks,accounts" doc:"a label; without a mode, accounts is audit and stacks is preventative"`
		Mode             policy.Mode     `json:"mode,omitempty" enum:"audit,preventative"`
		AgentPoolID      string          `json:"agentPoolId,omitempty" doc:"packs are run by clients: refused"`
		StackMatchRule   json.RawMessage `json:"stackMatchRule,omitempty" doc:"refused"`
		AccountMatchRule json.RawMessage `json:"accountMatchRule,omitempty" doc:"refused"`
	}
}

// newPolicyGroup takes either of label and mode for the other, as the vendor does.
func (d dialect) newPolicyGroup(ctx context.Context, in *newPolicyGroupIn) (*struct{}, error) {
	b := in.Body
	if err := notHere("body", b.AgentPoolID, b.StackMatchRule, b.AccountMatchRule); err != nil {
		return nil, err
	}
	switch {
	case b.Mode == "" && b.EntityType == "":
		return nil, fault.Wrong("body.mode", "body.mode must be audit or preventative")
	case b.Mode == "" && b.EntityType == "accounts", b.EntityType == "" && b.Mode == policy.Audit:
		b.Mode, b.EntityType = policy.Audit, "accounts"
	case b.Mode == "":
		b.Mode = policy.Preventative
	case b.EntityType == "":
		b.EntityType = "stacks"
	}
	return nil, policy.CreateGroup(ctx, d.Ports, access.Of(ctx).Organization, b.Name, b.Mode, b.EntityType)
}

// notHere refuses what this server has no equivalent of.
func notHere(field, agentPool string, rules ...json.RawMessage) error {
	if agentPool != "" {
		return fault.Wrong(field+".agentPoolId", "policy packs are run by the clients that update stacks here, never by an agent pool: leave agentPoolId out")
	}
	for _, r := range rules {
		if len(r) > 0 && string(r) != "null" {
			return fault.Wrong(field+".stackMatchRule", "stacks and accounts cannot be matched by rules here: add stacks by name, with addStack")
		}
	}
	return nil
}

type PolicyGroupPath struct {
	OrganizationPath
	Group string `path:"policyGroup"`
}

type policyPackMetadata struct {
	Name         string                     `json:"name"`
	DisplayName  string                     `json:"displayName,omitempty"`
	Version      int64                      `json:"version,omitempty"`
	VersionTag   string                     `json:"versionTag,omitempty"`
	Config       map[string]json.RawMessage `json:"config,omitempty" nullable:"true"`
	Environments []string                   `json:"environments,omitempty"`
}

func (m *policyPackMetadata) enabling() *policy.Enabling {
	if m == nil {
		return nil
	}
	config := map[string]json.RawMessage{}
	for name, raw := range m.Config {
		if string(raw) != "null" {
			config[name] = raw
		}
	}
	return &policy.Enabling{Name: m.Name, Number: m.Version, Tag: m.VersionTag, Config: config, Environments: m.Environments}
}

type appliedPolicyPack struct {
	Name         string                     `json:"name"`
	DisplayName  string                     `json:"displayName"`
	Version      int64                      `json:"version"`
	VersionTag   string                     `json:"versionTag"`
	Config       map[string]json.RawMessage `json:"config,omitempty"`
	Environments []string                   `json:"environments,omitempty"`
}

type stackReference struct {
	Name           string `json:"name"`
	RoutingProject string `json:"routingProject"`
}

func (r *stackReference) member() *policy.Member {
	if r == nil {
		return nil
	}
	return &policy.Member{Project: r.RoutingProject, Name: r.Name}
}

// insightsAccount documents what a request may hold of an account, all of which is refused: there are none here.
type insightsAccount struct {
	Name                 string         `json:"name"`
	ID                   string         `json:"id,omitempty"`
	OwnedBy              *userInfo      `json:"ownedBy,omitempty"`
	Provider             string         `json:"provider,omitempty"`
	ProviderVersion      string         `json:"providerVersion,omitempty"`
	ProviderEnvRef       string         `json:"providerEnvRef,omitempty"`
	ProviderConfig       map[string]any `json:"providerConfig,omitempty"`
	AgentPoolID          string         `json:"agentPoolID,omitempty"`
	ScheduledScanEnabled bool           `json:"scheduledScanEnabled,omitempty"`
	ScanStatus           *accountScan   `json:"scanStatus,omitempty"`
}

type accountScan struct {
	ID            string           `json:"id,omitempty"`
	OrgID         string           `json:"orgId,omitempty"`
	UserID        string           `json:"userId,omitempty"`
	AccountName   string           `json:"accountName,omitempty"`
	Status        string           `json:"status,omitempty"`
	ResourceCount int64            `json:"resourceCount,omitempty"`
	StartedAt     string           `json:"startedAt,omitempty"`
	FinishedAt    string           `json:"finishedAt,omitempty"`
	LastUpdatedAt string           `json:"lastUpdatedAt,omitempty"`
	JobTimeout    string           `json:"jobTimeout,omitempty"`
	Jobs          []accountScanJob `json:"jobs,omitempty"`
}

type accountScanJob struct {
	Status      string           `json:"status,omitempty"`
	Started     string           `json:"started,omitempty"`
	LastUpdated string           `json:"lastUpdated,omitempty"`
	Timeout     int64            `json:"timeout,omitempty"`
	Steps       []map[string]any `json:"steps,omitempty"`
	Worker      map[string]any   `json:"worker,omitempty"`
}

type onPolicyGroupIn struct{ PolicyGroupPath }

type getPolicyGroupOut struct {
	Body struct {
		Name               string              `json:"name"`
		IsOrgDefault       bool                `json:"isOrgDefault"`
		EntityType         string              `json:"entityType" enum:"stacks,accounts"`
		Mode               policy.Mode         `json:"mode" enum:"audit,preventative"`
		Stacks             []stackReference    `json:"stacks"` // those that were added by name
		AppliedPolicyPacks []appliedPolicyPack `json:"appliedPolicyPacks"`
		Accounts           []string            `json:"accounts"`              // there are no Insights accounts here
		AgentPoolID        string              `json:"agentPoolId,omitempty"` // nor agent pools that run policies
	}
}

func (d dialect) getPolicyGroup(ctx context.Context, in *onPolicyGroupIn) (*getPolicyGroupOut, error) {
	g, members, err := policy.FindGroup(ctx, d.Ports, access.Of(ctx).Organization.ID, in.Group)
	if err != nil {
		return nil, err
	}
	out := &getPolicyGroupOut{}
	b := &out.Body
	b.Name, b.IsOrgDefault, b.EntityType, b.Mode, b.Accounts = g.Name, g.IsDefault(), g.Label, g.Mode, []string{}
	b.Stacks = make([]stackReference, len(members))
	for i, m := range members {
		b.Stacks[i] = stackReference{Name: m.Name, RoutingProject: m.Project}
	}
	b.AppliedPolicyPacks = make([]appliedPolicyPack, len(g.Packs))
	for i, a := range g.Packs {
		b.AppliedPolicyPacks[i] = appliedPolicyPack{
			Name: a.Name, DisplayName: a.DisplayName, Version: a.Number, VersionTag: a.Tag, Config: a.Config, Environments: a.Environments,
		}
	}
	return out, nil
}

func (d dialect) deletePolicyGroup(ctx context.Context, in *onPolicyGroupIn) (*struct{}, error) {
	return nil, policy.DeleteGroup(ctx, d.Ports, access.Of(ctx).Organization, in.Group)
}

type policyGroupChange struct {
	NewName                *string               `json:"newName,omitempty"`
	AddStack               *stackReference       `json:"addStack,omitempty"`
	RemoveStack            *stackReference       `json:"removeStack,omitempty"`
	Stacks                 *[]stackReference     `json:"stacks,omitempty" doc:"instead of those that were added"`
	AddPolicyPack          *policyPackMetadata   `json:"addPolicyPack,omitempty"`
	RemovePolicyPack       *policyPackMetadata   `json:"removePolicyPack,omitempty"`
	PolicyPacks            *[]policyPackMetadata `json:"policyPacks,omitempty" doc:"instead of those that are enabled"`
	AddInsightsAccount     *insightsAccount      `json:"addInsightsAccount,omitempty" doc:"refused"`
	RemoveInsightsAccount  *insightsAccount      `json:"removeInsightsAccount,omitempty" doc:"refused"`
	InsightsAccounts       []string              `json:"insightsAccounts,omitempty" doc:"refused unless empty"`
	AgentPoolID            string                `json:"agentPoolId,omitempty" doc:"refused unless empty"`
	StackMatchRule         json.RawMessage       `json:"stackMatchRule,omitempty" doc:"refused"`
	RemoveStackMatchRule   bool                  `json:"removeStackMatchRule,omitempty" doc:"there is none"`
	AccountMatchRule       json.RawMessage       `json:"accountMatchRule,omitempty" doc:"refused"`
	RemoveAccountMatchRule bool                  `json:"removeAccountMatchRule,omitempty" doc:"there is none"`
}

func (c policyGroupChange) change(field string) (policy.Change, error) {
	out := policy.Change{
		Field: field, Name: c.NewName, AddStack: c.AddStack.member(), RemoveStack: c.RemoveStack.member(),
		AddPack: c.AddPolicyPack.enabling(), RemovePack: c.RemovePolicyPack.enabling(),
	}
	if err := notHere(field, c.AgentPoolID, c.StackMatchRule, c.AccountMatchRule); err != nil {
		return out, err
	}
	if c.AddInsightsAccount != nil || c.RemoveInsightsAccount != nil || len(c.InsightsAccounts) > 0 {
		return out, fault.Wrong(field+".addInsightsAccount", "there are no Insights accounts here: a policy group holds stacks")
	}
	if c.Stacks != nil {
		out.Stacks = &[]policy.Member{}
		for _, r := range *c.Stacks {
			*out.Stacks = append(*out.Stacks, *r.member())
		}
	}
	if c.PolicyPacks != nil {
		out.Packs = &[]policy.Enabling{}
		for _, m := range *c.PolicyPacks {
			*out.Packs = append(*out.Packs, *m.enabling())
		}
	}
	return out, nil
}

type updatePolicyGroupIn struct {
	PolicyGroupPath
	Body policyGroupChange
}

func (d dialect) updatePolicyGroup(ctx context.Context, in *updatePolicyGroupIn) (*struct{}, error) {
	c, err := in.Body.change("body")
	if err != nil {
		return nil, err
	}
	return nil, policy.ChangeGroup(ctx, d.Ports, access.Of(ctx).Organization, in.Group, []policy.Change{c})
}

type batchUpdatePolicyGroupIn struct {
	PolicyGroupPath
	Body []policyGroupChange `maxItems:"100"`
}

func (d dialect) batchUpdatePolicyGroup(ctx context.Context, in *batchUpdatePolicyGroupIn) (*struct{}, error) {
	changes := make([]policy.Change, len(in.Body))
	for i, b := range in.Body {
		var err error
		if changes[i], err = b.change(fmt.Sprintf("body[%d]", i)); err != nil {
			return nil, err
		}
	}
	return nil, policy.ChangeGroup(ctx, d.Ports, access.Of(ctx).Organization, in.Group, changes)
}
