package standalone

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/polyplane/polyplane/shared/core/installation"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/update"
	"github.com/polyplane/polyplane/shared/migrate/pulumi"
	"github.com/polyplane/polyplane/shared/migrate/pulumi/bucket"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// An import is an order that is answered line by line, since it takes its time: the command reads the source's credentials and the
// passphrase, and the process that holds the data directory does the rest. Whoever hangs up ends it; the next one goes on.

const importUsage = `usage: polyplane import pulumi [flags] SOURCE

Brings the stacks of a Pulumi DIY backend, with their history. SOURCE is a directory or file:///DIRECTORY, a bucket as in
s3://BUCKET/PREFIX?region=REGION&endpoint=URL, or a directory of exports, PROJECT/STACK.json. The server may run or not. An import
that was interrupted goes on when it is started again.

With the passphrase in PULUMI_CONFIG_PASSPHRASE or --passphrase-file, secrets are sealed anew with each stack's own key; without it they
stay as they are.

`

// importAt is where on the control socket imports are taken.
const importAt = "/import"

// importOrder is what an import needs to know.
type importOrder struct {
	Directory  string         `json:"directory,omitempty"` // absolute; or
	Bucket     *bucket.Access `json:"bucket,omitempty"`
	Org        string         `json:"org,omitempty"` // name; empty is the first
	Project    string         `json:"project,omitempty"`
	Passphrase *string        `json:"passphrase,omitempty"`
	URL        string         `json:"url,omitempty"` // empty is the running server's own
	DryRun     bool           `json:"dryRun,omitempty"`
	IntoEmpty  bool           `json:"intoEmpty,omitempty"`
}

// importLine is one line of the answer: progress, or at the end the outcomes, an error, or both.
type importLine struct {
	Progress *pulumi.Progress `json:"progress,omitempty"`
	Ended    *importEnd       `json:"ended,omitempty"`
}

type importEnd struct {
	Org      string           `json:"org"`
	URL      string           `json:"url,omitempty"`
	Outcomes []pulumi.Outcome `json:"outcomes"`
	Error    string           `json:"error,omitempty"`
}

// importing lets a server that stops end the imports that it carries out.
type importing struct {
	once sync.Once
	over chan struct{}
}

func (i *importing) stopped() chan struct{} {
	i.once.Do(func() { i.over = make(chan struct{}) })
	return i.over
}

func (i *importing) stop() { close(i.stopped()) }

// importCommand is `polyplane import`.
func importCommand(args []string, h Hooks, out, errs io.Writer, env func(string) string) error {
	if len(args) == 0 || args[0] != "pulumi" {
		fmt.Fprint(errs, importUsage)
		return errUsage
	}
	s := Settings{Hooks: h}
	var o importOrder
	var phraseFile string
	f := flags("import pulumi", &s, errs, env)
	f.StringVar(&o.Org, "org", "", "organization that gets the stacks (default the installation's first)")
	f.StringVar(&o.Project, "project", "", "only this project; also the one of stacks whose source does not tell theirs")
	f.StringVar(&phraseFile, "passphrase-file", env("PULUMI_CONFIG_PASSPHRASE_FILE"), "file that holds the passphrase of the stacks' secrets")
	f.StringVar(&o.URL, "url", "", "address that clients log in to (default the running server's own)")
	f.BoolVar(&o.DryRun, "dry-run", false, "say what would happen and change nothing")
	f.BoolVar(&o.IntoEmpty, "into-empty", false, "also import into stacks that exist and were never updated")
	f.Usage = func() {
		fmt.Fprint(errs, importUsage)
		f.PrintDefaults()
	}
	address, err := oneArgument(f, args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return errUsage
	}
	ctx, stop := interruptible()
	defer stop()
	if err := o.resolve(ctx, address, phraseFile); err != nil {
		return err
	}
	m := newMeter(errs, s.Hooks.now())
	end, err := importWith(ctx, s, o, m.show)
	m.clear()
	if err != nil {
		return err
	}
	return summarize(out, o, end)
}

// oneArgument parses flags before and behind the one argument.
func oneArgument(f *flag.FlagSet, args []string) (string, error) {
	var rest []string
	for len(args) > 0 {
		if err := f.Parse(args); err != nil {
			return "", err
		}
		if args = f.Args(); len(args) > 0 {
			rest, args = append(rest, args[0]), args[1:]
		}
	}
	if len(rest) != 1 {
		f.Usage()
		return "", errUsage
	}
	return rest[0], nil
}

// resolve finds what only the command's own process can see: the directory, the credentials, the passphrase.
func (o *importOrder) resolve(ctx context.Context, address, phraseFile string) error {
	if phrase, given := os.LookupEnv("PULUMI_CONFIG_PASSPHRASE"); given {
		o.Passphrase = &phrase
	}
	if phraseFile != "" {
		text, err := os.ReadFile(phraseFile)
		if err != nil {
			return fmt.Errorf("passphrase: %w", err)
		}
		phrase := strings.TrimSpace(string(text)) // as the client reads such a file
		o.Passphrase = &phrase
	}
	if strings.HasPrefix(address, bucket.Scheme) {
		a, err := bucket.Resolve(ctx, address)
		o.Bucket = &a
		return err
	}
	if scheme, _, ok := strings.Cut(address, "://"); ok && scheme != "file" {
		return fmt.Errorf("%s: sources are directories, file:// and %s", address, bucket.Scheme)
	}
	path, _, _ := strings.Cut(strings.TrimPrefix(address, "file://"), "?")
	if home, err := os.UserHomeDir(); err == nil && (path == "~" || strings.HasPrefix(path, "~/")) {
		path = home + strings.TrimPrefix(path, "~")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if info, err := os.Stat(abs); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is no directory", abs)
	}
	o.Directory = abs
	return nil
}

func (o importOrder) source() pulumi.Source {
	if o.Bucket != nil {
		return bucket.Open(*o.Bucket)
	}
	return pulumi.Directory(o.Directory)
}

// importWith has an import carried out by the process that runs on the data directory, or here when none does.
func importWith(ctx context.Context, s Settings, o importOrder, show func(pulumi.Progress)) (importEnd, error) {
	if _, err := os.Stat(filepath.Join(s.Data, storeDir)); err != nil {
		return importEnd{}, fmt.Errorf("%s holds no Polyplane data: %w", s.Data, err)
	}
	at, err := socketPath(s.Data)
	if err != nil {
		return importEnd{}, err
	}
	body, err := json.Marshal(o)
	if err != nil {
		return importEnd{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://control"+importAt, bytes.NewReader(body))
	if err != nil {
		return importEnd{}, err
	}
	res, err := controlClient(at).Do(req)
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return importHere(ctx, s, o, show)
	}
	if err != nil {
		return importEnd{}, err
	}
	defer func() { _ = res.Body.Close() }()
	lines := json.NewDecoder(res.Body)
	for {
		var l importLine
		if err := lines.Decode(&l); err != nil {
			return importEnd{}, fmt.Errorf("the running process ended the import; start it again and it goes on: %w", err)
		}
		if l.Progress != nil {
			show(*l.Progress)
		}
		if l.Ended != nil {
			return *l.Ended, nil
		}
	}
}

func importHere(ctx context.Context, s Settings, o importOrder, show func(pulumi.Progress)) (importEnd, error) {
	d, err := openData(s.Data, s.Hooks, slog.New(slog.DiscardHandler))
	if err != nil {
		return importEnd{}, err
	}
	end := d.bring(ctx, o, show)
	return end, d.close()
}

// takeImport carries out an import that came through the control socket.
func (s *Server) takeImport(w http.ResponseWriter, r *http.Request) {
	c := http.NewResponseController(w)
	var o importOrder
	answer := json.NewEncoder(w)
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&o); err != nil {
		_ = answer.Encode(importLine{Ended: &importEnd{Error: err.Error()}})
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-s.imports.stopped():
			cancel()
		case <-ctx.Done():
		}
	}()
	if o.URL == "" {
		o.URL = s.BaseURL("pulumi")
	}
	told := time.Time{}
	end := s.data.bring(ctx, o, func(p pulumi.Progress) {
		if now := s.data.now(); now.Sub(told) >= tellEvery {
			told = now
			_ = answer.Encode(importLine{Progress: &p})
			_ = c.Flush()
		}
	})
	_ = answer.Encode(importLine{Ended: &end})
}

// tellEvery is how often a client hears of an import's progress.
const tellEvery = 100 * time.Millisecond

// bring carries out an import.
func (d *data) bring(ctx context.Context, o importOrder, tell func(pulumi.Progress)) (end importEnd) {
	options, err := d.importOptions(ctx, o)
	if err == nil {
		end.Org, end.URL = options.Organization.Name, options.URL
		end.Outcomes, err = pulumi.Import(ctx, d.ports, options, tell)
	}
	if err != nil {
		end.Error = err.Error()
	}
	return end
}

func (d *data) importOptions(ctx context.Context, o importOrder) (pulumi.Options, error) {
	_, err := d.ports.Store.Get(ctx, keys.Installation())
	if errors.Is(err, store.ErrNotFound) {
		return pulumi.Options{}, fmt.Errorf("%s was never served: start the server once, so that there is an organization", d.dir)
	}
	if err != nil {
		return pulumi.Options{}, err
	}
	in, err := installation.Open(ctx, d.ports, installation.Draft{})
	if err != nil {
		return pulumi.Options{}, err
	}
	org := in.Organization
	if o.Org != "" {
		if org, err = organization.Find(ctx, d.ports, o.Org); err != nil {
			return pulumi.Options{}, err
		}
	}
	if o.Directory != "" {
		if _, err := os.Stat(o.Directory); errors.Is(err, fs.ErrNotExist) {
			return pulumi.Options{}, fmt.Errorf("the process that runs on %s does not see %s: %w", d.dir, o.Directory, err)
		}
	}
	admin := in.Administrator
	out := pulumi.Options{
		Source: o.source(), Organization: org, Project: o.Project, URL: strings.TrimRight(o.URL, "/"), DryRun: o.DryRun, IntoEmpty: o.IntoEmpty,
		Principal: permission.Principal{Kind: permission.KindUser, ID: admin.ID, Login: admin.Login, Name: admin.Name},
		By:        update.By{User: admin.ID, Login: admin.Login, Name: admin.Name, Email: admin.Email},
	}
	if o.Passphrase != nil {
		out.Passphrase = pulumi.NewPassphrase(*o.Passphrase)
	}
	return out, nil
}
