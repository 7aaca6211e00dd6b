package proxy

import (
	"testing"

	"mtls-sidecar/proxy/trust"
)

// What fetches lists must hear which of them are refused, to forget how to ask for changes only.
func TestWhatFetchesListsHearsOfRefusedOnes(t *testing.T) {
	const url = "http://ca.example/ca.crl"
	p := newReloadPKI(t)
	s := urlWorld(t, p, url)
	for _, step := range []struct {
		name string
		list []byte
		want bool
	}{
		{"sound", p.list(p.cas[0], 2, p.revoked), true},
		{"unchanged", nil, true},
		{"forged", p.forged(p.cas[0], 9), false},
		{"forged again", p.forged(p.cas[0], 9), false},
		{"older", p.list(p.cas[0], 1), false},
		{"newer", p.list(p.cas[0], 3), true},
	} {
		report := trust.CRLReport{URL: url}
		if step.list != nil {
			lists, err := trust.ParseCRLs(step.list)
			works(t, err)
			for _, list := range lists {
				list.Source = url
			}
			report.Lists = lists
		}
		if got := s.fetched(url, report); got != step.want {
			t.Errorf("%s: in force %v, want %v", step.name, got, step.want)
		}
	}
}
