package pulumi

import (
	"context"

	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/hook"
)

type webhookDelivery struct {
	ID              string `json:"id"`
	Kind            string `json:"kind"`
	Payload         string `json:"payload"`
	Timestamp       int64  `json:"timestamp"` // Unix seconds
	Duration        int64  `json:"duration"`  // milliseconds
	RequestURL      string `json:"requestUrl"`
	RequestHeaders  string `json:"requestHeaders"` // lines that end in CR LF
	ResponseCode    int    `json:"responseCode"`   // 0 when there was no answer; responseBody then says why
	ResponseHeaders string `json:"responseHeaders"`
	ResponseBody    string `json:"responseBody"`
}

func deliveryOf(d hook.Delivery) webhookDelivery {
	a := d.Last
	out := webhookDelivery{
		ID: d.ID, Kind: d.Kind, Payload: d.Body, Timestamp: a.At.Unix(), Duration: a.Duration.Milliseconds(),
		RequestURL: a.URL, RequestHeaders: a.Headers, ResponseCode: a.Status,
		ResponseHeaders: string(a.AnswerHeaders), ResponseBody: string(a.Answer),
	}
	if a.Failure != "" {
		out.ResponseBody = a.Failure
	}
	return out
}

type deliveriesOut struct{ Body []webhookDelivery }

func (d dialect) getOrganizationWebhookDeliveries(ctx context.Context, in *onWebhookIn) (*deliveriesOut, error) {
	return d.getDeliveries(ctx, in.Hook)
}

func (d dialect) getStackWebhookDeliveries(ctx context.Context, in *onStackWebhookIn) (*deliveriesOut, error) {
	return d.getDeliveries(ctx, in.Hook)
}

func (d dialect) getDeliveries(ctx context.Context, name string) (*deliveriesOut, error) {
	found, err := hook.DeliveriesOf(ctx, d.Ports, owner(access.Of(ctx)), name)
	if err != nil {
		return nil, err
	}
	out := &deliveriesOut{Body: make([]webhookDelivery, len(found))}
	for i, f := range found {
		out.Body[i] = deliveryOf(f)
	}
	return out, nil
}

type oneDeliveryOut struct{ Body webhookDelivery }

func (d dialect) pingOrganizationWebhook(ctx context.Context, in *onWebhookIn) (*oneDeliveryOut, error) {
	return sent(hook.Ping(ctx, d.Ports, wordings, owner(access.Of(ctx)), in.Hook))
}

func (d dialect) pingStackWebhook(ctx context.Context, in *onStackWebhookIn) (*oneDeliveryOut, error) {
	return sent(hook.Ping(ctx, d.Ports, wordings, owner(access.Of(ctx)), in.Hook))
}

type redeliverIn struct {
	WebhookPath
	Event string `path:"event"` // id of a delivery
}

type redeliverStackIn struct {
	StackWebhookPath
	Event string `path:"event"`
}

func (d dialect) redeliverOrganizationWebhookEvent(ctx context.Context, in *redeliverIn) (*oneDeliveryOut, error) {
	return sent(hook.Redeliver(ctx, d.Ports, wordings, owner(access.Of(ctx)), in.Hook, in.Event))
}

func (d dialect) redeliverStackWebhookEvent(ctx context.Context, in *redeliverStackIn) (*oneDeliveryOut, error) {
	return sent(hook.Redeliver(ctx, d.Ports, wordings, owner(access.Of(ctx)), in.Hook, in.Event))
}

func sent(d hook.Delivery, err error) (*oneDeliveryOut, error) {
	if err != nil {
		return nil, err
	}
	return &oneDeliveryOut{deliveryOf(d)}, nil
}
