package proxy

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"time"

	"mtls-sidecar/proxy/admin"
	"mtls-sidecar/proxy/trust"
)

// How much of a kind the status page shows: of certificates and lists all that anybody
// has, since one that is left out may be the one that has ended.
const (
	maxShown        = 1000
	maxShownAnswers = 100
)

// status is everything that the status page tells.
func (a *Admin) status() *admin.Status {
	now := time.Now()
	status := &admin.Status{
		Version: a.build.Version, Revision: a.build.Revision, GoVersion: a.build.Go,
		Started: a.opened.UTC(), Now: now.UTC(), State: a.state(),
		Listen: string(a.config.ListenAddr), Application: a.config.UpstreamURL.String(),
		OCSP: admin.OCSP{Mode: string(a.config.OCSP)},
	}
	for _, setting := range a.config.Settings() {
		status.Settings = append(status.Settings, admin.Setting{
			Variable: setting.Variable, Value: setting.Value, Source: setting.Source, Default: setting.Default})
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := a.ready(ctx); err != nil {
		status.NotReady = []string{err.Error()}
	}
	if s := a.server.Load(); s != nil {
		s.fillStatus(status, now)
	}
	return status
}

func (a *Admin) state() admin.State {
	select {
	case <-a.drain.Done():
		return admin.Drained
	default:
	}
	select {
	case <-a.drain.Begun():
		return admin.Draining
	default:
	}
	if a.started() != nil {
		return admin.Starting
	}
	return admin.Serving
}

func (s *Server) fillStatus(status *admin.Status, now time.Time) {
	if addr := s.bound.Load(); addr != nil {
		status.Listen = listenName(*addr)
	}
	status.Exposed.Addresses, status.Exposed.Looked = s.Exposed()
	wall := s.wall(now)
	status.ServerCertificates, status.ClientCAs = s.shownCertificates()
	for _, list := range firstOf(s.belief.inForce()) {
		status.RevocationLists = append(status.RevocationLists, s.shownList(list, wall))
	}
	if s.ocsp != nil {
		var held []trust.OCSPHeld
		held, status.OCSP.Held = s.ocsp.Held(maxShownAnswers)
		for _, answer := range held {
			status.OCSP.Answers = append(status.OCSP.Answers, shownAnswer(answer))
		}
	}
	for _, trouble := range s.Troubles() {
		status.Troubles = append(status.Troubles, admin.Trouble{Name: trouble.Name, Fault: trouble.Fault, Since: trouble.Since.UTC()})
	}
	for _, r := range s.Refusals() {
		status.Refusals = append(status.Refusals, admin.Refusal{
			Time: r.Time.UTC(), Client: r.ClientAddress, RequestID: r.RequestID, Reason: r.Reason, Text: r.Text, Advice: r.Advice,
			Subject: r.Subject, Issuer: r.Issuer, Serial: r.Serial, NotAfter: r.NotAfter})
	}
	status.Counters = s.shownCounters()
}

// shownCertificates are the server's and the clients' authorities that are in force.
func (s *Server) shownCertificates() (servers, authorities []admin.Certificate) {
	b := &s.belief
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, certificate := range firstOf(b.material.Certificates) {
		source := ""
		if i < len(s.config.CertFile) {
			source = s.config.CertFile[i]
		}
		servers = append(servers, shownCertificate(certificate.Leaf, source))
	}
	for _, ca := range firstOf(b.material.CAs) {
		authorities = append(authorities, shownCertificate(ca, strings.Join(s.config.ClientCAFile, ", ")))
	}
	return servers, authorities
}

func shownCertificate(c *x509.Certificate, source string) admin.Certificate {
	kind, bits := keyStrength(c.PublicKey)
	sum := sha256.Sum256(c.Raw)
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return admin.Certificate{
		Subject: shortened(subjectDN(c), maxLoggedName), Issuer: shortened(name(c.RawIssuer, c.Issuer.String), maxLoggedName), Serial: Serial(c),
		NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), SHA256: hex.EncodeToString(sum[:]),
		KeyKind: kind, KeyBits: bits, DNSNames: firstOf(names), Source: source,
	}
}

func (s *Server) shownList(list *trust.CRL, now time.Time) admin.RevocationList {
	state := admin.ListCurrent
	switch {
	case !list.Proved(), now.Before(list.ThisUpdate):
		state = admin.ListWaiting
	case now.Before(list.NextUpdate):
	case now.Before(list.NextUpdate.Add(s.config.CRLGrace.Duration)):
		state = admin.ListGrace
	default:
		state = admin.ListEnded
	}
	shown := admin.RevocationList{
		Issuer: shortened(dn(list.RawIssuer), maxLoggedName), Entries: list.Entries(), Source: list.Source, State: state,
		ThisUpdate: list.ThisUpdate.UTC(), NextUpdate: list.NextUpdate.UTC(),
	}
	if list.Number != nil {
		shown.Number = shortened(list.Number.String(), maxLoggedSerial)
	}
	return shown
}

func shownAnswer(held trust.OCSPHeld) admin.OCSPAnswer {
	return admin.OCSPAnswer{
		Subject: shortened(subjectDN(held.Certificate), maxLoggedName), Serial: Serial(held.Certificate), Status: held.Status,
		ThisUpdate: held.ThisUpdate, NextUpdate: held.NextUpdate,
	}
}

func firstOf[T any](all []T) []T { return all[:min(len(all), maxShown)] }

// shownCounters are the numbers of /metrics.
func (s *Server) shownCounters() []admin.Counter {
	var samples admin.Samples
	s.sample(&samples)
	return samples.Counters()
}
