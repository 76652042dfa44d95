package bucket_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/migrate/pulumi"
	"github.com/polyplane/polyplane/shared/migrate/pulumi/bucket"
)

// server speaks as much of S3 as reading takes: lists of two keys a page, and objects. Keys begin with the bucket's name.
type server struct {
	objects map[string]string
	asked   []string // who signed what
}

type listing struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	IsTruncated           bool
	NextContinuationToken string `xml:",omitempty"`
	Contents              []object
}

type object struct {
	Key          string
	Size         int
	LastModified string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked = append(s.asked, r.Header.Get("Authorization"))
	path := strings.TrimPrefix(r.URL.Path, "/")
	q := r.URL.Query()
	if q.Get("list-type") != "2" {
		text, ok := s.objects[path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			_, _ = fmt.Fprint(w, `<Error><Code>NoSuchKey</Code><Message>none</Message></Error>`)
			return
		}
		_, _ = fmt.Fprint(w, text)
		return
	}
	var l listing
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		below, ours := strings.CutPrefix(key, path+"/")
		switch {
		case !ours || !strings.HasPrefix(below, q.Get("prefix")) || below <= q.Get("continuation-token"):
		case len(l.Contents) == 2:
			l.IsTruncated, l.NextContinuationToken = true, l.Contents[1].Key
		default:
			l.Contents = append(l.Contents, object{below, len(s.objects[key]), "2026-01-02T03:04:05Z"})
		}
	}
	_ = xml.NewEncoder(w).Encode(l)
}

func serve(t *testing.T, objects map[string]string) (*server, string) {
	t.Setenv("AWS_ACCESS_KEY_ID", "KEYID")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	t.Setenv("AWS_REGION", "")
	s := &server{objects: objects}
	at := httptest.NewServer(s)
	t.Cleanup(at.Close)
	return s, at.URL
}

func TestABucketIsListedPageByPageBelowItsPrefixAndRead(t *testing.T) {
	objects := map[string]string{"b/state/.pulumi/meta.yaml": "version: 1\n", "b/elsewhere": "x"}
	for i := range 5 {
		objects[fmt.Sprintf("b/state/.pulumi/stacks/p/s%d.json", i)] = strings.Repeat("x", i)
	}
	s, at := serve(t, objects)
	ctx := context.Background()
	a, err := bucket.Resolve(ctx, "s3://b/state?region=eu-central-1&endpoint="+at)
	require.NoError(t, err)
	source := bucket.Open(a)
	require.Equal(t, "s3://b/state", source.String())
	var found []string
	require.NoError(t, source.List(ctx, ".pulumi/stacks/", func(f pulumi.File) error {
		require.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), f.Modified.UTC())
		found = append(found, fmt.Sprint(f.Name, " ", f.Size))
		return nil
	}))
	require.Equal(t, []string{
		".pulumi/stacks/p/s0.json 0", ".pulumi/stacks/p/s1.json 1", ".pulumi/stacks/p/s2.json 2", ".pulumi/stacks/p/s3.json 3", ".pulumi/stacks/p/s4.json 4",
	}, found)
	text, err := source.Read(ctx, ".pulumi/meta.yaml")
	require.NoError(t, err)
	require.Equal(t, "version: 1\n", string(text))
	_, err = source.Read(ctx, ".pulumi/nothing")
	require.ErrorIs(t, err, fs.ErrNotExist)
	for _, signed := range s.asked {
		require.Contains(t, signed, "Credential=KEYID/")
		require.Contains(t, signed, "/eu-central-1/s3/")
	}
}

func TestAnAddressThatLacksSomethingIsRefusedWithASentence(t *testing.T) {
	serve(t, nil)
	for address, text := range map[string]string{
		"s3://b":                       "give the region, as in s3://b?region=eu-central-1",
		"s3:///prefix?region=x":        "names no bucket",
		"s3://b?region=x&colour=green": `parameter "colour" is not known`,
	} {
		_, err := bucket.Resolve(context.Background(), address)
		require.ErrorContains(t, err, text, address)
	}
	a, err := bucket.Resolve(context.Background(), "s3://b?region=x&endpoint=minio:9000&disableSSL=true")
	require.NoError(t, err)
	require.Equal(t, "http://minio:9000", a.Endpoint)
}
