package proxy

import (
	"maps"
	"slices"

	"mtls-sidecar/proxy/admin"
	"mtls-sidecar/proxy/trust"
)

// otherLabel is for what no list of labels has.
const otherLabel = "other"

// trustReasons are the words of all reasons of verdicts, by their number; the first
// is empty.
func trustReasons() []string {
	unknown := trust.Reason(255).String()
	var all []string
	for r := trust.Reason(0); r.String() != unknown; r++ {
		all = append(all, r.String())
	}
	return all
}

// refusalReasons are the words in which anything is refused: those that operators
// have a remedy for, which a test wants for each.
func refusalReasons() []string {
	all := slices.Collect(maps.Keys(remedies))
	for i := range handshakeFaults {
		all = append(all, handshakeFaults[i].reason)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// sampleRefusals gives what was refused, and what was judged.
func (s *Server) sampleRefusals(to *admin.Samples) {
	m := s.metrics
	for reason, i := range m.refusalIndex {
		to.Value(admin.MetricRefusals, float64(m.refusals[i].Load()), reason)
	}
	to.Value(admin.MetricRefusals, float64(m.refusals[len(m.refusals)-1].Load()), otherLabel)
	for i, reason := range append(trustReasons(), otherLabel) {
		if i > 0 {
			to.Value(admin.MetricVerdicts, float64(m.failed[i].Load()), statusLabels[trust.Failed], reason)
		}
	}
	for _, status := range []trust.Status{trust.None, trust.Success} {
		to.Value(admin.MetricVerdicts, float64(m.verdicts[status].Load()), statusLabels[status], "")
	}
	for i, result := range [...]string{"held", "lost"} {
		to.Value(admin.MetricReverifications, float64(m.reverified[i].Load()), result)
	}
	for i, name := range m.strippedNames {
		to.Value(admin.MetricStrippedHeaders, float64(m.stripped[i].Load()), name)
	}
}
