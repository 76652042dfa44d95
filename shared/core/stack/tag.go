package stack

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
)

// Tag limits.
const (
	maxTags     = 100
	maxTagValue = 256 // characters
)

var tagName = regexp.MustCompile(`^[a-zA-Z0-9-_.:]{1,40}$`)

// projectTag always names the stack's project.
const projectTag = "pulumi:project"

// builtIn are tags that the client derives from the project; they change only as a whole set.
var builtIn = []string{
	projectTag, "pulumi:runtime", "pulumi:description", "pulumi:template",
	"gitHub:owner", "gitHub:repo", "vcs:owner", "vcs:repo", "vcs:kind", "vcs:root",
}

// CheckTags returns the fault of tags that no stack may have, or nil. field is where they stood in the request.
func CheckTags(field string, tags map[string]string) error {
	if len(tags) > maxTags {
		return fault.Wrong(field, "a stack has at most %d tags, %d were given", maxTags, len(tags))
	}
	for k, v := range tags {
		if !tagName.MatchString(k) {
			return fault.Wrong(field+"."+k, "tag name %q must be 1 to 40 letters, digits, '-', '_', '.' or ':'", k)
		}
		if utf8.RuneCountInString(v) > maxTagValue {
			return fault.Wrong(field+"."+k, "the value of tag %q is longer than %d characters", k, maxTagValue)
		}
	}
	return nil
}

// ReplaceTags gives the stack exactly these tags. The tag that names the project may be left out but not changed.
func ReplaceTags(ctx context.Context, p ports.Ports, o organization.Organization, d store.Doc[Stack], tags map[string]string) error {
	if err := CheckTags("tags", tags); err != nil {
		return err
	}
	if named, ok := tags[projectTag]; ok && named != d.Value.ProjectName {
		return fault.Wrong("tags."+projectTag, "tag %s names the stack's project, %s, and cannot be changed: rename the stack instead", projectTag, d.Value.ProjectName)
	}
	return retag(ctx, p, o, d, func(map[string]string) (map[string]string, error) { return tags, nil })
}

// AddTag adds one tag that the stack does not have yet.
func AddTag(ctx context.Context, p ports.Ports, o organization.Organization, d store.Doc[Stack], called, value string) error {
	if err := CheckTags("tags", map[string]string{called: value}); err != nil {
		return err
	}
	if err := changeable(called); err != nil {
		return err
	}
	return retag(ctx, p, o, d, func(tags map[string]string) (map[string]string, error) {
		if _, ok := tags[called]; ok {
			return nil, fault.New(fault.Conflict, "tag %q already exists", called).WithReason("already-exists")
		}
		tags[called] = value
		return tags, CheckTags("tags", tags)
	})
}

// DeleteTag removes one tag.
func DeleteTag(ctx context.Context, p ports.Ports, o organization.Organization, d store.Doc[Stack], called string) error {
	if err := changeable(called); err != nil {
		return err
	}
	return retag(ctx, p, o, d, func(tags map[string]string) (map[string]string, error) {
		if _, ok := tags[called]; !ok {
			return nil, fault.Missing("tag %q not found", called)
		}
		delete(tags, called)
		return tags, nil
	})
}

func changeable(called string) error {
	if slices.Contains(builtIn, called) {
		return fault.Wrong("name", "tag %q is set by the client and cannot be changed or deleted by itself", called)
	}
	return nil
}

// retag writes the tags that change makes of the present ones; change may edit the map it is given.
func retag(ctx context.Context, p ports.Ports, o organization.Organization, d store.Doc[Stack], change func(map[string]string) (map[string]string, error)) error {
	var err error
	for range attempts {
		tags := maps.Clone(d.Value.Tags)
		if tags == nil {
			tags = map[string]string{}
		}
		if d.Value.Tags, err = change(tags); err != nil {
			return err
		}
		err = p.Store.Write(ctx, kind.Replace(d),
			audit.Record(ctx, p, o.ID, "stack-tags-updated", "changed the tags of stack %s", d.Value.Path(o.Name)))
		if store.AsConflict(err) == nil {
			return err
		}
		if d, err = Reread(ctx, p, d.Value); err != nil {
			return err
		}
	}
	return err
}

// Configure replaces the configuration that the service keeps with the stack; nil removes it.
func Configure(ctx context.Context, p ports.Ports, o organization.Organization, d store.Doc[Stack], c *Config) error {
	var err error
	for range attempts {
		d.Value.Config = c
		err = p.Store.Write(ctx, kind.Replace(d),
			audit.Record(ctx, p, o.ID, "stack-config-updated", "changed the configuration of stack %s", d.Value.Path(o.Name)))
		if store.AsConflict(err) == nil {
			return err
		}
		if d, err = Reread(ctx, p, d.Value); err != nil {
			return err
		}
	}
	return err
}
