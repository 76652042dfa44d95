package pulumi

import (
	"context"

	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/checkpoint"
	"github.com/polyplane/polyplane/shared/core/update"
)

// rawUpdateIn is the input of rows whose body is kept byte for byte.
type rawUpdateIn struct {
	UpdatePath
	RawBody []byte
}

// The shapes of raw bodies, for the OpenAPI document.
type (
	plainCheckpoint struct {
		IsInvalid  bool           `json:"isInvalid"`
		Version    int            `json:"version"`
		Features   []string       `json:"features,omitempty"`
		Deployment map[string]any `json:"deployment,omitempty"`
	}
	verbatimCheckpoint struct {
		Version           int               `json:"version"`
		SequenceNumber    int64             `json:"sequenceNumber"`
		UntypedDeployment untypedDeployment `json:"untypedDeployment"`
	}
	deltaCheckpoint struct {
		Version         int        `json:"version"`
		CheckpointHash  string     `json:"checkpointHash"`
		SequenceNumber  int64      `json:"sequenceNumber"`
		DeploymentDelta []textEdit `json:"deploymentDelta"`
	}
	textEdit struct {
		Span struct {
			URI   string    `json:"uri"`
			Start textPoint `json:"start"`
			End   textPoint `json:"end"`
		} `json:"Span"`
		NewText string `json:"NewText"`
	}
	textPoint struct {
		Line   int `json:"line"`
		Column int `json:"column"`
		Offset int `json:"offset"`
	}
	journalEntries struct {
		Entries []journalEntry `json:"entries"`
	}
	journalEntry struct {
		Version               int              `json:"version"`
		Kind                  int              `json:"kind" minimum:"0" maximum:"9"`
		SequenceID            int64            `json:"sequenceID"`
		OperationID           int64            `json:"operationID"`
		RemoveOld             *int64           `json:"removeOld"`
		RemoveNew             *int64           `json:"removeNew"`
		PendingReplacementOld *int64           `json:"pendingReplacementOld,omitempty"`
		PendingReplacementNew *int64           `json:"pendingReplacementNew,omitempty"`
		DeleteOld             *int64           `json:"deleteOld,omitempty"`
		DeleteNew             *int64           `json:"deleteNew,omitempty"`
		State                 map[string]any   `json:"state,omitempty"`
		Operation             map[string]any   `json:"operation,omitempty"`
		IsRefresh             bool             `json:"isRefresh,omitempty"`
		SecretsProvider       map[string]any   `json:"secretsProvider,omitempty"`
		NewSnapshot           map[string]any   `json:"newSnapshot,omitempty"`
		Snippets              []map[string]any `json:"snippets,omitempty"`
		ExtensionRef          *string          `json:"extensionRef,omitempty"`
		Extension             map[string]any   `json:"extension,omitempty"`
		RequiresByteString    bool             `json:"requiresByteString,omitempty"`
	}
)

func (d dialect) patchCheckpoint(ctx context.Context, in *rawUpdateIn) (*struct{}, error) {
	c, err := checkpoint.DecodePlain(in.RawBody)
	if err != nil {
		return nil, err
	}
	return nil, update.SaveWhole(ctx, d.in(ctx), access.Of(ctx).Lease, c)
}

func (d dialect) patchCheckpointVerbatim(ctx context.Context, in *rawUpdateIn) (*struct{}, error) {
	c, err := checkpoint.DecodeVerbatim(in.RawBody)
	if err != nil {
		return nil, err
	}
	return nil, update.SaveVerbatim(ctx, d.in(ctx), access.Of(ctx).Lease, c)
}

func (d dialect) patchCheckpointDelta(ctx context.Context, in *rawUpdateIn) (*struct{}, error) {
	c, err := checkpoint.DecodeDelta(in.RawBody)
	if err != nil {
		return nil, err
	}
	return nil, update.SaveDelta(ctx, d.in(ctx), access.Of(ctx).Lease, c)
}

func (d dialect) createJournalEntries(ctx context.Context, in *rawUpdateIn) (*struct{}, error) {
	entries, err := checkpoint.DecodeBatch(in.RawBody, checkpoint.Limits{Entries: update.MaxEntries})
	if err != nil {
		return nil, err
	}
	return nil, update.Journal(ctx, d.in(ctx), access.Of(ctx).Lease, entries)
}
