package proxy

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"mtls-sidecar/proxy/trust"
)

// Inspector judges certificate files as the sidecar would judge the clients that
// present them, provided that they hold the keys.
type Inspector struct {
	// Warnings are about files that work but should not stay as they are.
	Warnings []string
	// Partial tells of revocation lists that could not be had or are not put in force: what
	// is judged without them is not the whole truth. Nil: there are none.
	Partial error

	server *Server
	mu     sync.Mutex
	heard  map[string]trust.OCSPReport // by the certificate's DER
}

// Finding is what is believed of one file, and why.
type Finding struct {
	Verify  string // $ssl_client_verify in OpenSSL's or nginx's words; empty: the handshake fails before a verdict
	Success bool   // the application would be told SUCCESS
	Reason  string // one word, as in the log; empty with Success
	Advice  string // what is wrong in plain words, and what to do about it
	Culprit *x509.Certificate
	Chain   []Link
	Until   time.Time // when the verdict has to be reached anew; zero: when the files change
	Lines   string    // what the application would be told; empty: it would not see the request
	Answer  string    // what the client would get instead
	Notes   []string  // what else is worth knowing
}

// Link is one certificate of the chain, as it was built; the client's is the first.
type Link struct {
	Certificate *x509.Certificate
	Trusted     bool              // it is of MTLS_CLIENT_CA_FILE; else of the file inspected
	Lists       []trust.Consulted // the revocation lists of its issuer's name
	NoList      string            // says so when there is none; empty: MTLS_CRL is not set, or there is
	Answer      *trust.OCSPReport // of the responder; nil: not asked
	Unasked     string            // says why, where MTLS_OCSP would have it asked
}

// NewInspector reads the clients' CAs and the revocation lists of a
// configuration, URLs included. The server's own certificate is not looked at.
// The error is of files that cannot be used, or of ctx.
func NewInspector(ctx context.Context, config *Config) (*Inspector, error) {
	m := &Material{}
	if err := errors.Join(m.loadCAs(config), m.loadCRLs(config)); err != nil {
		return nil, err
	}
	crls, partial := m.Gather(ctx, config)
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	i := &Inspector{
		Warnings: append(config.warnings(), m.Warnings...),
		Partial:  partial,
		server:   &Server{config: config, chains: trust.NewChains()},
		heard:    map[string]trust.OCSPReport{},
	}
	i.server.store.Publish(trust.NewSnapshot(m.CAs, config.policy(crls)))
	i.server.ocsp = i.server.newOCSP(i.hear)
	return i, nil
}

func (i *Inspector) hear(report trust.OCSPReport) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.heard[string(report.Certificate.Raw)] = report
}

// Close ends what NewInspector began.
func (i *Inspector) Close() {
	if i.server.ocsp != nil {
		i.server.ocsp.Close()
	}
}

// Inspect judges a PEM or DER file: the client's certificate first, then what
// else the client would present. The error is of a file that cannot be judged, or ctx's.
func (i *Inspector) Inspect(ctx context.Context, file string) (*Finding, error) {
	presented, err := readPresented(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Printable(file), err)
	}
	f := &Finding{Notes: append(notesOn(presented), i.server.config.notesOnLines()...)}
	if i.server.config.VerifyClient == VerifyOff {
		i.unasked(f)
		return f, nil
	}
	if len(i.server.config.CRL) == 0 && i.server.ocsp == nil {
		f.Notes = append(f.Notes, "nobody is asked about revocation: neither MTLS_CRL nor MTLS_OCSP is set")
	}
	now := time.Now()
	proved := i.server.store.Current().Verify(presented, now)
	v, fault := proved, refusedByTLS(presented)
	if i.server.ocsp != nil && fault == nil {
		v = i.server.ocsp.Check(ctx, proved, now)
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	f.Chain = i.links(proved, i.server.store.Current().Consult(presented, now))
	if fault != nil {
		f.Reason, f.Advice, f.Answer = fault.reason, sentence(fault.advice), "the TLS handshake fails"
		return f, nil
	}
	f.Culprit, f.Until = v.Culprit, v.Until
	i.tell(f, v, presented)
	f.Notes = append(f.Notes, i.server.config.notesOnRoutes(f.Success)...)
	return f, nil
}

// unasked: without a question for a certificate the verdict is always the same.
func (i *Inspector) unasked(f *Finding) {
	var nobody trust.Verdict
	f.Verify = nobody.Text()
	f.Reason, f.Advice = "not_asked", "MTLS_VERIFY_CLIENT=off asks no client for a certificate, so this one is not looked at. Set it to optional or on."
	facts := factsOf(nobody, nobody.Text(), nil)
	facts.Shown = true
	lines, _, _ := i.server.identity(facts) // NONE can always be told
	f.Lines = string(lines)
}

// tell fills in what comes of a verdict: the lines for the application, or what the client gets.
func (i *Inspector) tell(f *Finding, v trust.Verdict, presented []*x509.Certificate) {
	f.Verify = v.Text()
	if v.Status != trust.Success {
		f.Reason, f.Advice = v.Reason.String(), v.Reason.Advice()
	}
	a := i.server.admit(v)
	rejected := a.page != nil
	if !rejected {
		facts := factsOf(v, a.tell, presented)
		facts.Now, facts.Shown = time.Now(), true
		var untold *untoldError
		if a.lines, _, untold = i.server.identity(facts); untold != nil {
			a.page = untold.page // and says why
		}
	}
	f.Lines = string(a.lines)
	switch {
	case a.page == nil:
		f.Success = v.Status == trust.Success
	case rejected && i.server.config.RejectWith == RejectAlert:
		f.Answer = "the TLS handshake fails (MTLS_REJECT_WITH=alert)"
		if v.Reason == trust.OCSPFailed || v.Reason == trust.OCSPRevoked || v.Reason == trust.OCSPUnknown {
			f.Answer = fmt.Sprintf("%d from the sidecar; once the CA's answer is known, the TLS handshake fails", a.page.status)
		}
	default:
		f.Answer = fmt.Sprintf("%d from the sidecar; the application does not see the request", a.page.status)
		if v.Status == trust.Success {
			f.Reason, f.Advice = a.page.reason, a.page.detail
		}
	}
}

// links tells of each certificate of the chain where it is from and who was asked about
// its revocation.
func (i *Inspector) links(v trust.Verdict, consulted [][]trust.Consulted) []Link {
	config := i.server.config
	links := make([]Link, len(v.Chain))
	for n, c := range v.Chain {
		link := Link{Certificate: c}
		for _, ca := range i.server.store.Current().CAs() {
			link.Trusted = link.Trusted || bytes.Equal(ca.Raw, c.Raw)
		}
		if n < len(consulted) {
			link.Lists = consulted[n]
			if len(link.Lists) == 0 {
				link.NoList = missingList(config.CRLPolicy, n)
			}
		}
		i.mu.Lock()
		report, asked := i.heard[string(c.Raw)]
		i.mu.Unlock()
		due := config.OCSP == OCSPOn && n+1 < len(v.Chain) || config.OCSP == OCSPLeaf && n == 0
		switch {
		case due && asked:
			link.Answer = &report
		case due && v.Status != trust.Success:
			link.Unasked = "not asked: without it the certificate is refused already"
		case due:
			link.Unasked = "not asked: it is a trusted root itself"
		}
		links[n] = link
	}
	return links
}

// missingList says what it means that no list is there for a certificate's issuer.
func missingList(policy CRLPolicy, place int) string {
	if policy == CRLAvailable || policy == CRLLeaf && place > 0 {
		return fmt.Sprintf("none of its issuer, and none is demanded (MTLS_CRL_POLICY=%s)", policy)
	}
	return fmt.Sprintf("NONE of its issuer, and one is demanded (MTLS_CRL_POLICY=%s)", policy)
}

// refusedByTLS tells what crypto/tls would end the handshake for, whatever our verdict.
func refusedByTLS(presented []*x509.Certificate) *handshakeFault {
	reason, size := "", 0
	for _, c := range presented {
		size += len(c.Raw) + 3
		if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxTLSKeyBits {
			reason = "certificate_key_too_large"
		}
	}
	switch presented[0].PublicKey.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		reason = "certificate_key_unsupported"
	}
	if size > maxTLSCertificates {
		reason = "certificate_too_large"
	}
	for i := range handshakeFaults {
		if handshakeFaults[i].reason == reason {
			return &handshakeFaults[i]
		}
	}
	return nil
}

// The limits of crypto/tls: on an RSA key, in bits, and on a Certificate message, in bytes.
const (
	maxTLSKeyBits      = 8192
	maxTLSCertificates = 256 << 10
)

// notesOnLines tells when the lines shown are not those of a request.
func (c *Config) notesOnLines() []string {
	if !c.Headers.TellsConnection() {
		return nil
	}
	return []string{"what MTLS_HEADERS tells of the connection stands here by its name ($ssl_protocol)"}
}

// notesOnRoutes tells where MTLS_ROUTES makes a difference.
func (c *Config) notesOnRoutes(success bool) []string {
	var notes []string
	if c.Routes.has(needRequire) && !success {
		notes = append(notes, "where MTLS_ROUTES says require, the answer is 403")
	}
	if c.Routes.has(needOff) {
		notes = append(notes, "where MTLS_ROUTES says off, the application is told NONE")
	}
	return notes
}

// notesOn tells what is likely to be a mistake of whoever made the file.
func notesOn(presented []*x509.Certificate) []string {
	if first := presented[0]; len(presented) > 1 && first.BasicConstraintsValid && first.IsCA {
		return []string{"the first certificate of the file is a CA's, and taken for the client's own; put that first"}
	}
	return nil
}
