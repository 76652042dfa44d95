package hook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/keyring"
	"github.com/polyplane/polyplane/shared/store"
)

// secretPurpose separates a hook's secret from everything else that a key of the same scope may seal.
var secretPurpose = []byte("hook secret")

// seal seals a secret under a data key of its own, which is bound to the owner and goes with the hook. An empty secret is none.
func seal(ctx context.Context, p ports.Ports, o Owner, secret string) (*Secret, error) {
	if secret == "" {
		return nil, nil
	}
	if len(secret) > maxSecret {
		return nil, fault.Wrong("body.secret", "the secret is longer than %d bytes", maxSecret)
	}
	key, err := p.Keyring.NewDataKey(ctx, string(o.Scope))
	if err != nil {
		return nil, err
	}
	return &Secret{Key: key.Wrapped(), Sealed: key.Seal([]byte(secret), secretPurpose)}, nil
}

// open returns the bytes of a secret, nil for none.
func (s *Secret) open(ctx context.Context, p ports.Ports, owner store.Scope) ([]byte, error) {
	if s == nil {
		return nil, nil
	}
	key, err := p.Keyring.Unwrap(ctx, s.Key, string(owner))
	if err != nil {
		return nil, err
	}
	plain, err := key.Open(s.Sealed, secretPurpose)
	if errors.Is(err, keyring.ErrWrongKey) {
		return nil, fmt.Errorf("secret of a hook of %s: %w", owner, err)
	}
	return plain, err
}

func mac(key, message []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(message)
	return m.Sum(nil)
}

// standardSignature signs as https://www.standardwebhooks.com says: over id, time in Unix seconds and body. A secret of that standard's
// own form, "whsec_" and base64, is decoded; any other is taken as it is.
func standardSignature(secret []byte, id string, unix int64, body []byte) string {
	if text, ok := strings.CutPrefix(string(secret), "whsec_"); ok {
		if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
			secret = raw
		}
	}
	message := append(fmt.Appendf(nil, "%s.%d.", id, unix), body...)
	return "v1," + base64.StdEncoding.EncodeToString(mac(secret, message))
}
