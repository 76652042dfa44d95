package pulumi

import (
	"net/http"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/api/group"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/policy"
	"github.com/polyplane/polyplane/shared/core/update"
)

// What rows need. Who may not even read a target learns nothing of it: 404. Who may read it but not this: 403.
var (
	inOrganization = func(v permission.Verb) permission.Need { return permission.Requires(v, permission.OrganizationRead) }
	onStack        = func(v permission.Verb) permission.Need { return permission.Requires(v, permission.StackRead) }
)

// Body caps in bytes after decompression, where a row needs more than the front's default.
const (
	secretsCap    = 64 << 20
	journalCap    = 64 << 20
	checkpointCap = 260 << 20 // a checkpoint of the 256 MB that can be kept, in its envelope
	policyPackCap = 16 << 20  // what a pack's author says of its policies
)

// Paths that many rows share.
const (
	stackAt  = "/api/stacks/{orgName}/{projectName}/{stackName}"
	updateAt = stackAt + "/update/{updateID}"
	teamAt   = "/api/orgs/{orgName}/teams/{teamName}"
	roleAt   = "/api/orgs/{orgName}/roles/{roleID}"

	orgHooksAt  = "/api/orgs/{orgName}/hooks"
	orgHookAt   = orgHooksAt + "/{hookName}"
	stackHookAt = stackAt + "/hooks/{hookName}"

	policyPacksAt   = "/api/orgs/{orgName}/policypacks"
	policyPackAt    = policyPacksAt + "/{policyPackName}"
	policyGroupsAt  = "/api/orgs/{orgName}/policygroups"
	policyResultsAt = "/api/orgs/{orgName}/policyresults"
)

// operations is the table: every operation of the dialect, one row each.
func (d dialect) operations() []api.Operation {
	read := audit.None("a read")
	inUpdate := audit.None("part of a running update, whose start and end leave entries")
	return []api.Operation{
		// The service.
		api.Op("GET /api/capabilities", "Capabilities", group.Identity,
			permission.Public("asked before login; the same for everybody"), read, d.capabilities),
		api.Op("GET /api/cli/version", "Version", group.Identity,
			permission.Public("asked before login; the same for everybody"), read, d.cliVersion),

		// The caller.
		api.Op("GET /api/user", "GetCurrentUser", group.Identity, permission.Caller, read, d.getCurrentUser),
		api.Op("GET /api/user/organizations/default", "GetDefaultOrganization", group.Identity, permission.Caller, read, d.getDefaultOrganization),
		api.Op("GET /api/user/stacks", "ListUserStacks", group.Stacks, permission.Caller, read, d.listUserStacks),

		// Members.
		api.Op("POST /api/user/organizations/{orgName}/default", "UpdateDefaultOrganization", group.Identity,
			inOrganization(permission.OrganizationRead), audit.None("a choice of the caller alone"), d.updateDefaultOrganization),
		api.Op("GET /api/orgs/{orgName}/members", "ListOrganizationMembers", group.Identity,
			inOrganization(permission.OrganizationRead), read, d.listOrganizationMembers),
		api.Op("POST /api/orgs/{orgName}/members/{userLogin}", "AddOrganizationMember", group.Identity,
			inOrganization(permission.MemberAdmin), audit.Leaves("member-added"), d.addOrganizationMember),
		api.Op("PATCH /api/orgs/{orgName}/members/{userLogin}", "UpdateOrganizationMember", group.Identity,
			inOrganization(permission.MemberAdmin), audit.Leaves("member-role-changed"), d.updateOrganizationMember, api.Status(http.StatusOK)),
		api.Op("DELETE /api/orgs/{orgName}/members/{userLogin}", "DeleteOrganizationMember", group.Identity,
			inOrganization(permission.MemberAdmin), audit.Leaves("member-removed"), d.deleteOrganizationMember, api.Status(http.StatusOK)),
		api.Op("POST /api/orgs/{orgName}/members/{userLogin}/set-admin", "SetSoleOrganizationAdmin", group.Identity,
			inOrganization(permission.MemberAdmin), audit.Leaves("member-role-changed"), d.setSoleOrganizationAdmin),
		api.Op("GET /api/orgs/{orgName}/members/{user}/teams", "GetOrganizationMemberTeams", group.Identity,
			inOrganization(permission.OrganizationRead), read, d.getOrganizationMemberTeams),

		// Teams.
		api.Op("GET /api/orgs/{orgName}/teams", "ListTeams", group.Identity, inOrganization(permission.OrganizationRead), read, d.listTeams),
		api.Op("POST /api/orgs/{orgName}/teams/pulumi", "CreatePulumiTeam", group.Identity,
			inOrganization(permission.TeamAdmin), audit.Leaves("team-created"), d.createPulumiTeam),
		api.Op("POST /api/orgs/{orgName}/teams/github", "CreateGitHubTeam", group.Identity,
			inOrganization(permission.TeamAdmin), audit.Leaves("team-created"), d.createGitHubTeam),
		api.Op("GET "+teamAt, "GetTeam", group.Identity, inOrganization(permission.OrganizationRead), read, d.getTeam),
		api.Op("PATCH "+teamAt, "UpdateTeam", group.Identity, inOrganization(permission.TeamUpdate), audit.Leaves("team-updated"), d.updateTeam),
		api.Op("DELETE "+teamAt, "DeleteTeam", group.Identity, inOrganization(permission.TeamAdmin), audit.Leaves("team-deleted"), d.deleteTeam,
			api.Status(http.StatusOK)),

		// Access tokens: of the caller, of an organization, of a team.
		api.Op("GET /api/user/tokens", "ListPersonalTokens", group.Identity, permission.Self, read, d.listPersonalTokens),
		api.Op("POST /api/user/tokens", "CreatePersonalToken", group.Identity, permission.Self,
			audit.None("a person's own, in no organization"), d.createPersonalToken),
		api.Op("DELETE /api/user/tokens/{tokenId}", "DeletePersonalToken", group.Identity, permission.Self,
			audit.None("a person's own, in no organization"), d.deletePersonalToken),
		api.Op("GET /api/orgs/{orgName}/tokens", "ListOrgTokens", group.Identity, inOrganization(permission.TokenAdmin), read, d.listOrgTokens),
		api.Op("POST /api/orgs/{orgName}/tokens", "CreateOrgToken", group.Identity,
			inOrganization(permission.TokenAdmin), audit.Leaves("organization-token-created"), d.createOrgToken),
		api.Op("DELETE /api/orgs/{orgName}/tokens/{tokenId}", "DeleteOrgToken", group.Identity,
			inOrganization(permission.TokenAdmin), audit.Leaves("organization-token-deleted"), d.deleteOrgToken),
		api.Op("GET "+teamAt+"/tokens", "ListTeamTokens", group.Identity, inOrganization(permission.TeamUpdate), read, d.listTeamTokens),
		api.Op("POST "+teamAt+"/tokens", "CreateTeamToken", group.Identity,
			inOrganization(permission.TeamUpdate), audit.Leaves("team-token-created"), d.createTeamToken),
		api.Op("DELETE "+teamAt+"/tokens/{tokenId}", "DeleteTeamToken", group.Identity,
			inOrganization(permission.TeamUpdate), audit.Leaves("team-token-deleted"), d.deleteTeamToken),
		api.Op("GET "+roleAt+"/tokens", "ListOrgTokensWithRole", group.Identity, inOrganization(permission.TokenAdmin), read, d.listOrgTokensWithRole),

		// Roles.
		api.Op("GET /api/orgs/{orgName}/roles", "ListRolesByOrgIDAndUXPurpose", group.Identity,
			inOrganization(permission.OrganizationRead), read, d.listRoles),
		api.Op("POST /api/orgs/{orgName}/roles", "CreateRole", group.Identity,
			inOrganization(permission.RoleAdmin), audit.Leaves("custom-role-created"), d.createRole),
		api.Op("GET /api/orgs/{orgName}/roles/scopes", "ListAvailableScopes", group.Identity,
			inOrganization(permission.OrganizationRead), read, d.listAvailableScopes),
		api.Op("GET "+roleAt, "GetRole", group.Identity, inOrganization(permission.OrganizationRead), read, d.getRole),
		api.Op("PATCH "+roleAt, "UpdateRole", group.Identity, inOrganization(permission.RoleAdmin), audit.Leaves("custom-role-updated"), d.updateRole),
		api.Op("DELETE "+roleAt, "DeleteRole", group.Identity, inOrganization(permission.RoleAdmin), audit.Leaves("custom-role-deleted"), d.deleteRole),
		api.Op("PATCH "+roleAt+"/default", "UpdateOrganizationDefaultRole", group.Identity,
			inOrganization(permission.RoleAdmin), audit.Leaves("organization-settings-changed"), d.updateDefaultRole),
		api.Op("GET "+roleAt+"/users", "ListUsersWithRole", group.Identity, inOrganization(permission.RoleAdmin), read, d.listUsersWithRole),
		api.Op("GET "+roleAt+"/teams", "ListTeamsWithRole", group.Identity, inOrganization(permission.RoleAdmin), read, d.listTeamsWithRole),
		api.Op("GET "+teamAt+"/roles", "ListTeamRoles", group.Identity, inOrganization(permission.OrganizationRead), read, d.listTeamRoles),
		api.Op("POST "+teamAt+"/roles/{roleID}", "UpdateTeamRoles", group.Identity,
			inOrganization(permission.TeamAdmin), audit.Leaves("team-updated"), d.updateTeamRoles, api.Idempotent()),
		api.Op("DELETE "+teamAt+"/roles/{roleID}", "DeleteTeamRole", group.Identity,
			inOrganization(permission.TeamAdmin), audit.Leaves("team-updated"), d.deleteTeamRole),

		// Stacks.
		api.Op("HEAD /api/stacks/{orgName}/{projectName}", "ProjectExists", group.Stacks,
			inOrganization(permission.OrganizationRead), read, d.projectExists, api.Status(http.StatusOK)),
		api.Op("POST /api/stacks/{orgName}/{projectName}", "CreateStack", group.Stacks,
			inOrganization(permission.StackCreate), audit.Leaves("stack-created"), d.createStack, api.BodyCap(checkpointCap)),
		api.Op("GET "+stackAt, "GetStack", group.Stacks, onStack(permission.StackRead), read, d.getStack),
		api.Op("DELETE "+stackAt, "DeleteStack", group.Stacks, onStack(permission.StackAdmin), audit.Leaves("stack-deleted"), d.deleteStack),
		api.Op("GET "+stackAt+"/export", "ExportStack", group.Stacks, onStack(permission.StackRead), audit.Leaves("stack-exported"), d.exportStack,
			api.ResponseShape(untypedDeployment{})),
		api.Op("GET "+stackAt+"/export/{version}", "ExportStackAtVersion", group.Stacks, onStack(permission.StackRead), audit.Leaves("stack-exported"), d.exportStackAtVersion,
			api.ResponseShape(untypedDeployment{})),
		api.Op("POST "+stackAt+"/import", "ImportStack", group.Stacks, onStack(permission.StackUpdate), audit.Leaves("stack-imported"), d.importStack,
			api.BodyCap(checkpointCap), api.RequestShape(untypedDeployment{})),
		api.Op("POST "+stackAt+"/rename", "RenameStack", group.Stacks, onStack(permission.StackAdmin), audit.Leaves("stack-renamed"), d.renameStack),
		api.Op("POST "+stackAt+"/transfer", "TransferStack", group.Stacks, onStack(permission.StackAdmin),
			audit.Leaves("stack-transferred-to-organization"), d.transferStack),
		api.Op("PATCH "+stackAt+"/tags", "UpdateStackTags", group.Stacks, onStack(permission.StackUpdate), audit.Leaves("stack-tags-updated"), d.updateStackTags),
		api.Op("POST "+stackAt+"/tags", "AddStackTag", group.Stacks, onStack(permission.StackUpdate), audit.Leaves("stack-tags-updated"), d.addStackTag),
		api.Op("DELETE "+stackAt+"/tags/{tagName}", "DeleteStackTag", group.Stacks, onStack(permission.StackUpdate), audit.Leaves("stack-tags-updated"), d.deleteStackTag),
		api.Op("GET "+stackAt+"/config", "GetStackConfig", group.Stacks, onStack(permission.StackRead), read, d.getStackConfig),
		api.Op("PUT "+stackAt+"/config", "UpdateStackConfig", group.Stacks, onStack(permission.StackUpdate), audit.Leaves("stack-config-updated"), d.updateStackConfig),
		api.Op("DELETE "+stackAt+"/config", "DeleteStackConfig", group.Stacks, onStack(permission.StackUpdate), audit.Leaves("stack-config-updated"), d.deleteStackConfig),

		// Policy packs. An archive goes and comes through an address that an earlier answer gave out.
		api.Op("GET "+policyPacksAt, "ListPolicyPacks_orgs", group.Stacks, inOrganization(permission.OrganizationRead), read, d.listPolicyPacks),
		api.Op("POST "+policyPacksAt, "CreatePolicyPack", group.Stacks, inOrganization(permission.OrganizationAdmin),
			audit.Leaves("policy-pack-created"), d.createPolicyPack, api.Status(http.StatusCreated), api.BodyCap(policyPackCap)),
		api.Op("DELETE "+policyPackAt, "DeletePolicyPack_orgs_policypacks", group.Stacks, inOrganization(permission.OrganizationAdmin),
			audit.Leaves("policy-pack-deleted"), d.deletePolicyPack, api.Status(http.StatusOK)),
		api.Op("GET "+policyPackAt+"/versions/{version}", "GetPolicyPack", group.Stacks,
			inOrganization(permission.OrganizationRead), read, d.getPolicyPack),
		api.Op("DELETE "+policyPackAt+"/versions/{version}", "DeletePolicyPackVersion", group.Stacks, inOrganization(permission.OrganizationAdmin),
			audit.Leaves("policy-pack-deleted"), d.deletePolicyPackVersion, api.Status(http.StatusOK)),
		api.Op("POST "+policyPackAt+"/versions/{version}/complete", "CompletePolicyPack", group.Stacks, inOrganization(permission.OrganizationAdmin),
			audit.Leaves("policy-pack-published"), d.completePolicyPack, api.Idempotent()),
		api.Op("GET "+policyPackAt+"/versions/{version}/schema", "GetPolicyPackConfigSchema", group.Stacks,
			inOrganization(permission.OrganizationRead), read, d.getPolicyPackConfigSchema),
		api.Op("PUT "+policyUploadAt+"{link}", "UploadPolicyPack", group.Stacks, permission.Public("the link is signed, short-lived and for one version"),
			audit.None("part of publishing, whose start and end leave entries"), d.uploadPolicyPack,
			api.BodyCap(policy.MaxArchive), api.RawBody(archiveType), api.Idempotent(), api.Status(http.StatusOK)),
		api.Op("GET "+policyArchiveAt+"{link}", "DownloadPolicyPack", group.Stacks, permission.Public("the link is signed, short-lived and for one version"),
			read, d.downloadPolicyPack),
		api.Op("GET "+stackAt+"/policypacks", "GetStackPolicyPacks", group.Stacks, onStack(permission.StackRead), read, d.getStackPolicyPacks),

		// Policy groups.
		api.Op("GET "+policyGroupsAt, "ListPolicyGroups", group.Stacks, inOrganization(permission.OrganizationRead), read, d.listPolicyGroups),
		api.Op("POST "+policyGroupsAt, "NewPolicyGroup", group.Stacks, inOrganization(permission.OrganizationAdmin),
			audit.Leaves("policy-group-created"), d.newPolicyGroup),
		api.Op("GET "+policyGroupsAt+"/{policyGroup}", "GetPolicyGroup", group.Stacks, inOrganization(permission.OrganizationAdmin), read, d.getPolicyGroup),
		api.Op("DELETE "+policyGroupsAt+"/{policyGroup}", "DeletePolicyGroup", group.Stacks, inOrganization(permission.OrganizationAdmin),
			audit.Leaves("policy-group-deleted"), d.deletePolicyGroup),
		api.Op("PATCH "+policyGroupsAt+"/{policyGroup}", "UpdatePolicyGroup", group.Stacks, inOrganization(permission.OrganizationAdmin),
			audit.Leaves("policy-group-updated"), d.updatePolicyGroup),
		api.Op("PATCH "+policyGroupsAt+"/{policyGroup}/batch", "BatchUpdatePolicyGroup", group.Stacks, inOrganization(permission.OrganizationAdmin),
			audit.Leaves("policy-group-updated"), d.batchUpdatePolicyGroup),
		api.Op("GET "+stackAt+"/policygroups", "GetStackPolicyGroups", group.Stacks, onStack(permission.StackRead), read, d.getStackPolicyGroups),

		// What policies found. It names stacks that a member may not be allowed to see.
		api.Op("POST "+policyResultsAt+"/compliance", "GetPolicyComplianceResults", group.Stacks, inOrganization(permission.OrganizationAdmin),
			read, d.getPolicyCompliance),
		api.Op("POST "+policyResultsAt+"/issues", "ListPolicyIssues", group.Stacks, inOrganization(permission.OrganizationAdmin), read, d.listPolicyIssues),
		api.Op("GET "+policyResultsAt+"/issues/{issueId}", "GetPolicyIssue", group.Stacks, inOrganization(permission.OrganizationAdmin), read, d.getPolicyIssue),
		api.Op("PATCH "+policyResultsAt+"/issues/{issueId}", "UpdatePolicyIssue", group.Stacks, inOrganization(permission.OrganizationAdmin),
			audit.Leaves("policy-issue-updated"), d.updatePolicyIssue),

		// History.
		api.Op("GET "+stackAt+"/updates", "GetStackUpdates", group.Stacks, onStack(permission.StackRead), read, d.getStackUpdates,
			api.ResponseShape(updatesAnswer{})),
		api.Op("GET "+stackAt+"/updates/latest", "GetLatestStackUpdate", group.Stacks, onStack(permission.StackRead), read, d.getLatestStackUpdate),
		api.Op("GET "+stackAt+"/updates/{version}", "GetStackUpdate", group.Stacks, onStack(permission.StackRead), read, d.getStackUpdate),
		api.Op("GET "+stackAt+"/updates/latest/previews", "GetLatestStackPreviews", group.Stacks, onStack(permission.StackRead), read, d.getLatestStackPreviews),

		// Deployment settings.
		api.Op("GET "+stackAt+"/deployments/settings", "GetDeploymentSettings", group.Stacks, onStack(permission.StackRead), read, d.getDeploymentSettings,
			api.ResponseShape(deploymentSettings{})),
		api.Op("POST "+stackAt+"/deployments/settings", "PatchDeploymentSettings", group.Stacks, onStack(permission.StackAdmin),
			audit.Leaves("deployment-settings-changed"), d.patchDeploymentSettings, api.RequestShape(deploymentSettings{}), api.ResponseShape(deploymentSettings{})),
		api.Op("PUT "+stackAt+"/deployments/settings", "ReplaceDeploymentSettings", group.Stacks, onStack(permission.StackAdmin),
			audit.Leaves("deployment-settings-changed"), d.replaceDeploymentSettings, api.RequestShape(deploymentSettings{}), api.ResponseShape(deploymentSettings{})),
		api.Op("DELETE "+stackAt+"/deployments/settings", "DeleteDeploymentSettings", group.Stacks, onStack(permission.StackAdmin),
			audit.Leaves("deployment-settings-deleted"), d.deleteDeploymentSettings),
		api.Op("POST "+stackAt+"/deployments/settings/encrypt", "EncryptDeploymentSettingsSecret", group.Stacks, onStack(permission.StackEncrypt),
			audit.None("reveals nothing"), d.encryptDeploymentSecret),

		// Resources under management.
		api.Op("GET /api/orgs/{orgName}/resources/summary", "GetUsageSummaryResourceHours", group.Costs,
			inOrganization(permission.OrganizationAdmin), read, d.getResourceSummary),

		// Secrets.
		api.Op("POST "+stackAt+"/encrypt", "EncryptValue", group.Stacks, onStack(permission.StackEncrypt),
			audit.None("reveals nothing"), d.encryptValue, api.BodyCap(secretsCap), api.Idempotent()),
		api.Op("POST "+stackAt+"/decrypt", "DecryptValue", group.Stacks, onStack(permission.StackDecrypt),
			audit.Leaves("secret-decrypted"), d.decryptValue, api.BodyCap(secretsCap), api.Idempotent()),
		api.Op("POST "+stackAt+"/batch-encrypt", "BatchEncryptValue", group.Stacks, onStack(permission.StackEncrypt),
			audit.None("reveals nothing"), d.batchEncrypt, api.BodyCap(secretsCap), api.Idempotent()),
		api.Op("POST "+stackAt+"/batch-decrypt", "BatchDecryptValue", group.Stacks, onStack(permission.StackDecrypt),
			audit.Leaves("secrets-batch-decrypted"), d.batchDecrypt, api.BodyCap(secretsCap), api.Idempotent()),
		api.Op("POST "+stackAt+"/decrypt/log-decryption", "LogOnlyDecryptValue", group.Stacks, onStack(permission.StackDecrypt),
			audit.Leaves("secret-decrypted"), d.logDecryption),
		api.Op("POST "+stackAt+"/decrypt/log-batch-decryption", "LogOnlyBatchDecryptValue", group.Stacks, onStack(permission.StackDecrypt),
			audit.Leaves("secrets-batch-decrypted"), d.logDecryption),

		// Audit logs.
		api.Op("GET /api/orgs/{orgName}/auditlogs", "ListAuditLogEventsHandlerV1", group.Activity, inOrganization(permission.OrganizationAdmin),
			read, d.listAuditLogsV1),
		api.Op("GET /api/orgs/{orgName}/auditlogs/v2", "ListAuditLogEventsHandlerV2", group.Activity, inOrganization(permission.OrganizationAdmin),
			read, d.listAuditLogsV2),
		api.Op("GET /api/orgs/{orgName}/auditlogs/export", "ExportAuditLogEventsHandlerV1", group.Activity, inOrganization(permission.OrganizationAdmin),
			audit.Leaves("audit-logs-exported"), d.exportAuditLogsV1),
		api.Op("GET /api/orgs/{orgName}/auditlogs/v2/export", "ExportAuditLogEventsHandlerV2", group.Activity, inOrganization(permission.OrganizationAdmin),
			audit.Leaves("audit-logs-exported"), d.exportAuditLogsV2),

		// Updates: made under their kind, then all alike.
		d.creates("POST "+stackAt+"/update", "CreateUpdateForUpdate", update.Update),
		d.creates("POST "+stackAt+"/preview", "CreateUpdateForPreview", update.Preview),
		d.creates("POST "+stackAt+"/refresh", "CreateUpdateForRefresh", update.Refresh),
		d.creates("POST "+stackAt+"/destroy", "CreateUpdateForDestroy", update.Destroy),
		api.Op("POST "+updateAt, "StartUpdateForUpdate", group.Stacks, onStack(permission.StackUpdate), audit.Leaves("stack-update-started"), d.startUpdate),
		api.Op("GET "+updateAt, "GetUpdateStatusForUpdate", group.Stacks, onStack(permission.StackRead), read, d.getUpdateStatus),
		api.Op("POST "+updateAt+"/cancel", "CancelUpdate_update", group.Stacks, onStack(permission.StackUpdate),
			audit.Leaves("stack-update-canceled"), d.cancelUpdate),
		api.Op("GET "+updateAt+"/events", "GetEngineEvents_update", group.Stacks, onStack(permission.StackRead), read, d.getEvents,
			api.ResponseShape(updateEvents{})),

		// Webhooks of organizations and of stacks.
		api.Op("GET "+orgHooksAt, "ListOrganizationWebhooks", group.Webhooks, inOrganization(permission.OrganizationAdmin), read, d.listOrganizationWebhooks),
		api.Op("POST "+orgHooksAt, "CreateOrganizationWebhook", group.Webhooks, inOrganization(permission.OrganizationAdmin),
			audit.Leaves("webhook-created"), d.createOrganizationWebhook, api.Status(http.StatusCreated)),
		api.Op("GET "+orgHookAt, "GetOrganizationWebhook", group.Webhooks, inOrganization(permission.OrganizationAdmin), read, d.getOrganizationWebhook),
		api.Op("PATCH "+orgHookAt, "UpdateOrganizationWebhook", group.Webhooks, inOrganization(permission.OrganizationAdmin),
			audit.Leaves("webhook-updated"), d.updateOrganizationWebhook),
		api.Op("DELETE "+orgHookAt, "DeleteOrganizationWebhook", group.Webhooks, inOrganization(permission.OrganizationAdmin),
			audit.Leaves("webhook-deleted"), d.deleteOrganizationWebhook),
		api.Op("POST "+orgHookAt+"/ping", "PingOrganizationWebhook", group.Webhooks, inOrganization(permission.OrganizationAdmin),
			audit.Leaves("webhook-pinged"), d.pingOrganizationWebhook),
		api.Op("GET "+orgHookAt+"/deliveries", "GetOrganizationWebhookDeliveries", group.Webhooks, inOrganization(permission.OrganizationAdmin), read,
			d.getOrganizationWebhookDeliveries),
		api.Op("POST "+orgHookAt+"/deliveries/{event}/redeliver", "RedeliverOrganizationWebhookEvent", group.Webhooks, inOrganization(permission.OrganizationAdmin),
			audit.Leaves("webhook-redelivered"), d.redeliverOrganizationWebhookEvent),
		api.Op("GET "+stackAt+"/hooks", "ListStackWebhooks", group.Webhooks, onStack(permission.StackAdmin), read, d.listStackWebhooks),
		api.Op("POST "+stackAt+"/hooks", "CreateStackWebhook", group.Webhooks, onStack(permission.StackAdmin),
			audit.Leaves("webhook-created"), d.createStackWebhook, api.Status(http.StatusCreated)),
		api.Op("GET "+stackHookAt, "GetStackWebhook", group.Webhooks, onStack(permission.StackAdmin), read, d.getStackWebhook),
		api.Op("PATCH "+stackHookAt, "UpdateStackWebhook", group.Webhooks, onStack(permission.StackAdmin),
			audit.Leaves("webhook-updated"), d.updateStackWebhook),
		api.Op("DELETE "+stackHookAt, "DeleteStackWebhook", group.Webhooks, onStack(permission.StackAdmin),
			audit.Leaves("webhook-deleted"), d.deleteStackWebhook),
		api.Op("POST "+stackHookAt+"/ping", "PingStackWebhook", group.Webhooks, onStack(permission.StackAdmin),
			audit.Leaves("webhook-pinged"), d.pingStackWebhook),
		api.Op("GET "+stackHookAt+"/deliveries", "GetStackWebhookDeliveries", group.Webhooks, onStack(permission.StackAdmin), read, d.getStackWebhookDeliveries),
		api.Op("POST "+stackHookAt+"/deliveries/{event}/redeliver", "RedeliverStackWebhookEvent", group.Webhooks, onStack(permission.StackAdmin),
			audit.Leaves("webhook-redelivered"), d.redeliverStackWebhookEvent),

		// What a running update calls with its own token.
		api.Op("POST "+updateAt+"/renew_lease", "RenewUpdateLease_update", group.Stacks, permission.Lease, inUpdate, d.renewLease, api.Idempotent()),
		api.Op("PATCH "+updateAt+"/journalentries", "CreateJournalEntries_update", group.Stacks, permission.Lease, inUpdate, d.createJournalEntries,
			api.BodyCap(journalCap), api.Idempotent(), api.RequestShape(journalEntries{})),
		api.Op("PATCH "+updateAt+"/checkpoint", "PatchUpdateCheckpoint_update", group.Stacks, permission.Lease, inUpdate, d.patchCheckpoint,
			api.BodyCap(checkpointCap), api.Idempotent(), api.RequestShape(plainCheckpoint{})),
		api.Op("PATCH "+updateAt+"/checkpointverbatim", "PatchUpdateVerbatimCheckpoint_update", group.Stacks, permission.Lease, inUpdate, d.patchCheckpointVerbatim,
			api.BodyCap(checkpointCap), api.Idempotent(), api.RequestShape(verbatimCheckpoint{})),
		api.Op("PATCH "+updateAt+"/checkpointdelta", "PatchUpdateCheckpointDelta_update", group.Stacks, permission.Lease, inUpdate, d.patchCheckpointDelta,
			api.BodyCap(checkpointCap), api.Idempotent(), api.RequestShape(deltaCheckpoint{})),
		api.Op("POST "+updateAt+"/events/batch", "RecordEngineEventBatch_update", group.Stacks, permission.Lease, inUpdate, d.recordEvents,
			api.BodyCap(journalCap), api.Idempotent(), api.Status(http.StatusOK), api.RequestShape(engineEvents{})),
		api.Op("POST "+updateAt+"/complete", "CompleteUpdate_update", group.Stacks, permission.Lease, audit.Leaves("stack-update-completed"), d.completeUpdate,
			api.Idempotent()),
	}
}

// creates is the row that records an update of one kind.
func (d dialect) creates(pattern, name string, kind update.Kind) api.Operation {
	return api.Op(pattern, name, group.Stacks, onStack(permission.StackUpdate),
		audit.None("holds nothing until it is started"), d.createUpdate(kind))
}
