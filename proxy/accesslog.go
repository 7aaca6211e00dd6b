package proxy

import (
	"crypto/tls"
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"mtls-sidecar/proxy/trust"
)

// logAccess writes the access log's line of a request whose account is settled, if
// MTLS_ACCESS_LOG asks for it and the request has none yet: a refusal has its own. An
// answer that the application cut short is told in any case: it is a fault to be mended.
func (s *Server) logAccess(x *exchange, end ending) {
	a := &x.account
	if a.page != nil || !a.parsed {
		return // told already; or it was no request
	}
	k := &x.work.kept
	switch mode := s.config.AccessLog; {
	case k.lack != nil:
		s.log.Warn(k.lack.message, x.accessField(end), reasonField(k.lack.reason), faultField(k.cause))
	case mode == AccessAll || mode == AccessErrors && a.status >= 500:
		if line := s.log.Check(zapcore.InfoLevel, "request"); line != nil {
			fields := accessFields.Get().(*[1]zap.Field)
			fields[0] = x.accessField(end)
			line.Write(fields[:]...)
			fields[0] = zap.Field{}
			accessFields.Put(fields)
		}
	}
}

// lack is what may be wrong with an answer that the client has got a part of.
type lack struct{ message, reason string }

var (
	truncated = &lack{"the application's answer was cut short", "answer_truncated"}
	endedCall = &lack{"the application has ended a gRPC call", "call_ended"}
)

// lacks has what is wrong with an answer told when the request is settled.
func (k *kept) lacks(what *lack, cause error) { k.lack, k.cause = what, cause }

// reasonCut is told of what did not come to its end, because of the client, of the end of
// belief in it, or of a shutdown.
const reasonCut = "cut"

// accessFields are lent to lines, since zap has what is passed to it escape.
var accessFields = sync.Pool{New: func() any { return new([1]zap.Field) }}

// accessField is all that the access log tells of a request.
func (x *exchange) accessField(end ending) zap.Field {
	x.work.kept.end = end
	return zap.Inline((*accessRecord)(x))
}

// requestField is what any line about a request tells of it.
func (x *exchange) requestField() zap.Field { return zap.Inline((*requestRecord)(x)) }

// Records write themselves into a line without memory of their own. They are written
// out at once: nothing that they point to is there for long.
type (
	requestRecord  exchange
	accessRecord   exchange
	strippedRecord exchange
)

// MarshalLogArray tells which identity headers the client sent, by the names of the metric.
func (r *strippedRecord) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	for _, i := range r.work.kept.stripped[:r.work.kept.strippedCount] {
		enc.AppendString(r.server.metrics.strippedNames[i])
	}
	return nil
}

// MarshalLogObject writes the fields that are known once a head has been read.
func (r *requestRecord) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	x := (*exchange)(r)
	enc.AddString(keyAddress, x.conn.remote)
	if !x.account.parsed {
		return nil
	}
	k, c := &x.work.kept, x.conn
	enc.AddString("http.request.method", x.account.method.String())
	enc.AddByteString(keyPath, k.path)
	enc.AddString("network.protocol.version", x.protocolVersion())
	addText(enc, "server.address", k.host)
	addText(enc, "user_agent.original", k.agent)
	addText(enc, keyRequestID, k.requestID)
	addText(enc, "trace_id", k.traceID)
	enc.AddString("tls.protocol.version", tlsVersionName(c.tlsVersion))
	enc.AddString("tls.cipher", cipherNames[c.cipher])
	enc.AddBool("tls.resumed", c.resumed)
	if x.server.config.Routes.Set() {
		enc.AddString("route.need", k.need.String())
	}
	if k.strippedCount > 0 {
		if err := enc.AddArray("stripped_headers", (*strippedRecord)(x)); err != nil {
			return err
		}
	}
	enc.AddFloat64(keyDuration, x.took().Seconds())
	if a := &x.account; !a.asked.IsZero() && !a.answered.IsZero() {
		enc.AddFloat64("upstream.response.duration", max(0, a.answered.Sub(a.asked).Seconds()))
	}
	return nil
}

// MarshalLogObject adds what is known at the end.
func (r *accessRecord) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	x := (*exchange)(r)
	if err := (*requestRecord)(r).MarshalLogObject(enc); err != nil {
		return err
	}
	k, a := &x.work.kept, &x.account
	if a.status != 0 {
		enc.AddInt(keyStatus, a.status)
	}
	enc.AddInt64(keyRequestBody, x.work.sent)
	enc.AddInt64(keyAnswerBody, a.bytes)
	enc.AddString("verified", k.tell)
	if who := x.conn.peer.Load(); who != nil && a.verified == trust.Success {
		n := who.names()
		enc.AddString(keySubject, n.subject)
		enc.AddString(keyIssuer, n.issuer)
		enc.AddString(keySerial, n.serial)
	}
	if k.end == cut && k.lack == nil {
		enc.AddString(keyErrorType, reasonCut)
	}
	return nil
}

// addText adds what a client has sent, if it has.
func addText(enc zapcore.ObjectEncoder, key string, text []byte) {
	if len(text) > 0 {
		enc.AddByteString(key, text)
	}
}

// names are those of the client's certificate, made when they are first asked for.
func (p *peer) names() *certificateNames {
	if n := p.named.Load(); n != nil {
		return n
	}
	n := namesOf(p.chain[0])
	p.named.Store(&n)
	return &n
}

// String is the method as logs and metrics know it; _OTHER is OpenTelemetry's word.
func (m method) String() string {
	return [methodCount]string{"_OTHER", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}[m]
}

// protocolVersion is HTTP's, in OpenTelemetry's form.
func (x *exchange) protocolVersion() string {
	switch {
	case x.stream != nil:
		return "2"
	case x.work.oldHTTP:
		return "1.0"
	default:
		return "1.1"
	}
}

// noteTLS remembers what the access log tells of a connection's TLS.
func (c *conn) noteTLS(state *tls.ConnectionState) {
	c.tlsVersion, c.cipher, c.resumed = state.Version, state.CipherSuite, state.DidResume
}

func tlsVersionName(version uint16) string {
	if version == tls.VersionTLS13 {
		return "1.3"
	}
	return "1.2"
}

// cipherNames are those of all suites that crypto/tls knows; its own function
// allocates at each call.
var cipherNames = func() map[uint16]string {
	all := map[uint16]string{}
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		all[suite.ID] = suite.Name
	}
	return all
}()
