package headers

// guard says why other spellings of a name are not for the application, and what an operator may do about the name.
type guard byte

const (
	// framing names decide where a message ends and who speaks with whom. Neither list of an operator may hold one.
	framing guard = iota + 1
	// written names are set, appended to or dropped by the sidecar itself.
	written
	// routing names tell some applications to see another path or client.
	routing
	// credentials may be stripped, but there is nothing to keep: they pass as they are.
	credentials
)

// guardedName is a field whose exact spelling is somebody else's business, and whose other spellings (Transfer_Encoding,
// X.Real.IP) are dropped: an application that folds names, as CGI, WSGI, Rack and PHP do, would take them for the real one.
type guardedName struct {
	name string
	why  guard
}

var guardedNames = [...]guardedName{
	// RFC 9110 §7.2, §7.6.1, §7.8, §8.6, §10.1.1; RFC 9112 §6; RFC 7540 §3.2.1. Proxy-Connection never was in any RFC.
	{"Host", framing},
	{"Connection", framing},
	{"Content-Length", framing},
	{"Transfer-Encoding", framing},
	{"TE", framing},
	{"Trailer", framing},
	{"Upgrade", framing},
	{"Expect", framing},
	{"Keep-Alive", framing},
	{"Proxy-Connection", framing},
	{"Proxy-Authenticate", framing},
	{"Proxy-Authorization", framing},
	{"HTTP2-Settings", framing},

	{"X-Forwarded-For", written},
	{"X-Forwarded-Proto", written},
	{"X-Forwarded-Host", written},
	{"X-Real-IP", written},
	{"X-Request-Id", written},
	{"Forwarded", written}, // RFC 7239

	{"Via", routing},
	{"Max-Forwards", routing},
	{"X-Original-URL", routing}, // Symfony, IIS rewriting
	{"X-Rewrite-URL", routing},
	{"X-HTTP-Method-Override", routing},

	{"Authorization", credentials},
	{"Cookie", credentials},
}

// forwardedPrefix: of the names that begin so, a client may send only those among guardedNames. The others (-Port, -Ssl,
// -Prefix, -User, -Server, …) are the words of a proxy that is not there.
const forwardedPrefix = "x-forwarded-"

// unsetForwarded is the one name of that family without the hyphen, an old spelling of Forwarded.
const unsetForwarded = "X-Forwarded"

// notInTrailers are fields that a recipient must be able to rely on before the body, and that some merge from trailers
// into the head (RFC 9110 §6.5.1): controls, conditions, authentication, response control data, and what says how the
// content is to be read. Those of guardedNames are refused there too.
var notInTrailers = [...]string{
	"Age", "Authentication-Control", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language",
	"Content-Location", "Content-Range", "Content-Type", "Date", "Expires", "If-Match", "If-Modified-Since",
	"If-None-Match", "If-Range", "If-Unmodified-Since", "Location", "Origin", "Pragma", "Range", "Retry-After",
	"Set-Cookie", "Vary", "Warning", "WWW-Authenticate",
}
