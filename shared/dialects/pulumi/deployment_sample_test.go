package pulumi_test

import (
	"maps"
	"net/http"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/boot/guarantee"
)

func init() { maps.Copy(samples, deploymentSamples) }

var settings = map[string]any{
	"agentPoolID": "pool", "source": "git", "tag": "latest",
	"cacheOptions": map[string]any{"enable": true}, "executorContext": map[string]any{"executorImage": "image"}, "gitHub": map[string]any{"repository": "acme/shop"},
	"operationContext": map[string]any{"environmentVariables": map[string]any{"A": map[string]any{"secret": "hunter2"}}},
	"sourceContext":    map[string]any{"git": map[string]any{"branch": "main"}}, "vcs": map[string]any{"provider": "github"},
}

// deployed samples a row on a stack that has deployment settings.
func deployed(method string) guarantee.Sample {
	return func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		stack := c.fresh()
		c.call(http.MethodPut, stack+"/deployments/settings", settings).Into(c.T, http.StatusOK, nil)
		return at(method, stack+"/deployments/settings", nil)
	}
}

var deploymentSamples = map[string]guarantee.Sample{
	"GetDeploymentSettings":           deployed("GET"),
	"PatchDeploymentSettings":         on("POST", "/deployments/settings", settings),
	"ReplaceDeploymentSettings":       on("PUT", "/deployments/settings", settings),
	"DeleteDeploymentSettings":        deployed("DELETE"),
	"EncryptDeploymentSettingsSecret": on("POST", "/deployments/settings/encrypt", map[string]any{"secret": "hunter2"}),
	"GetUsageSummaryResourceHours": func(p *boottest.Plane) boottest.Request {
		return at("GET", "/orgs/"+p.Org+"/resources/summary?granularity=daily&lookbackDays=2", nil)
	},
}
