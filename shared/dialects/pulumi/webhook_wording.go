package pulumi

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/polyplane/polyplane/shared/core/hook"
)

const dialectName = "pulumi"

// wordings is this dialect's wording, for what is sent within a request.
var wordings = hook.Wordings{dialectName: wording{}}

// Wording is how this dialect's webhooks read.
func Wording() hook.Wording { return wording{} }

type wording struct{}

// sender is a user or an organization in a payload.
type sender struct {
	Name        string `json:"name"`
	GithubLogin string `json:"githubLogin"`
	AvatarURL   string `json:"avatarUrl"`
}

// payload is a raw message; see https://www.pulumi.com/docs/pulumi-cloud/webhooks/#payload-reference
type payload struct {
	User         sender `json:"user"`
	Organization sender `json:"organization"`
	ProjectName  string `json:"projectName"`
	StackName    string `json:"stackName"`
	Action       string `json:"action,omitempty"` // created, deleted
	*updatePayload
}

type updatePayload struct {
	UpdateURL       string           `json:"updateUrl"` // below the console, without its host
	Kind            string           `json:"kind"`
	Result          string           `json:"result"`
	ResourceChanges map[string]int64 `json:"resourceChanges"`
	IsPreview       bool             `json:"isPreview"`
}

// Tell implements hook.Wording.
func (wording) Tell(h hook.Hook, o hook.Occasion) (hook.Message, error) {
	kind := "stack"
	p := payload{
		User:         sender{Name: o.By.Name, GithubLogin: o.By.Login},
		Organization: sender{Name: o.Org.DisplayName, GithubLogin: o.Org.Name},
		ProjectName:  o.Project, StackName: o.Stack,
	}
	name := o.Org.Name + "/" + o.Project + "/" + o.Stack
	var sentence string
	if u := o.Update; u != nil {
		kind = "stack_update"
		p.updatePayload = &updatePayload{
			UpdateURL: fmt.Sprintf("/%s/updates/%d", name, u.Version), Kind: u.Kind, Result: u.Outcome, ResourceChanges: u.Changes, IsPreview: u.Preview,
		}
		sentence = fmt.Sprintf("%s %d of %s %s", u.Kind, u.Version, name, u.Outcome)
		if u.Preview {
			kind = "stack_preview"
			p.UpdateURL = "/" + name + "/previews/" + u.ID
			sentence = fmt.Sprintf("preview of %s %s", name, u.Outcome)
		}
		if p.ResourceChanges == nil {
			p.ResourceChanges = map[string]int64{}
		}
	} else {
		_, p.Action, _ = strings.Cut(o.Topic, ".")
		sentence = fmt.Sprintf("stack %s was %s", name, p.Action)
	}
	if o.By.Login != "" {
		sentence += " (" + o.By.Login + ")"
	}
	return written(h, kind, p, sentence)
}

// Ping implements hook.Wording.
func (wording) Ping(h hook.Hook, at time.Time) (hook.Message, error) {
	const text = "Just a friendly ping from Polyplane"
	raw := struct {
		Timestamp int64  `json:"timestamp"`
		Message   string `json:"message"`
	}{at.Unix(), text}
	return written(h, "ping", raw, text)
}

// written puts a message into the webhook's format: the payload itself, or a sentence for people.
func written(h hook.Hook, kind string, raw any, sentence string) (hook.Message, error) {
	var v any
	switch h.Format {
	case formatSlack:
		escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(sentence)
		v = map[string]any{"text": escaped}
	case formatTeams:
		v = map[string]any{
			"type": "message",
			"attachments": []any{map[string]any{
				"contentType": "application/vnd.microsoft.card.adaptive",
				"content": map[string]any{
					"type": "AdaptiveCard", "version": "1.4", "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
					"body": []any{map[string]any{"type": "TextBlock", "text": sentence, "wrap": true}},
				},
			}},
		}
	default:
		v = raw
	}
	body, err := json.Marshal(v)
	return hook.Message{Kind: kind, Body: body}, err
}

// Headers implements hook.Wording.
func (wording) Headers(id, kind string, signature []byte) []hook.Header {
	out := []hook.Header{{Name: "Pulumi-Webhook-Id", Value: id}, {Name: "Pulumi-Webhook-Kind", Value: kind}}
	if signature != nil {
		out = append(out, hook.Header{Name: "Pulumi-Webhook-Signature", Value: hex.EncodeToString(signature)})
	}
	return out
}
