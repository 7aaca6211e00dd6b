package admin

import (
	"strconv"
	"strings"
)

// Counters are the numbers of samples as the status page shows them: of families
// with labels those series that are not 0.
func (s *Samples) Counters() []Counter {
	var list []Counter
	for _, one := range s.all {
		f := families[one.metric]
		group := groupOf(one.metric)
		if one.histogram != nil || group == "" || one.value == 0 && len(f.labels) > 0 {
			continue
		}
		list = append(list, Counter{Group: group, Name: f.name + labelled(f.labels, one.labels), Value: int64(one.value), What: f.help})
	}
	return list
}

// groupOf is the heading of a family; empty: it is shown elsewhere on the page.
func groupOf(m Metric) string {
	switch {
	case m <= MetricConfigInfo:
		return ""
	case m <= MetricExchangesCut:
		return "Connections and verdicts"
	case m <= MetricTunnelsOpened:
		return "Requests"
	case m <= MetricProxyHeadersRefused:
		return "Forgeries, limits, abuse"
	case m <= MetricCRLEntries, m == MetricReloadLastSuccess:
		return ""
	case m <= MetricTroubles:
		return "Revocation and reload"
	default:
		return "State"
	}
}

// labelled is the part of a series' name in braces, as Prometheus writes it.
func labelled(names, values []string) string {
	if len(names) == 0 {
		return ""
	}
	pairs := make([]string, len(names))
	for i, name := range names {
		pairs[i] = name + "=" + strconv.Quote(values[i])
	}
	return "{" + strings.Join(pairs, ",") + "}"
}
