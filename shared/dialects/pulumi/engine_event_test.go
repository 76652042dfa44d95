package pulumi_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/core/update"
)

// printed is an engine event that prints its own number.
func printed(n int) any {
	return map[string]any{"sequence": n, "timestamp": 1767323045, "stdoutEvent": map[string]any{"message": fmt.Sprint("line ", n), "color": "never"}}
}

func printedAll(from, to int) []any {
	var out []any
	for n := from; n <= to; n++ {
		out = append(out, printed(n))
	}
	return out
}

type eventPage struct {
	Events []struct {
		Sequence    int
		Timestamp   int64
		Type        string
		StdoutEvent struct{ Message string }
	}
	ContinuationToken *string
}

func (r *running) eventsAt(token string) boottest.Answer {
	r.T.Helper()
	return r.call(http.MethodGet, r.at+"/events?continuationToken="+url.QueryEscape(token), nil)
}

// events follows the tokens as long as there are any, at most so many pages, and returns the sequence numbers and the last token.
func (r *running) events(pages int) (numbers []int, token *string) {
	r.T.Helper()
	at := ""
	for range pages {
		var page eventPage
		raw := r.eventsAt(at)
		raw.Into(r.T, http.StatusOK, &page)
		require.Contains(r.T, string(raw.Body), `"continuationToken":`, "null, not absent, at the end")
		for _, e := range page.Events {
			require.Equal(r.T, fmt.Sprint("line ", e.Sequence), e.StdoutEvent.Message)
			require.Equal(r.T, "stdoutEvent", e.Type)
			require.EqualValues(r.T, 1767323045, e.Timestamp)
			numbers = append(numbers, e.Sequence)
		}
		if token = page.ContinuationToken; token == nil {
			return numbers, nil
		}
		at = *token
	}
	return numbers, token
}

func upTo(n int) []int {
	var out []int
	for i := 0; i <= n; i++ {
		out = append(out, i)
	}
	return out
}

func TestEngineEventsAreReadInOrderHoweverTheyArrived(t *testing.T) {
	c := newClient(t)
	r := c.start(c.stack("shop", "dev"), "update", 1)
	batches := slices.Collect(slices.Chunk(printedAll(0, 299), 50))
	batches = append(batches, batches[2], printedAll(40, 60)) // once more, and cut otherwise
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
	for _, b := range batches {
		r.record(b...).Into(t, http.StatusOK, nil)
	}
	r.record().Into(t, http.StatusOK, nil)
	r.complete("succeeded").Into(t, http.StatusNoContent, nil)
	got, token := r.events(10)
	require.Equal(t, upTo(299), got)
	require.Nil(t, token)
}

func TestARunningUpdatesEventsAreFollowedToItsEnd(t *testing.T) {
	c := newClient(t)
	r := c.preview(c.stack("shop", "dev"))
	r.record(printedAll(0, 9)...).Into(t, http.StatusOK, nil)
	got, token := r.events(3)
	require.Equal(t, upTo(9), got, "each once, although the same place was asked for again")
	require.NotNil(t, token, "more may come")
	r.record(printedAll(10, 19)...).Into(t, http.StatusOK, nil)
	r.complete("succeeded").Into(t, http.StatusNoContent, nil)
	var page eventPage
	r.eventsAt(*token).Into(t, http.StatusOK, &page)
	require.Len(t, page.Events, 10)
	require.Nil(t, page.ContinuationToken)
}

func TestManyEventsAreReadPageByPage(t *testing.T) {
	c := newClient(t)
	r := c.start(c.stack("shop", "dev"), "update", 1)
	for from := 0; from < 1200; from += 400 {
		r.record(printedAll(from, from+399)...).Into(t, http.StatusOK, nil)
	}
	r.complete("succeeded").Into(t, http.StatusNoContent, nil)
	r.Restart()
	got, token := r.events(4)
	require.Equal(t, upTo(1199), got)
	require.Nil(t, token)
	var first eventPage
	r.eventsAt("").Into(t, http.StatusOK, &first)
	require.Len(t, first.Events, 500)

	tampered := []byte(*first.ContinuationToken)
	tampered[len(tampered)/2] ^= 1
	r.eventsAt(string(tampered)).Into(t, http.StatusBadRequest, nil)
	r.eventsAt("x").Into(t, http.StatusBadRequest, nil)
	other := c.preview(r.stack)
	other.eventsAt(*first.ContinuationToken).Into(t, http.StatusBadRequest, nil)
}

func TestLateEventsAreTakenWhileTheTokenIsValid(t *testing.T) {
	c := newClient(t)
	r := c.start(c.stack("shop", "dev"), "update", 1)
	r.record(printed(0)).Into(t, http.StatusOK, nil)
	r.complete("succeeded").Into(t, http.StatusNoContent, nil)
	r.record(printed(2)).Into(t, http.StatusOK, nil)
	r.Relay()
	c.Clock.Add(leaseAndGrace - 1)
	r.record(printed(1)).Into(t, http.StatusOK, nil)
	c.Clock.Add(1)
	r.record(printed(3)).Into(t, http.StatusForbidden, nil)
	r.record().Into(t, http.StatusForbidden, nil)
	got, _ := r.events(2)
	require.Equal(t, upTo(2), got)
	require.Equal(t, "succeeded", c.status(r.stack, r.id))
}

func TestEventsOfALostLeaseAreRefused(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	cancelled := c.start(stack, "update", 1)
	cancelled.record(printed(0)).Into(t, http.StatusOK, nil)
	c.cancel(stack, cancelled.id).Into(t, http.StatusNoContent, nil)
	cancelled.record(printed(1)).Into(t, http.StatusForbidden, nil)
	got, token := cancelled.events(2)
	require.Equal(t, upTo(0), got)
	require.Nil(t, token)

	expired := c.start(stack, "update", 1)
	c.Clock.Add(update.MaxLease + update.Grace - 1)
	expired.record(printed(0)).Into(t, http.StatusOK, nil)
	c.Clock.Add(1)
	expired.record(printed(1)).Into(t, http.StatusForbidden, nil)
	c.start(stack, "update", 1)
	expired.record(printed(1)).Into(t, http.StatusForbidden, nil)
}

func TestEventsAreKeptAsTheirClientWroteThem(t *testing.T) {
	c := newClient(t)
	r := c.start(c.stack("shop", "dev"), "update", 1)
	r.lease(http.MethodPost, "/events/batch", `{"events":[{"sequence":0,"timestamp":5,"futureEvent":{"n":12345678901234567890,"text":"<&>"}}],"more":1}`).
		Into(t, http.StatusOK, nil)
	a := r.eventsAt("")
	a.Into(t, http.StatusOK, nil)
	var page struct{ Events []map[string]json.RawMessage }
	require.NoError(t, json.Unmarshal(a.Body, &page))
	require.JSONEq(t, `"futureEvent"`, string(page.Events[0]["type"]))
	require.Contains(t, string(page.Events[0]["futureEvent"]), "12345678901234567890")
	for _, wrong := range []string{`{"events":[{}]}`, `{"events":[{"sequence":-1}]}`, `{"events":[{"sequence":"1"}]}`, `{"events":[7]}`, `{"events":7}`} {
		r.lease(http.MethodPost, "/events/batch", wrong).Into(t, http.StatusBadRequest, nil)
	}
}

func TestEventsAreFoundByTheirPayloadAndTheirResource(t *testing.T) {
	c := newClient(t)
	at := c.finished(c.fresh()).at + "/events?include_non_activated=true"
	found := func(query string) []int {
		t.Helper()
		var page eventPage
		c.call("GET", at+query, nil).Into(t, http.StatusOK, &page)
		require.Nil(t, page.ContinuationToken)
		out := []int{}
		for _, e := range page.Events {
			out = append(out, e.Sequence)
		}
		return out
	}
	about := func(text string) string { return "&urn=" + url.QueryEscape(text) }
	require.Equal(t, upTo(16), found(""))
	require.Equal(t, []int{3}, found("&type=resourcePreEvent"))
	require.Equal(t, []int{1, 2, 15}, found("&type=diagnosticEvent&type=cancelEvent&type=stdoutEvent"))
	require.Equal(t, []int{2, 3, 4, 6, 9}, found(about(urn(1))))
	require.Equal(t, []int{5, 7, 10}, found(about(urn(2))))
	require.Equal(t, []int{5}, found(about(urn(2))+"&type=resOpFailedEvent"))
	require.Empty(t, found(about(urn(1)[:len(urn(1))-1])), "a part of a URN is another's")
	require.Empty(t, found(about("t:i:R")))
	says(t, c.call("GET", at+"&type=3", nil), http.StatusBadRequest, "name the payload instead")
	says(t, c.call("GET", at+"&type=madeUpEvent", nil), http.StatusBadRequest, "resourcePreEvent")
}

func TestAPageOfFilteredEventsIsAsFullAsOneOfAll(t *testing.T) {
	c := newClient(t)
	r := c.start(c.stack("shop", "dev"), "update", 1)
	for from := 0; from < 1400; from += 700 {
		r.record(printedAll(from, from+699)...).Into(t, http.StatusOK, nil)
	}
	for n := 1400; n < 1410; n++ {
		r.record(told(n, "errorEvent", map[string]any{"error": "x"})).Into(t, http.StatusOK, nil)
	}
	r.complete("succeeded").Into(t, http.StatusNoContent, nil)
	var page eventPage
	r.call("GET", r.at+"/events?type=errorEvent", nil).Into(t, http.StatusOK, &page)
	require.Len(t, page.Events, 10)
	require.Nil(t, page.ContinuationToken)
	r.call("GET", r.at+"/events?type=stdoutEvent", nil).Into(t, http.StatusOK, &page)
	require.Len(t, page.Events, 500)
	var next eventPage
	r.call("GET", r.at+"/events?type=stdoutEvent&continuationToken="+url.QueryEscape(*page.ContinuationToken), nil).Into(t, http.StatusOK, &next)
	require.Equal(t, 500, next.Events[0].Sequence)
}
