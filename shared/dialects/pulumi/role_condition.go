package pulumi

import (
	"encoding/json"
	"slices"

	"github.com/polyplane/polyplane/shared/core/permission"
)

// unanswerable is what asks of things that are not here: environments, insights accounts, teams as resources.
var unanswerable = permission.Condition{Test: permission.Unknown}

// condition reads an expression that is true or false.
func (n *node) condition(depth int) (permission.Condition, error) {
	switch {
	case n == nil:
		return unanswerable, wrongTree("a condition of the details is missing")
	case depth <= 0:
		return unanswerable, wrongTree("the details are nested deeper than %d nodes", maxDepth)
	}
	switch n.Type {
	case "PermissionLiteralExpressionBool":
		if n.Value == true {
			return permission.Condition{Test: permission.Constant, Values: []string{"true"}}, nil
		}
		return permission.Condition{Test: permission.Constant}, nil
	case "PermissionExpressionAnd":
		return combine(permission.And, depth, n.Left, n.Right)
	case "PermissionExpressionOr":
		return combine(permission.Or, depth, n.Left, n.Right)
	case "PermissionExpressionNot":
		return combine(permission.Not, depth, n.Node)
	case "PermissionExpressionHasTag":
		if n.Key == "" {
			return unanswerable, wrongTree("PermissionExpressionHasTag needs the key of the tag")
		}
		if n.Context != nil && n.Context.Type != "PermissionExpressionStack" {
			return unanswerable, nil
		}
		return permission.Condition{Test: permission.HasTag, Key: n.Key}, nil
	case "PermissionExpressionEqual":
		return n.equal()
	case "PermissionExpressionIn":
		return n.in()
	}
	return unanswerable, wrongTree("there is no condition %q", n.Type)
}

func combine(test permission.Test, depth int, of ...*node) (permission.Condition, error) {
	out := permission.Condition{Test: test}
	for _, n := range of {
		c, err := n.condition(depth - 1)
		if err != nil {
			return unanswerable, err
		}
		out.Of = append(out.Of, c)
	}
	return out, nil
}

// equal compares what is acted on with a literal, on either side.
func (n *node) equal() (permission.Condition, error) {
	for _, side := range [][2]*node{{n.Left, n.Right}, {n.Right, n.Left}} {
		subject, literal := side[0], side[1]
		if subject == nil || literal == nil {
			return unanswerable, wrongTree("PermissionExpressionEqual needs a left and a right side")
		}
		switch {
		case subject.Type == "PermissionExpressionStack" && literal.Type == "PermissionLiteralExpressionStack":
			return permission.Condition{Test: permission.IsStack, Values: []string{literal.Identity}}, nil
		case subject.isTag() && literal.Type == "PermissionLiteralExpressionString":
			text, ok := literal.Value.(string)
			if !ok {
				return unanswerable, wrongTree("PermissionLiteralExpressionString needs a text as its value")
			}
			return subject.tag(text), nil
		}
	}
	return unanswerable, known(n.Left, n.Right)
}

func (n *node) in() (permission.Condition, error) {
	if n.Target == nil || len(n.Values) == 0 {
		return unanswerable, wrongTree("PermissionExpressionIn needs a target and values")
	}
	var set node
	if err := json.Unmarshal(n.Values, &set); err != nil {
		return unanswerable, wrongTree("the values of PermissionExpressionIn are no set")
	}
	switch {
	case n.Target.Type == "PermissionExpressionStack" && set.Type == "PermissionSetExpressionStack":
		return permission.Condition{Test: permission.IsStack, Values: set.Identities}, nil
	case n.Target.isTag() && set.Type == "PermissionSetExpressionString":
		var texts []string
		if err := json.Unmarshal(set.Values, &texts); err != nil {
			return unanswerable, wrongTree("the values of PermissionSetExpressionString must be texts")
		}
		return n.Target.tag(texts...), nil
	}
	return unanswerable, known(n.Target, &set)
}

func (n *node) isTag() bool { return n.Type == "PermissionExpressionTag" }

func (n *node) tag(values ...string) permission.Condition {
	if n.Context != nil && n.Context.Type != "PermissionExpressionStack" {
		return unanswerable
	}
	return permission.Condition{Test: permission.TagIs, Key: n.Key, Values: values}
}

// expressions are the vendor's other words, which ask of what is not here.
var expressions = []string{
	"PermissionExpressionEnvironment", "PermissionExpressionInsightsAccount", "PermissionExpressionStack", "PermissionExpressionTag",
	"PermissionExpressionTeam", "PermissionLiteralExpressionBool", "PermissionLiteralExpressionEnvironment",
	"PermissionLiteralExpressionInsightsAccount", "PermissionLiteralExpressionNumber", "PermissionLiteralExpressionStack",
	"PermissionLiteralExpressionString", "PermissionLiteralExpressionTeam", "PermissionSetExpressionEnvironment",
	"PermissionSetExpressionInsightsAccount", "PermissionSetExpressionStack", "PermissionSetExpressionString", "PermissionSetExpressionTeam",
}

// known refuses words that the vendor does not have.
func known(of ...*node) error {
	for _, n := range of {
		if !slices.Contains(expressions, n.Type) {
			return wrongTree("there is no expression %q", n.Type)
		}
	}
	return nil
}
