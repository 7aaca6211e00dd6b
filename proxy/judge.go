package proxy

import (
	"math"
	"time"

	"go.uber.org/zap"

	"mtls-sidecar/headers"
	"mtls-sidecar/proxy/trust"
)

// memo is what a connection remembers of its verdict: as long as the snapshot
// is the current one and the time has not come, each request pays one atomic
// load and two comparisons.
type memo struct {
	snapshot *trust.Snapshot
	until    int64 // Unix nanoseconds
	answer   answer
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
	s := c.server
	snapshot := s.store.Current()
	if c.memo.snapshot == snapshot && now.UnixNano() < c.memo.until {
		return
	}
	verdict := c.verdict(snapshot, now)
	a := s.admit(verdict)
	if a.page == nil {
		a = s.render(c, verdict, a)
	}
	if a.page != nil {
		s.logRefusal(c, verdict, a.page)
	}
	until := int64(math.MaxInt64)
	if !verdict.Until.IsZero() {
		until = verdict.Until.UnixNano()
	}
	c.memo = memo{snapshot, until, a}
}

// verdict judges the certificates presented in the handshake, or carried over
// by a resumed session, against today's snapshot.
func (c *conn) verdict(snapshot *trust.Snapshot, now time.Time) trust.Verdict {
	presented := c.tls.ConnectionState().PeerCertificates
	if len(presented) == 0 {
		return trust.Verdict{}
	}
	if c.session.chain == (trust.ID{}) {
		c.session.chain = trust.ChainID(presented)
	}
	return c.server.chains.Judge(snapshot, c.session.chain, presented, now)
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
	facts := headers.Facts{Verify: a.tell}
	if presented := c.tls.ConnectionState().PeerCertificates; v.Status == trust.Success && len(presented) > 0 {
		facts.Subject = presented[0].RawSubject
	}
	lines, err := headers.Identity(facts)
	if err != nil {
		s.log.Error("the identity lines cannot be rendered", zap.String("remote", c.remote), zap.Error(err))
		return answer{page: unrenderable}
	}
	if len(lines) > int(s.config.MaxIdentityBytes) {
		return answer{page: identityTooLarge}
	}
	lines = append(lines, "X-Real-IP: "...)
	lines = append(lines, c.remote...)
	lines = append(lines, "\r\nX-Forwarded-Proto: https\r\n"...)
	a.lines = lines
	return a
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
	state := c.tls.ConnectionState()
	if len(state.PeerCertificates) > 0 {
		fields = append(fields, certificateFields(state.PeerCertificates[0])...)
	}
	fields = append(fields, zap.Bool("resumed", state.DidResume))
	s.log.Info("client certificate refused", fields...)
}
