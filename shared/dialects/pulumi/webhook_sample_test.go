package pulumi_test

import (
	"fmt"
	"maps"
	"net/http"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/boot/guarantee"
)

func init() {
	maps.Copy(samples, webhookSamples)
	for _, row := range []string{"List%sWebhooks [].", "Create%sWebhook ", "Get%sWebhook ", "Update%sWebhook "} {
		for _, owner := range []string{"Organization", "Stack"} {
			at := fmt.Sprintf(row, owner)
			neverFilled[at+"secret"] = "never read back"
			neverFilled[at+"envName"] = "the webhooks of environments have rows of their own"
			if owner == "Organization" {
				neverFilled[at+"projectName"] = "of the webhooks of stacks"
				neverFilled[at+"stackName"] = "of the webhooks of stacks"
			}
		}
	}
}

// webhookSamples are the samples of the webhooks' rows. The organization has one webhook for all of them, a stack its own. Its receiver
// refuses connections: what receivers say is the other tests' business.
var webhookSamples = map[string]guarantee.Sample{
	"ListOrganizationWebhooks": onOrganizationHook("GET", "", nil),
	"CreateOrganizationWebhook": func(p *boottest.Plane) boottest.Request {
		return at("POST", administrator(p).hooksAt(), refusing(p))
	},
	"GetOrganizationWebhook":            onOrganizationHook("GET", "/sample", nil),
	"UpdateOrganizationWebhook":         onOrganizationHook("PATCH", "/sample", map[string]any{"displayName": "Renamed", "filters": []string{"update_failed"}}),
	"DeleteOrganizationWebhook":         onOrganizationHook("DELETE", "/sample", nil),
	"PingOrganizationWebhook":           onOrganizationHook("POST", "/sample/ping", nil),
	"GetOrganizationWebhookDeliveries":  onOrganizationHook("GET", "/sample/deliveries", nil),
	"RedeliverOrganizationWebhookEvent": again(func(c *client) string { return c.sampleHook(c.hooksAt()) }),

	"ListStackWebhooks": onStackHook("GET", "", nil),
	"CreateStackWebhook": func(p *boottest.Plane) boottest.Request {
		return at("POST", administrator(p).fresh()+"/hooks", refusing(p))
	},
	"GetStackWebhook":            onStackHook("GET", "/sample", nil),
	"UpdateStackWebhook":         onStackHook("PATCH", "/sample", map[string]any{"displayName": "Renamed", "groups": []string{"stacks"}}),
	"DeleteStackWebhook":         onStackHook("DELETE", "/sample", nil),
	"PingStackWebhook":           onStackHook("POST", "/sample/ping", nil),
	"GetStackWebhookDeliveries":  onStackHook("GET", "/sample/deliveries", nil),
	"RedeliverStackWebhookEvent": again(func(c *client) string { return c.sampleHook(c.fresh() + "/hooks") }),
}

func refusing(p *boottest.Plane) map[string]any {
	return map[string]any{
		"organizationName": p.Org, "displayName": "Sample", "payloadUrl": "http://127.0.0.1:1/", "active": true, "format": "raw", "secret": "s3cret",
		"filters": []string{"update_succeeded"}, "groups": []string{"deployments"},
	}
}

// sampleHook makes the webhook "sample" where it is not there yet, and returns where it is.
func (c *client) sampleHook(at string) string {
	c.T.Helper()
	if c.call("GET", at+"/sample", nil).Status == http.StatusNotFound {
		body := refusing(c.Plane)
		body["name"] = "sample"
		c.call("POST", at, body).Into(c.T, http.StatusCreated, nil)
	}
	return at + "/sample"
}

func onOrganizationHook(method, below string, body any) guarantee.Sample {
	return func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		c.sampleHook(c.hooksAt())
		return at(method, c.hooksAt()+below, body)
	}
}

func onStackHook(method, below string, body any) guarantee.Sample {
	return func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		stack := c.fresh()
		c.sampleHook(stack + "/hooks")
		return at(method, stack+"/hooks"+below, body)
	}
}

// again samples a redelivery of a ping.
func again(hook func(*client) string) guarantee.Sample {
	return func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		one := hook(c)
		var d delivery
		c.call("POST", one+"/ping", nil).Into(c.T, http.StatusOK, &d)
		return at("POST", one+"/deliveries/"+d.ID+"/redeliver", nil)
	}
}
