package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

// callers are the only places that may reach out: users' addresses are called from shared/outbound alone, the standalone program speaks
// to its own socket, and scripts speak to the program.
var callers = []string{"shared/outbound/web", "shared/boot/standalone", "scripts/"}

// reaching are the names of each package that open connections.
var reaching = map[string][]string{
	"net/http":   {"Client", "DefaultClient", "DefaultTransport", "Transport", "Get", "Head", "Post", "PostForm", "NewRequest", "NewRequestWithContext"},
	"net":        {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "DialUnix", "Dialer"},
	"crypto/tls": {"Dial", "DialWithDialer", "Dialer"},
}

// outgoingCalls tells where a package reaches out that may not.
func outgoingCalls(p pkg) (complaints []string, err error) {
	at := strings.TrimPrefix(p.ImportPath, module)
	if below(at, callers) {
		return nil, nil
	}
	for _, name := range p.GoFiles {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		forbidden := map[string][]string{}
		for _, i := range file.Imports {
			path := strings.Trim(i.Path.Value, `"`)
			local := path[strings.LastIndexByte(path, '/')+1:]
			if i.Name != nil {
				local = i.Name.Name
			}
			if names := reaching[path]; names != nil {
				forbidden[local] = names
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && slices.Contains(forbidden[x.Name], s.Sel.Name) {
					complaints = append(complaints, fmt.Sprintf("%s: %s.%s: outgoing calls are made by shared/outbound alone", fset.Position(s.Pos()), x.Name, s.Sel.Name))
				}
			}
			return true
		})
	}
	return complaints, nil
}
