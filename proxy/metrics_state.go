package proxy

import (
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mtls-sidecar/proxy/admin"
	"mtls-sidecar/proxy/trust"
)

// What is looked at when somebody asks, and not counted on the way.

// crowd is how many connections there are of each kind, and requests in flight on them.
type crowd struct{ active, idle, handshakes, requests int }

// crowd looks at every connection, under the lock that they come and go by.
func (r *registry) crowd() crowd {
	var all crowd
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		state := c.state.Load()
		streams := c.streams.Load()
		switch {
		case state == handshaking:
			all.handshakes++
		case streams != nil:
			requests := streams.count()
			all.requests += requests
			if requests > 0 {
				all.active++
			} else {
				all.idle++
			}
		case state == idle:
			all.idle++
		default:
			all.active++
			if (state == busy || state == draining) && !c.tunnels.Load() {
				all.requests++
			}
		}
	}
	return all
}

// count is how many exchanges are in flight.
func (s *streams) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

func (s *Server) sampleConnections(to *admin.Samples) {
	all := s.conns.crowd()
	to.Value(admin.MetricConnections, float64(all.active), "active")
	to.Value(admin.MetricConnections, float64(all.idle), "idle")
	to.Value(admin.MetricConnections, float64(all.handshakes), "handshake")
	to.Value(admin.MetricConnectionsAccepted, float64(s.accepted.Load()))
	to.Value(admin.MetricRequestsInFlight, float64(all.requests))
	to.Value(admin.MetricTunnels, float64(s.tunnels.Load()))
}

// maxSeries is how many certificates and how many lists have series of their own:
// those that end first, since that is what alerts ask about.
const maxSeries = 200

func (s *Server) sampleCertificates(to *admin.Samples) {
	b := &s.belief
	b.mu.Lock()
	servers, cas := slices.Clone(b.material.Certificates), slices.Clone(b.material.CAs)
	b.mu.Unlock()
	slices.SortStableFunc(cas, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	one := func(kind string, c *x509.Certificate) {
		to.Value(admin.MetricCertificateNotBefore, admin.Timestamp(c.NotBefore), kind, Subject(c), Serial(c))
		to.Value(admin.MetricCertificateNotAfter, admin.Timestamp(c.NotAfter), kind, Subject(c), Serial(c))
	}
	for _, server := range servers[:min(len(servers), maxSeries)] {
		one("server", server.Leaf)
	}
	for _, ca := range cas[:min(len(cas), maxSeries)] {
		one("ca", ca)
	}
}

// sampleLists tells of the newest list of each CA and source: the first of an issuer.
func (s *Server) sampleLists(to *admin.Samples) {
	// A list that waits for its CA might be forged, and would hide the honest one.
	lists := slices.DeleteFunc(s.belief.inForce(), func(list *trust.CRL) bool { return !list.Proved() })
	slices.SortStableFunc(lists, func(a, b *trust.CRL) int { return a.NextUpdate.Compare(b.NextUpdate) })
	lists = lists[:min(len(lists), maxSeries)]
	sources := sourceLabels(lists)
	for _, list := range lists {
		issuer, source := legible(dn(list.RawIssuer), "(no name)"), sources[list.Source]
		to.Value(admin.MetricCRLThisUpdate, admin.Timestamp(list.ThisUpdate), issuer, source)
		to.Value(admin.MetricCRLNextUpdate, admin.Timestamp(list.NextUpdate), issuer, source)
		to.Value(admin.MetricCRLEntries, float64(list.Entries()), issuer, source)
	}
}

// sourceLabels are where lists are from, as everybody may know it: without the query of
// a URL, which may be the key to it. Sources that differ in it alone are numbered.
func sourceLabels(lists []*trust.CRL) map[string]string {
	labels, taken := map[string]string{}, map[string]int{}
	for _, list := range lists {
		labels[list.Source] = Printable(list.Source)
	}
	for _, source := range slices.Sorted(maps.Keys(labels)) {
		path, _, query := strings.Cut(source, "?")
		if !query || !isURL(source) {
			continue
		}
		labels[source] = Printable(path) + "?…"
		if taken[path]++; taken[path] > 1 {
			labels[source] += fmt.Sprintf(" (%d)", taken[path])
		}
	}
	return labels
}
