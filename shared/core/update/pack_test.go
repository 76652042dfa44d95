package update_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/core/update"
)

func TestAnUpdateIsMadeHoweverMuchConfigurationItsPolicyPacksHave(t *testing.T) {
	p := boottest.New(t)
	j := begin(t, p, "packs")
	packs := func(size int) []update.PolicyPack {
		return []update.PolicyPack{
			{Name: "a", Version: 1, Config: map[string]json.RawMessage{"p": json.RawMessage(`1`)}},
			{Name: "b", Version: 2, Config: map[string]json.RawMessage{"p": json.RawMessage(`"` + strings.Repeat("x", size) + `"`)}},
		}
	}
	create := func(given []update.PolicyPack) []update.PolicyPack {
		u, err := update.Create(context.Background(), p.Ports, j.head().Value, update.By{}, update.Update, false, update.Program{PolicyPacks: given})
		require.NoError(t, err)
		d, err := update.Of(context.Background(), p.Ports, j.stack, u.ID)
		require.NoError(t, err)
		return d.Value.Program.PolicyPacks
	}
	require.Equal(t, packs(60<<10), create(packs(60<<10)))
	given := packs(500 << 10)
	require.Equal(t, []update.PolicyPack{{Name: "a", Version: 1}, {Name: "b", Version: 2}}, create(given))
	require.NotNil(t, given[0].Config, "the packs are still handed out whole")
}
