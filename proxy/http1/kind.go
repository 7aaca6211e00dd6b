package http1

// Kind names the fields that a relay treats itself; Other is all else. A name
// is matched without regard to case, but exactly: "Content_Length" is Other.
type Kind uint8

// The kinds, each named after its field.
const (
	Other Kind = iota
	Host
	Connection
	ContentLength
	TransferEncoding
	TE
	Trailer
	Upgrade
	Expect
	KeepAlive
	ProxyConnection
	HTTP2Settings
	XForwardedFor
	XForwardedProto
	XForwardedHost
	XRealIP
	XRequestID
	Forwarded
	Date
	Server
	Vary
	Destination
)

type kindName struct {
	name string // lower case
	kind Kind
}

// kindsByLength is indexed by the length of the name and never written.
var kindsByLength = [...][]kindName{
	2:  {{"te", TE}},
	4:  {{"host", Host}, {"date", Date}, {"vary", Vary}},
	6:  {{"expect", Expect}, {"server", Server}},
	7:  {{"upgrade", Upgrade}, {"trailer", Trailer}},
	9:  {{"x-real-ip", XRealIP}, {"forwarded", Forwarded}},
	10: {{"connection", Connection}, {"keep-alive", KeepAlive}},
	11: {{"destination", Destination}},
	12: {{"x-request-id", XRequestID}},
	14: {{"content-length", ContentLength}, {"http2-settings", HTTP2Settings}},
	15: {{"x-forwarded-for", XForwardedFor}},
	16: {{"x-forwarded-host", XForwardedHost}, {"proxy-connection", ProxyConnection}},
	17: {{"transfer-encoding", TransferEncoding}, {"x-forwarded-proto", XForwardedProto}},
}

// KindOf returns the kind of a field name.
func KindOf(name []byte) Kind {
	if len(name) >= len(kindsByLength) {
		return Other
	}
	for i := range kindsByLength[len(name)] {
		k := &kindsByLength[len(name)][i]
		if name[0]|0x20 == k.name[0] && equalFold(name, k.name) {
			return k.kind
		}
	}
	return Other
}
