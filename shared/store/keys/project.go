package keys

import "github.com/polyplane/polyplane/shared/store"

// Project is the scope of a project.
func Project(id string) store.Scope { return store.Scope("project/" + id) }

// ProjectHead is the project's own document.
func ProjectHead(id string) store.Key { return head(Project(id)) }
