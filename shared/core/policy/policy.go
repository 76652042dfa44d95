// Package policy is rules about infrastructure: packs of policies that an organization publishes, the groups that say which stacks a pack
// is enforced on, and what the packs found in the updates of those stacks.
//
// A pack is published in three steps: its version is announced, which gives it a number and a link; its archive is uploaded through
// the link; and it is declared complete, from when on it can be used. A pack's head lists its versions and the groups that use
// them, so that whoever deletes a version and whoever enables it meet at one item.
//
// Every organization has the default group. It holds each stack that is in no other group, and besides those the stacks that were added
// to it by name. In a preventative group a pack's policies are enforced as they and the group's configuration say; in an audit group they only
// report: mandatory and remediating policies are handed out as advisory.
package policy

import (
	"encoding/json"
	"regexp"
	"time"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Level is what becomes of a violation.
type Level string

// The levels.
const (
	Advisory  Level = "advisory"  // told, and nothing more
	Mandatory Level = "mandatory" // the update fails
	Remediate Level = "remediate" // the resource is corrected; what cannot be fails the update
	Disabled  Level = "disabled"  // the policy is not asked
)

// Known reports whether the level exists.
func (l Level) Known() bool {
	return l == Advisory || l == Mandatory || l == Remediate || l == Disabled
}

// Severity is how bad a violation is; the empty one is not said.
type Severity string

// The severities, worst first.
const (
	Critical Severity = "critical"
	High     Severity = "high"
	Medium   Severity = "medium"
	Low      Severity = "low"
	Unsaid   Severity = ""
)

// Severities are all that there are, worst first.
var Severities = []Severity{Critical, High, Medium, Low, Unsaid}

// Policy is one rule of a pack, as its author describes it.
type Policy struct {
	Name        string     `json:"name"`
	DisplayName string     `json:"displayName,omitempty"`
	Description string     `json:"description,omitempty"`
	Message     string     `json:"message,omitempty"`
	Level       Level      `json:"level"`
	Severity    Severity   `json:"severity,omitempty"`
	Schema      *Schema    `json:"schema,omitempty"` // of its configuration; nil: it takes none
	Framework   *Framework `json:"framework,omitempty"`
	Tags        []string   `json:"tags,omitempty"`
	Remedy      string     `json:"remedy,omitempty"`
	URL         string     `json:"url,omitempty"`
}

// Framework is the compliance framework that a policy implements a part of.
type Framework struct {
	Name          string `json:"name,omitempty"`
	Version       string `json:"version,omitempty"`
	Reference     string `json:"reference,omitempty"`
	Specification string `json:"specification,omitempty"`
}

// Schema is the JSON schema (draft 7) of an object: a policy's configuration.
type Schema struct {
	Properties map[string]json.RawMessage `json:"properties,omitempty"`
	Required   []string                   `json:"required,omitempty"`
}

// Description is what a pack's author says of one version.
type Description struct {
	DisplayName string            `json:"displayName"`
	Text        string            `json:"text,omitempty"`
	Readme      string            `json:"readme,omitempty"`
	Provider    string            `json:"provider,omitempty"`
	Tags        []string          `json:"tags,omitempty"`
	Repository  string            `json:"repository,omitempty"`
	Runtime     string            `json:"runtime,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"` // of the environment it was published from
	Policies    []Policy          `json:"policies"`
}

// Pack is the head of a policy pack.
type Pack struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	DisplayName string    `json:"displayName"` // of the newest complete version
	Created     time.Time `json:"created"`
	Last        int64     `json:"last"`     // number of the version announced last
	Versions    []Version `json:"versions"` // that were not deleted, in order of number
}

// Version is a version of a pack as the pack's head lists it.
type Version struct {
	ID       string   `json:"id"`
	Number   int64    `json:"number"`
	Tag      string   `json:"tag"`
	Uploaded bool     `json:"uploaded,omitempty"`
	Complete bool     `json:"complete,omitempty"` // it can be used
	Groups   []string `json:"groups,omitempty"`   // ids of the groups that use it
}

// version is a version's own document.
type version struct {
	Number      int64         `json:"number"`
	Created     time.Time     `json:"created"`
	CreatedBy   string        `json:"createdBy"`   // login
	Description blob.Manifest `json:"description"` // of a Description
}

// Mode is how a group enforces its packs.
type Mode string

// The modes.
const (
	Preventative Mode = "preventative"
	Audit        Mode = "audit"
)

// Group is the head of a policy group.
type Group struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Mode    Mode      `json:"mode"`
	Label   string    `json:"label"` // "stacks" or "accounts"; of no consequence
	Created time.Time `json:"created,omitzero"`
	Packs   []Applied `json:"packs,omitempty"`
}

// IsDefault reports whether this is the group of stacks that are in no other.
func (g Group) IsDefault() bool { return g.ID == defaultID }

// Applied is a pack in a group.
type Applied struct {
	Pack         string                     `json:"pack"`    // id
	Version      string                     `json:"version"` // id
	Name         string                     `json:"name"`
	DisplayName  string                     `json:"displayName"`
	Number       int64                      `json:"number"`
	Tag          string                     `json:"tag"`
	Config       map[string]json.RawMessage `json:"config,omitempty"`   // by policy, as it was given
	Enforced     map[string]json.RawMessage `json:"enforced,omitempty"` // what is handed out in an audit group
	Environments []string                   `json:"environments,omitempty"`
}

// DefaultGroup is the name of the group that every organization has.
const DefaultGroup = "default-policy-group"

const defaultID = "default"

// membership lists the groups that a stack was added to.
type membership struct {
	Groups []string `json:"groups"` // ids
}

type groupName struct {
	ID string `json:"id"`
}

var (
	packKind       = store.NewKind[Pack]("policy-pack", 1)
	versionKind    = store.NewKind[version]("policy-version", 1)
	archiveKind    = store.NewKind[blob.Manifest]("policy-archive", 1)
	groupKind      = store.NewKind[Group]("policy-group", 1)
	groupNameKind  = store.NewKind[groupName]("policy-group-name", 1)
	membershipKind = store.NewKind[membership]("policy-membership", 1)
	issueKind      = store.NewKind[Issue]("policy-issue", 1)
	resultKind     = store.NewKind[Result]("policy-result", 1)
)

// Limits.
const (
	MaxArchive      = blob.MaxDocument // bytes of a pack's archive
	maxVersions     = 1000             // of a pack
	maxPacks        = 10_000           // of an organization
	maxGroups       = 10_000           // of an organization
	maxGroupPacks   = 30               // of a group: deleting it changes each pack's head in one write
	maxPolicies     = 2000             // of a pack
	maxMembers      = 50_000           // stacks that were added to groups of an organization
	maxEnvironments = 20               // of a pack in a group
)

var (
	packName  = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,100}$`)
	tagText   = packName
	groupText = regexp.MustCompile(`^[a-zA-Z0-9_.-]([a-zA-Z0-9_. -]{0,98}[a-zA-Z0-9_.-])?$`)
)

// attempts is how often a write that lost a race is made again from fresh reads.
const attempts = 5

// place is where an organization's archives and descriptions lie among the blobs: a scope of their own, so that collecting what no
// version names touches nothing else.
func place(organization string) string {
	return string(keys.Organization(organization)) + "/policies"
}
