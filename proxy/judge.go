package proxy

import (
	"crypto/x509"
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
	until      int64 // Unix nanoseconds
	answer     answer
}

// answer is what a verdict comes to under the configured mode.
type answer struct {
	lines []byte   // for the application, ready to be copied into a head
	page  *refusal // for the client; nil: the request is admitted
	tell  string   // $ssl_client_verify as the application is told it
}

// judge makes the memo current. It looks at the clock's wall time, since that is
// what certificates are dated in.
func (c *conn) judge(now time.Time) {
	if c.memo.generation == c.server.store.Generation() && now.UnixNano() < c.memo.until {
		return
	}
	c.judgeAfresh(now)
}

// judgeAfresh may wait for a CA's answer. What has changed meanwhile counts:
// no request is admitted by a belief of before.
func (c *conn) judgeAfresh(now time.Time) {
	s := c.server
	var verdict trust.Verdict
	for range rejudge {
		generation := s.store.Generation()
		verdict = c.verdict(s.store.Current(), now)
		a := s.admit(verdict)
		if a.page == nil {
			a = s.render(c, verdict, a)
		}
		c.memo = memo{generation, untilNano(verdict), a}
		c.vouched.Store(verdict.Status == trust.Success && a.page == nil)
		c.until.Store(c.memo.until)
		s.sweeper.until(c.memo.until)
		c.now = time.Now()
		if now = s.wall(c.now); generation == s.store.Generation() && now.UnixNano() < c.memo.until {
			break
		}
	}
	if page := c.memo.answer.page; page != nil {
		s.logRefusal(c, verdict, page)
	}
}

// rejudge is how often a verdict is sought while belief keeps changing.
const rejudge = 10

// identify keeps who presented which certificates in the handshake, or in the one
// whose session is resumed.
func (c *conn) identify() {
	presented := c.tls.ConnectionState().PeerCertificates
	if len(presented) == 0 {
		return
	}
	if c.session.chain == (trust.ID{}) {
		c.session.chain = trust.ChainID(presented)
	}
	c.peer.Store(&peer{c.session.chain, presented})
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
	switch {
	case v.Status == trust.None && mode == VerifyOn:
		return answer{page: noCertificate}
	case v.Status == trust.None || v.Status == trust.Success:
		return answer{tell: v.Text()}
	case mode == VerifyOptionalNoCA && v.Reason.UnknownCA(),
		mode == VerifyOptional && s.config.InvalidCert == InvalidFailed:
		return answer{tell: v.Text()}
	case mode == VerifyOptional && s.config.InvalidCert == InvalidNone:
		return answer{tell: trust.Verdict{}.Text()}
	default:
		return answer{page: badCertificate(v.Reason)}
	}
}

// render makes the lines that tell the application who asks. They are rendered
// once for a connection and verdict, and copied into each request.
func (s *Server) render(c *conn, v trust.Verdict, a answer) answer {
	var leaf *x509.Certificate
	if who := c.peer.Load(); who != nil {
		leaf = who.chain[0]
	}
	lines, page, err := s.identity(a.tell, v, leaf)
	if err != nil {
		s.log.Error("the identity lines cannot be rendered", zap.String("remote", c.remote), zap.Error(err))
	}
	if page != nil {
		return answer{page: page}
	}
	lines = append(lines, "X-Real-IP: "...)
	lines = append(lines, c.remote...)
	lines = append(lines, "\r\nX-Forwarded-Proto: https\r\n"...)
	a.lines = lines
	return a
}

// identity renders the lines that say who the client is, or says which page it
// gets because they cannot be.
func (s *Server) identity(tell string, v trust.Verdict, leaf *x509.Certificate) ([]byte, *refusal, error) {
	facts := headers.Facts{Verify: tell}
	if v.Status == trust.Success && leaf != nil {
		facts.Subject = leaf.RawSubject
	}
	lines, err := headers.Identity(facts)
	switch {
	case err != nil:
		return nil, unrenderable, err
	case len(lines) > int(s.config.MaxIdentityBytes):
		return nil, identityTooLarge, nil
	}
	return lines, nil, nil
}

// logRefusal writes the line that somebody looks for at three in the morning.
func (s *Server) logRefusal(c *conn, v trust.Verdict, page *refusal) {
	fields := []zap.Field{
		zap.String("remote", c.remote),
		zap.String("reason", page.reason),
		zap.Int("status", page.status),
	}
	if v.Status == trust.Failed {
		fields = append(fields, zap.String("detail", v.Reason.Text()))
		if v.Culprit != nil {
			fields = append(fields, zap.Dict("culprit", certificateFields(v.Culprit)...))
		}
	}
	if who := c.peer.Load(); who != nil {
		fields = append(fields, certificateFields(who.chain[0])...)
	}
	fields = append(fields, zap.Bool("resumed", c.tls.ConnectionState().DidResume))
	s.log.Info("client certificate refused", fields...)
}
