// Package bucket reads a Pulumi backend from S3, or from what speaks its protocol.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/migrate/pulumi"
)

// Scheme begins the address of a bucket.
const Scheme = "s3://"

// Access is all that is needed to read a bucket, so that another process than the one that found the credentials may do it. It is secret.
type Access struct {
	Bucket    string `json:"bucket"`
	Prefix    string `json:"prefix,omitempty"` // of every name; ends with a slash unless it is empty
	Region    string `json:"region"`
	Endpoint  string `json:"endpoint,omitempty"` // URL; empty for AWS itself
	PathStyle bool   `json:"pathStyle,omitempty"`
	Key       string `json:"key,omitempty"`
	Secret    string `json:"secret,omitempty"`
	Session   string `json:"session,omitempty"`
}

// Resolve reads an address as the client's own backend takes it, s3://bucket/prefix?region=…&endpoint=…, and finds credentials where
// AWS's own programs do: environment, profile, role of the machine.
func Resolve(ctx context.Context, address string) (Access, error) {
	u, err := url.Parse(address)
	if err != nil {
		return Access{}, fmt.Errorf("%s: %w", address, err)
	}
	a := Access{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/")}
	if a.Bucket == "" {
		return a, fmt.Errorf("%s names no bucket", address)
	}
	if a.Prefix != "" {
		a.Prefix += "/"
	}
	scheme := "https://"
	var options []func(*config.LoadOptions) error
	for name, values := range u.Query() {
		switch v := values[0]; name {
		case "region":
			options = append(options, config.WithRegion(v))
		case "profile":
			options = append(options, config.WithSharedConfigProfile(v))
		case "endpoint":
			a.Endpoint = v
		case "s3ForcePathStyle", "use_path_style":
			a.PathStyle = v == "true"
		case "disableSSL", "disable_https":
			if v == "true" {
				scheme = "http://"
			}
		case "awssdk":
		default:
			return a, fmt.Errorf("%s: parameter %q is not known: region, endpoint, profile, s3ForcePathStyle and disableSSL are", address, name)
		}
	}
	if a.Endpoint != "" && !strings.Contains(a.Endpoint, "://") {
		a.Endpoint = scheme + a.Endpoint
	}
	found, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return a, fmt.Errorf("credentials for %s: %w", address, err)
	}
	if a.Region = found.Region; a.Region == "" {
		return a, fmt.Errorf("%s: give the region, as in %s?region=eu-central-1", address, Scheme+a.Bucket)
	}
	c, err := found.Credentials.Retrieve(ctx)
	if err != nil {
		return a, fmt.Errorf("credentials for %s: %w", address, err)
	}
	a.Key, a.Secret, a.Session = c.AccessKeyID, c.SecretAccessKey, c.SessionToken
	return a, nil
}

type source struct {
	access Access
	client *s3.Client
}

// Open is the source of a bucket. Nothing is dialled before it is read.
func Open(a Access) pulumi.Source {
	o := s3.Options{
		Region: a.Region, Credentials: credentials.NewStaticCredentialsProvider(a.Key, a.Secret, a.Session),
		UsePathStyle: a.PathStyle || a.Endpoint != "", // what is not AWS has seldom a name of its own for each bucket
	}
	if a.Endpoint != "" {
		o.BaseEndpoint = aws.String(a.Endpoint)
	}
	return source{a, s3.New(o)}
}

// String is the bucket's address without how to reach it.
func (s source) String() string {
	return strings.TrimSuffix(Scheme+s.access.Bucket+"/"+s.access.Prefix, "/")
}

// List implements pulumi.Source.
func (s source) List(ctx context.Context, prefix string, each func(pulumi.File) error) error {
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{
		Bucket: aws.String(s.access.Bucket), Prefix: aws.String(s.access.Prefix + prefix),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			name := strings.TrimPrefix(aws.ToString(o.Key), s.access.Prefix)
			if err := each(pulumi.File{Name: name, Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Read implements pulumi.Source.
func (s source) Read(ctx context.Context, name string) ([]byte, error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(s.access.Bucket), Key: aws.String(s.access.Prefix + name)})
	var answer smithy.APIError
	if errors.As(err, &answer) && (answer.ErrorCode() == "NoSuchKey" || answer.ErrorCode() == "NotFound") {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(out.Body, blob.MaxDocument+1))
	if err == nil && len(text) > blob.MaxDocument {
		err = blob.ErrTooLarge
	}
	return text, err
}
