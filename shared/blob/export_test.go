package blob

import "github.com/polyplane/polyplane/shared/keyring"

// SealPacked seals a chunk of any size under any address, as one could who holds the key.
func SealPacked(key *keyring.DataKey, scope, id string, plain []byte) Chunk {
	return sealChunk(key, scope, id, plain)
}
