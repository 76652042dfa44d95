package pulumi

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/stack"
)

// maxSecrets is how many values one batch may have; the CLI sends no more.
const maxSecrets = 1000

type encryptIn struct {
	StackPath
	Body struct {
		Plaintext string `json:"plaintext" doc:"base64; may be empty"`
	}
}

type encryptOut struct {
	Body struct {
		Ciphertext []byte `json:"ciphertext"`
	}
}

func (d dialect) encryptValue(ctx context.Context, in *encryptIn) (*encryptOut, error) {
	plain, err := decode("plaintext", in.Body.Plaintext)
	if err != nil {
		return nil, err
	}
	sealed, err := stack.Encrypt(ctx, d.in(ctx), access.Of(ctx).Stack.Value, [][]byte{plain})
	if err != nil {
		return nil, err
	}
	out := &encryptOut{}
	out.Body.Ciphertext = sealed[0]
	return out, nil
}

type decryptIn struct {
	StackPath
	Body struct {
		Ciphertext string `json:"ciphertext" doc:"base64"`
	}
}

type decryptOut struct {
	Body struct {
		Plaintext []byte `json:"plaintext"`
	}
}

func (d dialect) decryptValue(ctx context.Context, in *decryptIn) (*decryptOut, error) {
	sealed, err := decode("ciphertext", in.Body.Ciphertext)
	if err != nil {
		return nil, err
	}
	a := access.Of(ctx)
	plain, err := stack.Decrypt(ctx, d.in(ctx), a.Organization, a.Stack.Value, sealed)
	if err != nil {
		return nil, err
	}
	out := &decryptOut{}
	out.Body.Plaintext = plain
	return out, nil
}

type batchEncryptIn struct {
	StackPath
	Body struct {
		Plaintexts []string `json:"plaintexts" doc:"base64"`
	}
}

type batchEncryptOut struct {
	Body struct {
		Ciphertexts [][]byte `json:"ciphertexts"`
	}
}

func (d dialect) batchEncrypt(ctx context.Context, in *batchEncryptIn) (*batchEncryptOut, error) {
	plain, err := decodeAll("plaintexts", in.Body.Plaintexts)
	if err != nil {
		return nil, err
	}
	out := &batchEncryptOut{}
	out.Body.Ciphertexts, err = stack.Encrypt(ctx, d.in(ctx), access.Of(ctx).Stack.Value, plain)
	return out, err
}

type batchDecryptIn struct {
	StackPath
	Body struct {
		Ciphertexts []string `json:"ciphertexts" doc:"base64"`
	}
}

type batchDecryptOut struct {
	Body struct {
		Plaintexts map[string][]byte `json:"plaintexts"` // by the very text that was sent: the CLI looks it up by that
	}
}

func (d dialect) batchDecrypt(ctx context.Context, in *batchDecryptIn) (*batchDecryptOut, error) {
	sealed, err := decodeAll("ciphertexts", in.Body.Ciphertexts)
	if err != nil {
		return nil, err
	}
	a := access.Of(ctx)
	plain, err := stack.DecryptBatch(ctx, d.in(ctx), a.Organization, a.Stack.Value, sealed)
	if err != nil {
		return nil, err
	}
	out := &batchDecryptOut{}
	out.Body.Plaintexts = make(map[string][]byte, len(plain))
	for i, text := range in.Body.Ciphertexts {
		out.Body.Plaintexts[text] = plain[i]
	}
	return out, nil
}

func decodeAll(field string, texts []string) ([][]byte, error) {
	if len(texts) > maxSecrets {
		return nil, fault.New(fault.TooLarge, "%s holds %d values, at most %d are taken at once", field, len(texts), maxSecrets)
	}
	out := make([][]byte, len(texts))
	for i, t := range texts {
		var err error
		if out[i], err = decode(fmt.Sprintf("%s[%d]", field, i), t); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func decode(field, text string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fault.Wrong("body."+field, "body.%s is not base64", field)
	}
	return raw, nil
}
