package pulumi

import "strings"

// scopes are all permissions that the vendor names, by noun. A role may list any of them; what has no verb here grants nothing.
var scopes = func() map[string]bool {
	out := map[string]bool{}
	for noun, actions := range map[string]string{
		"stack":                     "list read write import export encrypt decrypt create rename delete cancel_update transfer list_deleted restore_deleted",
		"project":                   "encrypt decrypt",
		"project_annotations":       "read update",
		"stack_deployment":          "create read",
		"stack_deployment_settings": "write read encrypt",
		"stack_deployment_cache":    "read",
		"stack_webhook":             "read create update delete",
		"stack_access":              "read update",
		"stack_tags":                "update",
		"stack_annotations":         "read update",
		"stack_schedule":            "create update read delete pause resume",
		"organization":              "read_usage update rename delete change_backend billing potential transfer_stacks",
		"saml":                      "read update",
		"audit_logs":                "read export",
		"scim":                      "read update delete",
		"tags":                      "read",
		"org_integrations":          "read update",
		"integrations":              "update read",
		"invites":                   "read create",
		"org_requests":              "read update",
		"org_member_access":         "read",
		"org_member":                "read delete add update set_admin",
		"org_token":                 "read create delete",
		"auth_policies":             "read update",
		"oidc_issuers":              "read update regenerate_thumbprints create delete",
		"agent_pool":                "read create update delete",
		"organization_webhook":      "read create update delete",
		"resources":                 "index search dashboard",
		"templates":                 "read",
		"templates_source":          "read update delete create",
		"services":                  "create read write admin",
		"deployments":               "read pause resume read_usage",
		"organization_annotations":  "read update",
		"policy_groups":             "create read update delete",
		"policy_pack":               "create read update delete",
		"policy_results":            "read",
		"environment":               "create list read open write delete clone rotate rotate_history list_deleted restore_deleted",
		"environment_settings":      "read update",
		"environment_yaml":          "open",
		"environment_schedule":      "create read update pause resume delete",
		"environment_tags":          "list",
		"environment_tag":           "read create update delete",
		"environment_version":       "create read update delete retract open",
		"environment_webhook":       "read create update delete",
		"environment_access":        "read update",
		"team":                      "list read create update delete create_token list_tokens delete_token",
		"github_team":               "create",
		"insights_account":          "list read create update delete update_policy_results scan",
		"insights_account_access":   "read update",
		"insights_account_scan":     "read update cancel pause resume",
		"insights_policy_queue":     "read",
		"insights_policy_evaluator": "read delete ensure update",
		"ai_conversations":          "list_all read create update",
		"role":                      "create read update delete",
		"change_gate":               "create update delete",
	} {
		for action := range strings.FieldsSeq(actions) {
			out[noun+":"+action] = true
		}
	}
	return out
}()
