package pulumi

import (
	"context"
	"encoding/json"
	"regexp"
	"time"

	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/policy"
	"github.com/polyplane/polyplane/shared/core/update"
)

type configValue struct {
	String string `json:"string"`
	Secret bool   `json:"secret"`
	Object bool   `json:"object"`
}

type updateOptions struct {
	LocalPolicyPackPaths []string `json:"localPolicyPackPaths,omitempty"`
	Color                string   `json:"color,omitempty"`
	DryRun               bool     `json:"dryRun,omitempty"`
	Parallel             int      `json:"parallel,omitempty"`
	ShowConfig           bool     `json:"showConfig,omitempty"`
	ShowReplacementSteps bool     `json:"showReplacementSteps,omitempty"`
	ShowNames            bool     `json:"showNames,omitempty"`
	Summary              bool     `json:"summary,omitempty"`
	Debug                bool     `json:"debug,omitempty"`
}

type updateMetadata struct {
	Message     string            `json:"message,omitempty"`
	Environment map[string]string `json:"environment,omitempty" nullable:"true"`
}

type updateProgram struct {
	Name        string                 `json:"name,omitempty"`
	Runtime     string                 `json:"runtime,omitempty"`
	Main        string                 `json:"main,omitempty"`
	Description string                 `json:"description,omitempty"`
	Options     updateOptions          `json:"options,omitzero"`
	Config      map[string]configValue `json:"config,omitempty" nullable:"true"`
	Metadata    updateMetadata         `json:"metadata,omitzero"`
}

type createUpdateIn struct {
	StackPath
	Body updateProgram
}

type createUpdateOut struct {
	Body struct {
		UpdateID         string           `json:"updateID"`
		RequiredPolicies []requiredPolicy `json:"requiredPolicies,omitempty"`
		Messages         []message        `json:"messages,omitempty"`
		AISettings       struct {
			CopilotIsEnabled bool `json:"copilotIsEnabled"`
		} `json:"aiSettings"`
	}
}

// createUpdate makes the handler of one kind.
func (d dialect) createUpdate(kind update.Kind) func(context.Context, *createUpdateIn) (*createUpdateOut, error) {
	return func(ctx context.Context, in *createUpdateIn) (*createUpdateOut, error) {
		a := access.Of(ctx)
		b := in.Body
		required, err := policy.RequiredOf(ctx, d.in(ctx), a.Stack.Value, "")
		if err != nil {
			return nil, err
		}
		u, err := update.Create(ctx, d.in(ctx), a.Stack.Value, a.By(), kind, b.Options.DryRun, update.Program{
			Name: b.Name, Runtime: b.Runtime, Main: b.Main, Description: b.Description,
			Options: document(b.Options), Config: document(b.Config), Message: b.Metadata.Message, Environment: b.Metadata.Environment,
			PolicyPacks: packsToRun(required),
		})
		if err != nil {
			return nil, err
		}
		out := &createUpdateOut{}
		out.Body.UpdateID, out.Body.RequiredPolicies = u.ID, requiredPolicies(ctx, required)
		return out, nil
	}
}

// document keeps a decoded part as the JSON that histories show again.
func document(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("pulumi: a request part that JSON cannot hold: " + err.Error()) // it came from JSON
	}
	return raw
}

type UpdatePath struct {
	StackPath
	Update string `path:"updateID"`
}

type startUpdateIn struct {
	UpdatePath
	UserAgent string `header:"User-Agent"`
	Body      struct {
		Tags           map[string]string `json:"tags,omitempty" nullable:"true"`
		JournalVersion int               `json:"journalVersion,omitempty"` // highest that the client can write
	}
}

type startUpdateOut struct {
	Body struct {
		Version         int64  `json:"version"`
		Token           string `json:"token"`
		TokenExpiration int64  `json:"tokenExpiration"` // Unix seconds
		JournalVersion  int    `json:"journalVersion,omitempty"`
	}
}

func (d dialect) startUpdate(ctx context.Context, in *startUpdateIn) (*startUpdateOut, error) {
	a := access.Of(ctx)
	s, err := update.Start(ctx, d.in(ctx), a.Organization, a.Stack, in.Update, update.StartOptions{
		Tags: in.Body.Tags, Journal: in.Body.JournalVersion >= 1, Client: clientVersion(in.UserAgent),
	})
	if err != nil {
		return nil, err
	}
	out := &startUpdateOut{}
	out.Body.Version, out.Body.Token, out.Body.TokenExpiration = s.Version, s.Token, s.Expires.Unix()
	if s.Journal {
		out.Body.JournalVersion = 1
	}
	return out, nil
}

var userAgent = regexp.MustCompile(`^pulumi-cli/1 \((v[0-9A-Za-z.+-]{1,64});`)

// clientVersion is the version in the CLI's User-Agent, or "".
func clientVersion(agent string) string {
	if m := userAgent.FindStringSubmatch(agent); m != nil {
		return m[1]
	}
	return ""
}

type renewLeaseIn struct {
	UpdatePath
	Body struct {
		Token    string `json:"token,omitempty"`                    // older clients; the header counts
		Duration int    `json:"duration" minimum:"0" maximum:"300"` // seconds
	}
}

type renewLeaseOut struct {
	Body struct {
		Token           string `json:"token"`
		TokenExpiration int64  `json:"tokenExpiration,omitempty"` // Unix seconds
	}
}

// renewLease answers the token that was shown: other calls made with it are in flight.
func (d dialect) renewLease(ctx context.Context, in *renewLeaseIn) (*renewLeaseOut, error) {
	a := access.Of(ctx)
	expires, err := update.Renew(ctx, d.in(ctx), a.Lease, time.Duration(in.Body.Duration)*time.Second)
	if err != nil {
		return nil, err
	}
	out := &renewLeaseOut{}
	out.Body.Token, out.Body.TokenExpiration = a.Secret, expires.Unix()
	return out, nil
}

type completeUpdateIn struct {
	UpdatePath
	Body struct {
		Status string `json:"status"`
	}
}

func (d dialect) completeUpdate(ctx context.Context, in *completeUpdateIn) (*struct{}, error) {
	return nil, update.Complete(ctx, d.in(ctx), access.Of(ctx).Lease, update.Status(in.Body.Status))
}

type onUpdateIn struct{ UpdatePath }

func (d dialect) cancelUpdate(ctx context.Context, in *onUpdateIn) (*struct{}, error) {
	a := access.Of(ctx)
	return nil, update.Cancel(ctx, d.in(ctx), a.Stack.Value, in.Update, a.User.Login)
}
