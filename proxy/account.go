package proxy

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"mtls-sidecar/proxy/http1"
	"mtls-sidecar/proxy/trust"
)

// account is what is remembered of one request for those who look at it
// afterwards: the metrics and the access log. It is filled in on the way, costs no
// clock and no memory of its own, and is settled in one place, whatever became of
// the request.
type account struct {
	began    time.Time // the head's first byte was there
	asked    time.Time // the request went to the application; zero: it never did
	answered time.Time // the head of the application's answer was there; zero: none came
	status   int       // of the answer, in no gRPC form; 0: the client got none
	page     *refusal  // the answer was ours
	fault    upstreamFault
	verified trust.Status // what the application was told, or would have been
	method   method
	bytes    int64 // of the answer's body, as the application sent it
	parsed   bool  // it was a request at all
	tunnel   bool  // it became one, and has been settled
}

// method is a request's, as far as metrics tell them apart: a client may send any word.
type method uint8

// Methods of RFC 9110 §9.3 and RFC 5789 that pass.
const (
	otherMethod method = iota
	methodGet
	methodHead
	methodPost
	methodPut
	methodPatch
	methodDelete
	methodOptions
	methodCount
)

func methodOf(text []byte) method {
	switch string(text) {
	case "GET":
		return methodGet
	case "HEAD":
		return methodHead
	case "POST":
		return methodPost
	case "PUT":
		return methodPut
	case "PATCH":
		return methodPatch
	case "DELETE":
		return methodDelete
	case "OPTIONS":
		return methodOptions
	default:
		return otherMethod
	}
}

// upstreamFault is what went wrong with the application.
type upstreamFault uint8

// Kinds of it.
const (
	noFault         upstreamFault = iota
	upstreamRefused               // it could not be connected to
	upstreamTimeout               // MTLS_UPSTREAM_CONNECT_TIMEOUT, MTLS_UPSTREAM_TIMEOUT
	upstreamInvalid               // what it answered is no answer
	upstreamCut                   // its answer ended too early
	upstreamExposed               // MTLS_UPSTREAM_EXPOSED=refuse
	upstreamFaultCount
)

// faultOfUpstream tells the kinds apart for which the client gets an answer of ours.
func faultOfUpstream(page *refusal, err error) upstreamFault {
	var config *ConfigError
	switch {
	case errors.As(err, &config):
		return upstreamExposed // see dial
	case page == upstreamSlow:
		return upstreamTimeout
	case page == upstreamDown:
		return upstreamRefused
	default:
		return upstreamInvalid
	}
}

// settle closes the account of a request, of which end says how it ended.
func (x *exchange) settle(end ending) {
	a := &x.account
	if a.tunnel || !a.parsed && a.status == 0 {
		return // settled when it was opened; or the client went away before it had asked for anything
	}
	x.server.tally(x)
	x.server.logAccess(x, end)
}

// took is how long the request took, from its first byte to the last of its answer.
func (x *exchange) took() time.Duration { return max(0, x.now.Sub(x.account.began)) }

// kept is what is remembered of a request's head when its bytes are gone: the
// body is read into the same buffer. Its own buffer is used again and again.
type kept struct {
	buffer                     []byte
	path, host, agent, traceID []byte
	requestID                  []byte
	stripped                   [maxKeptStripped]int // identity headers that the client sent, by metrics.strippedNames
	strippedCount              int

	tell  string // what the application is told of the client: $ssl_client_verify
	need  need   // of the path, by MTLS_ROUTES
	end   ending // how it ended
	lack  *lack  // what is wrong with the application's answer
	cause error  // of that
}

// Most of each that is kept, in bytes.
const (
	maxKeptPath  = 1 << 10
	maxKeptHost  = 256
	maxKeptAgent = 256

	maxKeptStripped = 4 // names
)

// keptRoom is above all of them together with a request's identifier, so that
// nothing that points into the buffer is left behind by its growth.
const keptRoom = maxKeptPath + maxKeptHost + maxKeptAgent + maxRequestID + 64

// keep takes a copy of what the log may want of the head, and decides by which
// identifier the request is known.
func (x *exchange) keep() {
	k, r := &x.work.kept, &x.work.request
	if k.buffer == nil {
		k.buffer = make([]byte, 0, keptRoom)
	}
	*k = kept{buffer: k.buffer[:0]}
	path, _, _ := bytes.Cut(originForm(r.Method, r.Target), []byte("?"))
	k.path = k.copied(path, maxKeptPath)
	k.host = k.copied(r.Host, maxKeptHost)
	var id []byte
	ids := 0
	for i := range r.Fields {
		f := &r.Fields[i]
		switch {
		case f.Kind == http1.XRequestID:
			if !x.server.stripper.Drop(f.Name) && !r.Nominated(f.Name) {
				id = f.Value
				ids++
			}
		case k.agent == nil && len(f.Name) == len("user-agent") && bytes.EqualFold(f.Name, userAgentName):
			k.agent = k.copied(f.Value, maxKeptAgent)
		case k.traceID == nil && len(f.Name) == len("traceparent") && bytes.EqualFold(f.Name, traceparentName):
			k.traceID = k.copied(traceIDOf(f.Value), traceIDLength)
		}
	}
	if ids == 1 && validRequestID(id) {
		k.requestID = k.copied(id, maxRequestID)
		return
	}
	start := len(k.buffer)
	k.buffer = x.ids.appendNext(k.buffer)
	k.requestID = k.buffer[start:]
}

// strip is drop of a field of the head, which the log tells of, too.
func (x *exchange) strip(name []byte) bool {
	if !x.server.drop(name) {
		return false
	}
	k := &x.work.kept
	i := x.server.metrics.strippedIndex(x.server.stripper, name)
	if k.strippedCount < len(k.stripped) && !slices.Contains(k.stripped[:k.strippedCount], i) {
		k.stripped[k.strippedCount] = i
		k.strippedCount++
	}
	return true
}

var userAgentName, traceparentName = []byte("user-agent"), []byte("traceparent")

func (k *kept) copied(text []byte, most int) []byte {
	start := len(k.buffer)
	k.buffer = append(k.buffer, text[:min(len(text), most)]...)
	return k.buffer[start:len(k.buffer):len(k.buffer)]
}

// traceIDLength is what a trace-id has: W3C Trace Context §3.2.2.3.
const traceIDLength = 32

// traceIDOf takes the trace-id out of a traceparent field (W3C Trace Context
// §3.2.2), or nothing where it is none. The field itself passes untouched.
func traceIDOf(value []byte) []byte {
	const dash1, dash2 = 2, 2 + 1 + traceIDLength
	if len(value) < dash2+1 || value[dash1] != '-' || value[dash2] != '-' {
		return nil
	}
	id := value[dash1+1 : dash2]
	zero := true
	for _, b := range id {
		if !(b >= '0' && b <= '9' || b >= 'a' && b <= 'f') {
			return nil
		}
		zero = zero && b == '0'
	}
	if zero {
		return nil
	}
	return id
}
