// Package list is how collections are shown: cursors now, totals and sorting where a vendor has them.
package list

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"github.com/polyplane/polyplane/shared/core/fault"
)

// Cursors makes and opens continuation tokens. A token is opaque, bound to the listing and the principal it was made for, and
// refused when anything in it was changed.
type Cursors struct {
	Key []byte // secret shared by all processes of an installation; at least 16 bytes
}

const tagSize = 16

func (c Cursors) tag(binding string, body []byte) []byte {
	m := hmac.New(sha256.New, c.Key)
	m.Write([]byte(binding))
	m.Write([]byte{0})
	m.Write(body)
	return m.Sum(nil)[:tagSize]
}

// Make writes a position as a token. binding names the listing, its filters and the principal.
func (c Cursors) Make(binding string, position any) string {
	body, err := json.Marshal(position)
	if err != nil {
		panic("list: a position that JSON cannot hold: " + err.Error()) // a defect in the type
	}
	return base64.RawURLEncoding.EncodeToString(append(c.tag(binding, body), body...))
}

// Open reads a token made by Make with the same binding. field is where the token stood in the request.
func (c Cursors) Open(binding, token, field string, position any) error {
	refuse := fault.Wrong(field, "this continuation token was not made for this listing: start again without one")
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < tagSize {
		return refuse
	}
	if !hmac.Equal(raw[:tagSize], c.tag(binding, raw[tagSize:])) {
		return refuse
	}
	if err := json.Unmarshal(raw[tagSize:], position); err != nil {
		return refuse
	}
	return nil
}
