package proxy

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"go.uber.org/zap"

	"mtls-sidecar/headers"
	"mtls-sidecar/proxy/trust"
)

// memo is what a connection remembers of its verdict: as long as the generation
// is the current one and the time has not come, each request pays one atomic
// load and two comparisons.
type memo struct {
	generation uint64
	until      int64 // Unix nanoseconds: of the verdict, or of a value that is told
	vouched    bool  // what is told is SUCCESS
	answer     answer
}

// answer is what a verdict comes to under the configured mode.
type answer struct {
	lines     []byte       // for the application, ready to be copied into a head
	page      *refusal     // for the client; nil: the request is admitted
	protected *refusal     // the same, where MTLS_ROUTES requires a certificate
	tell      string       // $ssl_client_verify as the application is told it
	status    trust.Status // what that says
	refused   *refused     // with either page, but for clients without a certificate
}

// refused is what the log tells of a client that got a page.
type refused struct {
	verdict trust.Verdict
	detail  string
}

// judge is what a verdict that holds now comes to: by wall time, since that is
// what certificates are dated in. The requests of a
// connection that come while it is judged afresh wait for the same verdict.
func (x *exchange) judge(now time.Time) answer {
	c := x.conn
	c.judging.Lock()
	defer c.judging.Unlock()
	if c.memo.generation != x.server.store.Generation() || now.UnixNano() >= c.memo.until {
		x.judgeAfresh(now)
	}
	x.vouched.Store(c.memo.vouched)
	return c.memo.answer
}

// judgeAfresh may wait for a CA's answer. What has changed meanwhile counts:
// no request is admitted by a belief of before.
func (x *exchange) judgeAfresh(now time.Time) {
	s, c := x.server, x.conn
	again, believed := c.memo.generation != 0, c.memo.vouched
	var verdict trust.Verdict
	for range rejudge {
		generation := s.store.Generation()
		verdict = c.verdict(s.store.Current(), now)
		until := untilNano(verdict)
		c.memo = s.render(c, verdict, memo{generation: generation, until: until, answer: s.admit(verdict)}, now)
		c.memo.vouched = verdict.Status == trust.Success && c.memo.answer.page == nil
		x.vouched.Store(c.memo.vouched)
		c.until.Store(until)
		s.sweeper.until(until)
		x.now = time.Now()
		if now = s.wall(x.now); generation == s.store.Generation() && now.UnixNano() < c.memo.until {
			break
		}
	}
	s.metrics.judged(verdict)
	if again {
		s.metrics.judgedAgain(believed, c.memo.vouched)
	}
}

// rejudge is how often a verdict is sought while belief keeps changing.
const rejudge = 10

// identify keeps who presented which certificates in the handshake, or in the one
// whose session is resumed.
func (c *conn) identify() {
	state := c.tls.ConnectionState()
	c.noteTLS(&state)
	presented := state.PeerCertificates
	if len(presented) == 0 {
		return
	}
	if c.session.chain == (trust.ID{}) {
		c.session.chain = trust.ChainID(presented)
	}
	c.peer.Store(&peer{id: c.session.chain, chain: presented})
}

// verdict is what is believed of the client now.
func (c *conn) verdict(snapshot *trust.Snapshot, now time.Time) trust.Verdict {
	who := c.peer.Load()
	if who == nil {
		return trust.Verdict{}
	}
	return c.server.askCAs(c.server.chains.Judge(snapshot, who.id, who.chain, now), now)
}

// admit applies the mode (nginx's ssl_verify_client) to a verdict.
func (s *Server) admit(v trust.Verdict) answer {
	mode := s.config.VerifyClient
	a := answer{tell: v.Text(), status: v.Status}
	switch {
	case v.Status == trust.None:
		a.protected = certificateRequired
		if mode == VerifyOn {
			a.page = noCertificate
		}
	case v.Status == trust.Success:
		return a
	default:
		a.protected = forbidden(v.Reason)
		a.refused = &refused{v, v.Reason.Text()}
		switch {
		case mode == VerifyOptionalNoCA && v.Reason.UnknownCA(), mode == VerifyOptional && s.config.InvalidCert == InvalidFailed:
		case mode == VerifyOptional && s.config.InvalidCert == InvalidNone:
			a.tell, a.status = trust.Verdict{}.Text(), trust.None
		default:
			a.page = badCertificate(v.Reason)
		}
	}
	return a
}

// render makes the lines that tell the application who asks. They are rendered
// once for a connection and verdict, and copied into each request; the memo ends
// where one of their values does.
func (s *Server) render(c *conn, v trust.Verdict, m memo, now time.Time) memo {
	if m.answer.page != nil {
		return m
	}
	facts := factsOf(v, m.answer.tell, c.presented())
	facts.TLS, facts.Now = c.toldOf(), now
	lines, until, err := s.identity(facts)
	if err != nil {
		m.answer.page = err.page
		if v.Status == trust.Success {
			m.answer.protected = err.page
		}
		m.answer.refused = &refused{v, err.Error()}
		return m
	}
	if !until.IsZero() {
		m.until = min(m.until, until.UnixNano())
	}
	m.answer.lines = bytes.Clone(c.appendAddress(lines)) // kept: without the room that was left
	return m
}

// asNobody are the lines of a client that is not asked who it is.
func (c *conn) asNobody(now time.Time) (lines []byte, page *refusal) {
	if lines := c.nobody.Load(); lines != nil {
		return *lines, nil
	}
	facts := factsOf(trust.Verdict{}, trust.Verdict{}.Text(), nil)
	facts.TLS, facts.Now = c.toldOf(), c.server.wall(now)
	lines, _, err := c.server.identity(facts)
	if err != nil { // MTLS_HEADERS has been checked for this
		c.server.log.Error("the application cannot be told of a client without a certificate", faultField(err))
		return nil, err.page
	}
	lines = bytes.Clone(c.appendAddress(lines))
	c.nobody.Store(&lines)
	return lines, nil
}

// toldOf is the connection, if MTLS_HEADERS asks for anything of it.
func (c *conn) toldOf() *tls.ConnectionState {
	if !c.server.config.Headers.TellsConnection() {
		return nil
	}
	state := c.tls.ConnectionState()
	return &state
}

// presented is what the client sent in the handshake, its own certificate first.
func (c *conn) presented() []*x509.Certificate {
	if who := c.peer.Load(); who != nil {
		return who.chain
	}
	return nil
}

// factsOf is what may be told of a client: of an unverified certificate what was
// presented, of a verified one the path to the root, which is all that was looked at.
func factsOf(v trust.Verdict, tell string, presented []*x509.Certificate) headers.Facts {
	facts := headers.Facts{Verify: tell, Chain: presented}
	switch v.Status {
	case trust.Success:
		facts.Chain = v.Chain
		if len(v.Chain) > 1 {
			facts.Chain = v.Chain[:len(v.Chain)-1]
		}
	case trust.Failed:
		facts.Reason, facts.Code = v.Reason.String(), v.Reason.Code()
	}
	return facts
}

// untoldError says that the application cannot be told of a client.
type untoldError struct {
	page *refusal
	why  string
}

func (e *untoldError) Error() string { return e.why }

// identity renders the lines that say who the client is. until is when one of
// them changes; zero: never.
func (s *Server) identity(facts headers.Facts) (lines []byte, until time.Time, untold *untoldError) {
	lines, until, err := s.config.Headers.Render(facts)
	limit := int(s.config.MaxIdentityBytes)
	switch {
	case err != nil:
		return nil, time.Time{}, &untoldError{unrenderable, err.Error()}
	case len(lines) > limit:
		return nil, time.Time{}, &untoldError{identityTooLarge,
			fmt.Sprintf("the identity lines take %d bytes, and MTLS_MAX_IDENTITY_BYTES allows %d", len(lines), limit)}
	}
	return lines, until, nil
}

// appendAddress ends the identity lines with what is always told.
func (c *conn) appendAddress(lines []byte) []byte {
	lines = append(lines, "X-Real-IP: "...)
	lines = append(lines, c.remote...)
	return append(lines, "\r\nX-Forwarded-Proto: https\r\n"...)
}

// logRefusal writes the line that somebody looks for at three in the morning.
func (x *exchange) logRefusal(page *refusal, r *refused) {
	d := denial{message: "client certificate refused", text: page.title}
	if r != nil {
		d.text = r.detail
		if r.verdict.Culprit != nil {
			d.fields = append(d.fields, zap.Dict("culprit", certificateFields(r.verdict.Culprit)...))
		}
	}
	if routes := &x.server.config.Routes; routes.Set() {
		d.fields = append(d.fields, zap.String("route.rule", x.rule()))
		if value, count := x.destination(); count > 0 {
			d.fields = append(d.fields, zap.ByteString("destination", destinationPath(value)))
		}
	}
	x.deny(page, d)
}

// deny tells of a refusal before the client is: who has read the answer finds it
// in the log.
func (x *exchange) deny(page *refusal, d denial) {
	x.now = time.Now()
	d.reason, d.status, d.conn, d.x = page.reason, page.status, x.conn, x
	x.server.refuse(d)
}

// maxLoggedPath is how much of a path the log shows, in bytes.
const maxLoggedPath = 256

// loggedPath is a target without its query, which may hold secrets.
func loggedPath(target []byte) []byte {
	path, _, _ := bytes.Cut(target, []byte("?"))
	return path[:min(len(path), maxLoggedPath)]
}
