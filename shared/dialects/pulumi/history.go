package pulumi

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/update"
)

type userInfo struct {
	Name        string `json:"name"`
	GithubLogin string `json:"githubLogin"`
	AvatarURL   string `json:"avatarUrl"`
	Email       string `json:"email,omitempty"`
}

type commitInfo struct {
	Slug      string    `json:"slug,omitempty"`
	Sha       string    `json:"sha,omitempty"`
	URL       string    `json:"url,omitempty"`
	Message   string    `json:"message,omitempty"`
	Author    *userInfo `json:"author,omitempty"`
	Committer *userInfo `json:"committer,omitempty"`
}

// updateInfo is an update in the older shape.
type updateInfo struct {
	UpdateFacts
	Version int64 `json:"version"`
}

// UpdateFacts is what both shapes say of an update.
type UpdateFacts struct {
	Kind            string                 `json:"kind"`
	StartTime       int64                  `json:"startTime"` // Unix seconds
	EndTime         int64                  `json:"endTime"`   // Unix seconds; 0 while it runs
	Message         string                 `json:"message"`
	Environment     map[string]string      `json:"environment"`
	Config          map[string]configValue `json:"config"` // secret values stay encrypted
	Result          string                 `json:"result" enum:"not-started,in-progress,succeeded,failed"`
	ResourceChanges map[string]int64       `json:"resourceChanges,omitempty"`
	ResourceCount   *int                   `json:"resourceCount,omitempty"`
}

// FullUpdate is an update in the newer shape.
type FullUpdate struct {
	Info             updateInfo          `json:"info"`
	UpdateID         string              `json:"updateID"`
	GithubCommitInfo *commitInfo         `json:"githubCommitInfo,omitempty"`
	Version          int64               `json:"version"`
	LatestVersion    int64               `json:"latestVersion"`
	PolicyPacks      []appliedPolicyPack `json:"policyPacks,omitempty" doc:"that the stack demanded when the update was made"`
	RequestedBy      userInfo            `json:"requestedBy"`
	RequestedByToken string              `json:"requestedByToken,omitempty"`
}

type updatesBody struct {
	Updates      []FullUpdate `json:"updates"`
	ItemsPerPage int          `json:"itemsPerPage"`
	Total        int          `json:"total"`
}

func infoOf(h update.Head) updateInfo {
	i := updateInfo{Version: h.Version, UpdateFacts: UpdateFacts{
		Kind: string(h.Kind), StartTime: h.Created.Unix(), Message: h.Program.Message, Environment: h.Program.Environment,
		Config: map[string]configValue{}, Result: resultOf(h.Status), ResourceChanges: h.Changes,
	}}
	if h.DryRun && h.Kind != update.Preview {
		i.Kind = "P" + i.Kind
	}
	if h.DryRun {
		i.Version = h.Version + 1 // the version it would have made
	}
	if i.Environment == nil {
		i.Environment = map[string]string{}
	}
	if !h.Started.IsZero() {
		i.StartTime = h.Started.Unix()
	}
	if !h.Ended.IsZero() {
		i.EndTime = h.Ended.Unix()
		if !h.DryRun {
			i.ResourceCount = &h.Resources
		}
	}
	if len(h.Program.Config) > 0 {
		_ = json.Unmarshal(h.Program.Config, &i.Config) // it was written from this type
	}
	return i
}

func resultOf(s update.Status) string {
	switch s {
	case update.NotStarted:
		return "not-started"
	case update.Running:
		return "in-progress"
	case update.Succeeded:
		return "succeeded"
	}
	return "failed"
}

func fullOf(h update.Head, latest int64) FullUpdate {
	info := infoOf(h)
	u := FullUpdate{
		Info: info, UpdateID: h.ID, Version: info.Version, LatestVersion: latest, GithubCommitInfo: commitOf(h.Program),
		RequestedBy:      userInfo{Name: h.By.Name, GithubLogin: h.By.Login, Email: h.By.Email},
		RequestedByToken: h.By.Token,
	}
	for _, p := range h.Program.PolicyPacks {
		u.PolicyPacks = append(u.PolicyPacks, appliedPolicyPack(p))
	}
	return u
}

// commitOf reads the commit from the facts that the client sends about its working tree, or nil.
func commitOf(p update.Program) *commitInfo {
	env := p.Environment
	sha := env["git.head"]
	if sha == "" {
		return nil
	}
	c := &commitInfo{Sha: sha, Message: p.Message}
	if owner, repo := env["vcs.owner"], env["vcs.repo"]; owner != "" && repo != "" {
		c.Slug = owner + "/" + repo
		if host := env["vcs.kind"]; strings.Contains(host, ".") {
			c.URL = "https://" + host + "/" + c.Slug + "/commit/" + sha
		}
	}
	if name := env["git.author"]; name != "" {
		c.Author = &userInfo{Name: name, Email: env["git.author.email"]}
	}
	if name := env["git.committer"]; name != "" {
		c.Committer = &userInfo{Name: name, Email: env["git.committer.email"]}
	}
	return c
}

type getStackUpdatesIn struct {
	StackPath
	Page       int    `query:"page" minimum:"0" doc:"counts from 1; 0 or absent is everything"`
	PageSize   int    `query:"pageSize" minimum:"1" maximum:"1000" default:"10"`
	OutputType string `query:"output-type" enum:"cli,service" default:"cli"`
}

// updatesAnswer documents both shapes; the older one has neither page nor total.
type updatesAnswer struct {
	Updates      []eitherUpdate `json:"updates"`
	ItemsPerPage int            `json:"itemsPerPage,omitempty"`
	Total        int            `json:"total,omitempty"`
}

type eitherUpdate struct {
	FullUpdate
	UpdateFacts
}

func (d dialect) getStackUpdates(ctx context.Context, in *getStackUpdatesIn) (*rawOut, error) {
	s := access.Of(ctx).Stack.Value
	heads, total, err := update.History(ctx, d.in(ctx), s, in.Page, in.PageSize)
	if err != nil {
		return nil, err
	}
	if in.OutputType == "service" {
		return &rawOut{ContentType: "application/json", Body: document(pageOf(heads, s.Version, in.Page, in.PageSize, total))}, nil
	}
	var older struct {
		Updates []updateInfo `json:"updates"`
	}
	older.Updates = make([]updateInfo, len(heads))
	for i, h := range heads {
		older.Updates[i] = infoOf(h)
	}
	return &rawOut{ContentType: "application/json", Body: document(older)}, nil
}

func pageOf(heads []update.Head, latest int64, page, size, total int) updatesBody {
	out := updatesBody{Updates: make([]FullUpdate, len(heads)), ItemsPerPage: size, Total: total}
	if page == 0 {
		out.ItemsPerPage = len(heads)
	}
	for i, h := range heads {
		out.Updates[i] = fullOf(h, latest)
	}
	return out
}

type latestUpdateOut struct{ Body FullUpdate }

func (d dialect) getLatestStackUpdate(ctx context.Context, _ *getStackIn) (*latestUpdateOut, error) {
	s := access.Of(ctx).Stack.Value
	h, err := update.AtVersion(ctx, d.in(ctx), s, 0)
	if err != nil {
		return nil, err
	}
	return &latestUpdateOut{fullOf(h, s.Version)}, nil
}

type stackUpdateIn struct {
	StackPath
	Version int64 `path:"version" minimum:"1"`
}

func (d dialect) getStackUpdate(ctx context.Context, in *stackUpdateIn) (*latestUpdateOut, error) {
	s := access.Of(ctx).Stack.Value
	h, err := update.AtVersion(ctx, d.in(ctx), s, in.Version)
	if err != nil {
		return nil, err
	}
	return &latestUpdateOut{fullOf(h, s.Version)}, nil
}

type previewsIn struct {
	StackPath
	Ascending bool `query:"asc"`
	Page      int  `query:"page" minimum:"0" doc:"counts from 1; 0 or absent is everything"`
	PageSize  int  `query:"pageSize" minimum:"1" maximum:"1000" default:"10"`
}

type previewsOut struct{ Body updatesBody }

func (d dialect) getLatestStackPreviews(ctx context.Context, in *previewsIn) (*previewsOut, error) {
	s := access.Of(ctx).Stack.Value
	heads, total, err := update.Previews(ctx, d.in(ctx), s, s.Version, in.Ascending, in.Page, in.PageSize)
	if err != nil {
		return nil, err
	}
	return &previewsOut{pageOf(heads, s.Version, in.Page, in.PageSize, total)}, nil
}
