package local

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/polyplane/polyplane/shared/keyring"
)

// document is the master key file: JSON, so that an operator can see what it is.
type document struct {
	About  string          `json:"about"`
	Format int             `json:"format"`
	Keys   []masterInPlain `json:"keys"` // newest first
}

type masterInPlain struct {
	ID  string `json:"id"`  // 16 hex digits
	Key string `json:"key"` // base64 of 32 bytes
}

const (
	documentFormat = 1
	about          = "Polyplane master keys, newest first. Whoever reads this file can read every secret; " +
		"without it nothing sealed can be opened again. Keep a copy apart from the data."
	canaryName  = "canary"
	canaryText  = "polyplane"
	maxFileSize = 1 << 20 // bytes; thousands of master keys
)

// Open opens the master key file, and makes it with its canary on the first start. It refuses a file that others may read, a
// missing file whose canary is there, and a file that does not open its canary.
func Open(path string) (*Keyring, error) {
	k, err := OpenExisting(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	canary := canaryOf(path)
	if _, err := os.Lstat(canary); !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return nil, fmt.Errorf("looking for the canary of the master key file: %w", err)
		}
		return nil, fmt.Errorf("the master key file %s is missing, but %s shows that there was one: put the file back from its backup, "+
			"or, only if nothing sealed with it is needed any more, remove %s as well and a new one is made", path, canary, canary)
	}
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("making the directory of the master key file: %w", err)
	}
	content, err := encode([]master{newMaster()})
	if err != nil {
		return nil, err
	}
	if err := create(path, content); err != nil {
		return nil, fmt.Errorf("creating the master key file %s: %w", path, err)
	}
	return OpenExisting(path)
}

// OpenExisting is Open for one who knows that sealed data exists: it never makes a master key. The error of a missing file is
// fs.ErrNotExist.
func OpenExisting(path string) (*Keyring, error) {
	masters, err := load(path)
	if err != nil {
		return nil, err
	}
	k := &Keyring{path: path, masters: masters}
	if err := k.checkCanary(); err != nil {
		return nil, err
	}
	return k, nil
}

// Rotate makes a new master key, which wraps from now on; data keys that older ones wrapped still open. When it fails, the old
// one goes on wrapping.
func (k *Keyring) Rotate() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	// Read again: a key that somebody put into the file meanwhile must not get lost.
	masters, err := load(k.path)
	if err != nil {
		return err
	}
	masters = append([]master{newMaster()}, masters...)
	content, err := encode(masters)
	if err != nil {
		return err
	}
	// The file goes first: until the canary follows, the old master key, which is still in the file, opens it.
	if err := replace(k.path, content); err != nil {
		return fmt.Errorf("adding a master key to %s: %w", k.path, err)
	}
	if err := writeCanary(k.path, masters); err != nil {
		return err
	}
	k.masters = masters
	return nil
}

func canaryOf(path string) string { return filepath.Join(filepath.Dir(path), canaryName) }

func writeCanary(path string, masters []master) error {
	sealed := masters[0].seal([]byte(canaryText), purposeCanary, "")
	if err := replace(canaryOf(path), []byte(base64.StdEncoding.EncodeToString(sealed)+"\n")); err != nil {
		return fmt.Errorf("writing the canary of the master key file: %w", err)
	}
	return nil
}

// checkCanary opens the canary, and writes one when a crash on the first start or in a rotation kept it from being written.
func (k *Keyring) checkCanary() error {
	canary := canaryOf(k.path)
	text, err := os.ReadFile(canary)
	if errors.Is(err, fs.ErrNotExist) {
		return writeCanary(k.path, k.masters)
	}
	if err != nil {
		return fmt.Errorf("reading the canary of the master key file: %w", err)
	}
	sealed, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		return k.refusal(canary, keyring.ErrWrongKey)
	}
	plain, by, err := open(k.masters, sealed, purposeCanary, "")
	if err != nil || string(plain) != canaryText {
		return k.refusal(canary, err)
	}
	if by != 0 {
		return writeCanary(k.path, k.masters)
	}
	return nil
}

func (k *Keyring) refusal(canary string, err error) error {
	return fmt.Errorf("the master key file %s does not open %s, so it is not the one that sealed the data here, or not its latest version: "+
		"put the right file back from its backup, or, if the canary itself was damaged and you are sure of the key, remove %s (%w)",
		k.path, canary, canary, err)
}

// load reads the master keys of the file, newest first.
func load(path string) ([]master, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the master key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("looking at the master key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("the master key file %s is not a regular file", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the master key file %s may be read or written by others (mode %#o): run chmod 600 %s, "+
			"and rotate the master key if somebody could have read it", path, info.Mode().Perm(), path)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxFileSize))
	if err != nil {
		return nil, fmt.Errorf("reading the master key file: %w", err)
	}
	masters, err := decode(content)
	if err != nil {
		return nil, fmt.Errorf("the master key file %s is damaged (%w): put it back from its backup", path, err)
	}
	return masters, nil
}

func encode(masters []master) ([]byte, error) {
	doc := document{About: about, Format: documentFormat}
	for i := range masters {
		doc.Keys = append(doc.Keys, masterInPlain{
			ID:  hex.EncodeToString(masters[i].id[:]),
			Key: base64.StdEncoding.EncodeToString(masters[i].key[:]),
		})
	}
	content, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(content, '\n'), nil
}

// decode never quotes what it read: its errors are printed.
func decode(content []byte) ([]master, error) {
	var doc document
	if json.Unmarshal(content, &doc) != nil {
		return nil, errors.New("not the JSON it should be")
	}
	if doc.Format != documentFormat {
		return nil, fmt.Errorf("format %d, not %d", doc.Format, documentFormat)
	}
	if len(doc.Keys) == 0 {
		return nil, errors.New("no key in it")
	}
	masters := make([]master, len(doc.Keys))
	seen := map[[8]byte]bool{}
	for i, in := range doc.Keys {
		m := &masters[i]
		id, err := hex.DecodeString(in.ID)
		if err != nil || len(id) != len(m.id) {
			return nil, fmt.Errorf("the id of key %d is not 16 hex digits", i+1)
		}
		key, err := base64.StdEncoding.DecodeString(in.Key)
		if err != nil || len(key) != len(m.key) {
			return nil, fmt.Errorf("key %d is not the base64 of 32 bytes", i+1)
		}
		m.id, m.key = [8]byte(id), [32]byte(key)
		if seen[m.id] {
			return nil, fmt.Errorf("key %s is there twice", in.ID)
		}
		seen[m.id] = true
	}
	return masters, nil
}
