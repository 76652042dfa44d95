package pulumi

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/core/compress"
)

// Source is a tree of files.
type Source interface {
	// List calls each for every file whose name begins with prefix, which ends at a slash or is empty, in any order. A folder that
	// does not exist has none.
	List(ctx context.Context, prefix string, each func(File) error) error

	// Read returns a file's content; fs.ErrNotExist when there is none.
	Read(ctx context.Context, name string) ([]byte, error)

	// String names the source so that it is the same for the same files.
	String() string
}

// File is a file of a source. Names are divided by slashes.
type File struct {
	Name     string
	Size     int64
	Modified time.Time
}

// Directory is the source of a directory.
type Directory string

// String is the directory's path.
func (d Directory) String() string { return "file://" + string(d) }

// List implements Source.
func (d Directory) List(ctx context.Context, prefix string, each func(File) error) error {
	root := filepath.Join(string(d), filepath.FromSlash(prefix))
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !e.Type().IsRegular():
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		below, err := filepath.Rel(string(d), name)
		if err != nil {
			return err
		}
		return each(File{Name: filepath.ToSlash(below), Size: info.Size(), Modified: info.ModTime()})
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Read implements Source.
func (d Directory) Read(_ context.Context, name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(d), filepath.FromSlash(name)))
}

// read returns a file's content, decompressed if it is compressed, up to blob.MaxDocument bytes.
func read(ctx context.Context, s Source, name string) ([]byte, error) {
	packed, err := s.Read(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	plain, err := unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return plain, nil
}

func unpack(packed []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(packed, []byte{0x1f, 0x8b}):
		r, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, err
		}
		plain, err := io.ReadAll(io.LimitReader(r, blob.MaxDocument+1))
		if err == nil && len(plain) > blob.MaxDocument {
			err = blob.ErrTooLarge
		}
		return plain, err
	case bytes.HasPrefix(packed, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return compress.Unzstd(packed, blob.MaxDocument)
	}
	return packed, nil
}

// bare is a file's name without the endings that compression adds.
func bare(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
}
