package pulumi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/polyplane/polyplane/shared/core/update"
)

// record is what a history file says of an update.
type record struct {
	Kind        update.Kind                `json:"kind"`
	Start       int64                      `json:"startTime"` // Unix seconds
	Message     string                     `json:"message"`
	Environment map[string]string          `json:"environment"`
	Config      map[string]json.RawMessage `json:"config"`
	Result      string                     `json:"result"`
	End         int64                      `json:"endTime"`
	Changes     map[string]int64           `json:"resourceChanges"`
}

// configValue is one value of an update's configuration, as the installation shows it to clients.
type configValue struct {
	String string `json:"string"` // text, ciphertext of a secret, or JSON of an object, in which a secret is {"secure": ciphertext}
	Secret bool   `json:"secret"`
	Object bool   `json:"object"`
}

func decodeRecord(text []byte) (record, error) {
	var r record
	err := json.Unmarshal(text, &r)
	if err != nil {
		return r, fmt.Errorf("it is no update: %w", err)
	}
	return r, nil
}

// update is the record as a past update, without its checkpoint and configuration. One that its source never saw end ended as failed.
func (r record) update(by update.By) update.Past {
	p := update.Past{
		Kind: r.Kind, Status: update.Failed, By: by, Changes: r.Changes,
		Program: update.Program{Message: r.Message, Environment: r.Environment},
		Started: time.Unix(r.Start, 0).UTC(), Ended: time.Unix(max(r.End, r.Start), 0).UTC(),
	}
	switch r.Result {
	case "succeeded":
		p.Status = update.Succeeded
	case "failed":
	default:
		p.Note = "it had not ended when it was imported"
	}
	return p
}

// encodeConfig is the configuration in the installation's form. seal is asked about every secret; nil keeps them as they are.
func encodeConfig(config map[string]json.RawMessage, seal func(secret) (string, error)) (json.RawMessage, error) {
	out := make(map[string]configValue, len(config))
	for name, raw := range config {
		text := bytes.TrimSpace(raw)
		secrets := 0
		rewritten, err := rewriteConfig(text, func(s secret) (string, error) {
			secrets++
			if seal == nil {
				return s.text, nil
			}
			return seal(s)
		})
		if err != nil {
			return nil, fmt.Errorf("configuration %s: %w", name, err)
		}
		out[name] = valueOf(rewritten, secrets > 0)
	}
	return json.Marshal(out)
}

func valueOf(raw []byte, secrets bool) configValue {
	switch raw[0] {
	case '"':
		return configValue{String: textOf(raw)}
	case '{', '[':
		var sealed map[string]string
		if secrets && json.Unmarshal(raw, &sealed) == nil && len(sealed) == 1 {
			if c, ok := sealed["secure"]; ok {
				return configValue{String: c, Secret: true}
			}
		}
		var compact bytes.Buffer
		_ = json.Compact(&compact, raw) // it is valid
		return configValue{String: compact.String(), Secret: secrets, Object: true}
	}
	return configValue{String: string(raw)} // a number or a boolean
}
