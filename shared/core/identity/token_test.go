package identity_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/identity"
	"github.com/polyplane/polyplane/shared/store"
)

// ada makes a user and returns her id.
func ada(t *testing.T, p *boottest.Plane) string {
	t.Helper()
	u := identity.User{ID: p.Ports.NewID(), Login: "ada", Name: "Ada", Created: p.Clock.Now()}
	changes, err := identity.CreateUser(u)
	require.NoError(t, err)
	require.NoError(t, p.Ports.Store.Write(context.Background(), changes...))
	return u.ID
}

func token(t *testing.T, p *boottest.Plane, user string, expires time.Time) (id, text string) {
	t.Helper()
	id, text = p.Ports.NewID(), identity.NewTokenText(p.Ports)
	k := identity.Token{ID: id, User: user, Name: "a token", Created: p.Clock.Now(), Expires: expires}
	require.NoError(t, p.Ports.Store.Write(context.Background(), identity.CreateToken(k, text)...))
	return id, text
}

func TestATokenLeadsToItsUserUntilTheVeryMomentItExpires(t *testing.T) {
	p := boottest.New(t)
	ctx := context.Background()
	user := ada(t, p)
	id, text := token(t, p, user, p.Clock.Now().Add(time.Hour))
	p.Clock.Add(time.Hour - time.Nanosecond)
	k, u, err := identity.Authenticate(ctx, p.Ports, text)
	require.NoError(t, err)
	require.Equal(t, id, k.ID)
	require.Equal(t, "ada", u.Login)
	p.Clock.Add(time.Nanosecond)
	_, _, err = identity.Authenticate(ctx, p.Ports, text)
	require.True(t, fault.Is(err, fault.Unauthenticated), "%v", err)
}

func TestAbsentExpiredAndRevokedTokensReadTheSame(t *testing.T) {
	p := boottest.New(t)
	ctx := context.Background()
	user := ada(t, p)
	id, revoked := token(t, p, user, time.Time{})
	_, expired := token(t, p, user, p.Clock.Now())
	require.NoError(t, identity.RevokeToken(ctx, p.Ports, user, id))
	require.NoError(t, identity.RevokeToken(ctx, p.Ports, user, id), "a second time is no error")
	said := map[string]bool{}
	for _, text := range []string{"", "pul-0123456789012345678901234567890123456789", revoked, expired, "\x00", string(make([]byte, 100_000))} {
		_, _, err := identity.Authenticate(ctx, p.Ports, text)
		require.True(t, fault.Is(err, fault.Unauthenticated), "%q: %v", text, err)
		said[err.Error()] = true
	}
	require.Len(t, said, 1)
}

func TestATokenCannotBeRevokedByAnotherUser(t *testing.T) {
	p := boottest.New(t)
	user := ada(t, p)
	id, text := token(t, p, user, time.Time{})
	require.NoError(t, identity.RevokeToken(context.Background(), p.Ports, "somebody else", id))
	_, _, err := identity.Authenticate(context.Background(), p.Ports, text)
	require.NoError(t, err)
}

func TestTheTextOfATokenIsNeverStored(t *testing.T) {
	p := boottest.New(t)
	_, text := token(t, p, ada(t, p), time.Time{})
	require.Regexp(t, `^pul-[0-9a-f]{40}$`, text)
	for _, c := range p.Spy.Calls() {
		for _, ch := range c.Changes {
			require.False(t, bytes.Contains(ch.Item.Body, []byte(text[4:])), "%s", ch.Item.Key)
			require.NotContains(t, ch.Item.Key.String(), text[4:])
		}
	}
}

func TestALoginIsTakenInAnyCaseAndFoundInAnyCase(t *testing.T) {
	p := boottest.New(t)
	id := ada(t, p)
	changes, err := identity.CreateUser(identity.User{ID: p.Ports.NewID(), Login: "ADA"})
	require.NoError(t, err)
	require.NotNil(t, store.AsConflict(p.Ports.Store.Write(context.Background(), changes...)))
	u, err := identity.FindUser(context.Background(), p.Ports, "Ada")
	require.NoError(t, err)
	require.Equal(t, id, u.Value.ID)
	_, err = identity.FindUser(context.Background(), p.Ports, "bob")
	require.True(t, fault.Is(err, fault.NotFound))
}

func TestLoginsAreThreeToFortyLettersAndDigits(t *testing.T) {
	for login, good := range map[string]bool{
		"abc": true, "a-b_c": true, "0a0": true, "a234567890123456789012345678901234567890": true,
		"": false, "ab": false, "-ab": false, "ab-": false, "a b": false, "a\x00b": false, "añb": false, "a/b": false, "abc\n": false,
		"a2345678901234567890123456789012345678901": false,
	} {
		_, err := identity.CreateUser(identity.User{ID: "1", Login: login})
		require.Equal(t, good, err == nil, "%q", login)
	}
}
