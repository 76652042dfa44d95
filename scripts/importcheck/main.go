// Command importcheck holds the import rules of CONTRIBUTING.md against the code: what each layer may import of ours, and where each
// dependency may be imported from.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

const module = "github.com/polyplane/polyplane/"

// layer says what the packages below a path may import of ours.
type layer struct {
	path  string   // below the module, the first that fits counts
	may   []string // prefixes below the module
	never []string // import paths that they may not import at all, by prefix
}

var wire = []string{"net/http", "github.com/aws/", "github.com/danielgtaylor/huma", "github.com/guregu/dynamo"}

var layers = []layer{
	{path: "functions/", may: []string{"shared/boot"}},
	{path: "scripts/", may: []string{"shared/", "functions/"}},
	{path: "shared/boot", may: []string{"shared/"}},
	{path: "shared/dialects/", may: []string{"shared/api", "shared/core/", "shared/store"}},
	{path: "shared/api", may: []string{"shared/api", "shared/core/", "shared/store"}},
	{path: "shared/migrate/", may: []string{"shared/migrate/", "shared/core/", "shared/store", "shared/blob"}, never: []string{"net/http"}},
	{path: "shared/core/", may: []string{"shared/core/", "shared/store", "shared/store/keys", "shared/blob", "shared/keyring", "shared/outbound"}, never: wire},
	{path: "shared/store/", may: []string{"shared/store"}, never: wire},
	{path: "shared/store", never: wire},
	{path: "shared/blob/", may: []string{"shared/blob", "shared/keyring"}},
	{path: "shared/blob", may: []string{"shared/keyring", "shared/blob/internal"}, never: wire},
	{path: "shared/keyring/", may: []string{"shared/keyring"}},
	{path: "shared/keyring", never: wire},
	{path: "shared/outbound/", may: []string{"shared/outbound"}},
	{path: "shared/outbound", never: wire},
}

// homes says below which paths each dependency may be imported.
var homes = map[string][]string{
	module + "shared/outbound/web":            {"shared/boot"},
	"github.com/danielgtaylor/huma":           {"shared/api"},
	"github.com/cockroachdb/pebble":           {"shared/store/local"},
	"github.com/prometheus/":                  {"shared/api/metrics"},
	"github.com/klauspost/compress/zstd":      {"shared/core/compress", "shared/blob"},
	"github.com/PlakarKorp/go-cdc-chunkers":   {"shared/blob"},
	"github.com/google/uuid":                  {"shared/boot"},
	"github.com/santhosh-tekuri/jsonschema":   {"shared/core/policy"},
	"github.com/aws/aws-sdk-go-v2/service/s3": {"shared/migrate/pulumi/bucket"},
}

type pkg struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

func main() {
	pkgs, err := list()
	if err != nil {
		fmt.Fprintln(os.Stderr, "importcheck:", err)
		os.Exit(2)
	}
	wrong := 0
	for _, p := range pkgs {
		outgoing, err := outgoingCalls(p)
		if err != nil {
			fmt.Fprintln(os.Stderr, "importcheck:", err)
			os.Exit(2)
		}
		for _, complaint := range append(check(p), outgoing...) {
			fmt.Println(complaint)
			wrong++
		}
	}
	if wrong > 0 {
		os.Exit(1)
	}
	fmt.Printf("import rules hold in %d packages\n", len(pkgs))
}

func list() ([]pkg, error) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports", "./...").Output()
	if err != nil {
		return nil, err
	}
	var pkgs []pkg
	d := json.NewDecoder(bytes.NewReader(out))
	for {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs, nil
		} else if err != nil {
			return nil, err
		}
		pkgs = append(pkgs, p)
	}
}

func check(p pkg) (complaints []string) {
	at := strings.TrimPrefix(p.ImportPath, module)
	l, ok := layerOf(at)
	if !ok {
		return []string{at + " belongs to no layer: add it to scripts/importcheck"}
	}
	for _, i := range p.Imports {
		ours, isOurs := strings.CutPrefix(i, module)
		switch {
		case isOurs && !below(ours, l.may) && !within(ours, at):
			complaints = append(complaints, fmt.Sprintf("%s may not import %s", at, ours))
		case isOurs && dialectOf(at) != "" && dialectOf(ours) != "" && dialectOf(at) != dialectOf(ours):
			complaints = append(complaints, fmt.Sprintf("%s may not import another dialect, %s", at, ours))
		case !isOurs && below(i, l.never):
			complaints = append(complaints, fmt.Sprintf("%s may not import %s", at, i))
		}
		for dep, places := range homes {
			if strings.HasPrefix(i, dep) && !below(at, places) {
				complaints = append(complaints, fmt.Sprintf("%s may not import %s: its place is %s", at, i, strings.Join(places, ", ")))
			}
		}
	}
	return complaints
}

func layerOf(at string) (layer, bool) {
	for _, l := range layers {
		if strings.HasPrefix(at+"/", l.path) || at == l.path {
			return l, true
		}
	}
	return layer{}, false
}

// dialectOf is the dialect a package belongs to, or "".
func dialectOf(at string) string {
	rest, ok := strings.CutPrefix(at, "shared/dialects/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func below(p string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(p, prefix) {
			return true
		}
	}
	return false
}

// within reports whether a package imports from its own folder, or a parent from its child or the reverse.
func within(a, b string) bool {
	return strings.HasPrefix(a+"/", b+"/") || strings.HasPrefix(b+"/", a+"/")
}
