package headers

import (
	"fmt"
	"strings"
	"testing"
)

// catalogue is one list of names as the sources themselves spell them, kept apart from the table in dialects.go: every
// one must be dropped.
const catalogue = `
VERIFIED DN Verified verified dN
ssl-client-verify ssl-client-subject-dn ssl-client-issuer-dn ssl-client-cert
X-SSL X-SSL-Client-Verify X-SSL-Client-Serial X-SSL-Client-Version X-SSL-Client-SHA1 X-SSL-Client-DN X-SSL-Client-CN
X-WSO2-Client-Certificate X-RHSM-SSL-Client-Cert X_RHSM_SSL_CLIENT_CERT SSLClientCertSubject SSLClientCertStatus MS-ASPNETCORE-CLIENTCERT Proxy-auth-cert Proxy-ssl-id WL-Proxy-SSL X-TLS-Client-DN TLS-Client-Cert
X-SSL-Issuer X-SSL-Client-NotBefore X-SSL-Client-NotAfter X-SSL-Client-DER X-SSL-Client-Subject X-SSL-Client-Cert
X-SSL-Client-Certificate
X-Forwarded-Client-Cert l5d-client-id
X-Forwarded-Tls-Client-Cert X-Forwarded-Tls-Client-Cert-Info
SSL_CLIENT_CERT SSL_CLIENT_S_DN SSL_CLIENT_S_DN_CN SSL_CLIENT_S_DN_OU_1 SSL_CLIENT_I_DN SSL_CLIENT_VERIFY SSL_CLIENT_M_SERIAL
SSL_CLIENT_V_START SSL_CLIENT_V_END SSL_CLIENT_V_REMAIN SSL_CLIENT_CERT_CHAIN_0 SSL_CLIENT_CERT_CHAIN_12
SSL_CLIENT_CERT_RFC4523_CEA SSL_CLIENT_SAN_DNS_0 SSL_CLIENT_SAN_Email_3 SSL_CLIENT_SAN_OTHER_msUPN_0
SSL-CLIENT-S-DN SSL-CLIENT-VERIFY SSL-CLIENT-CERT
Client-Cert Client-Cert-Chain
X-Amzn-Mtls-Clientcert X-Amzn-Mtls-Clientcert-Serial-Number X-Amzn-Mtls-Clientcert-Issuer X-Amzn-Mtls-Clientcert-Subject
X-Amzn-Mtls-Clientcert-Validity X-Amzn-Mtls-Clientcert-Leaf X-Amzn-Tls-Version X-Amzn-Tls-Cipher-Suite
CloudFront-Viewer-Cert-Serial-Number CloudFront-Viewer-Cert-Issuer CloudFront-Viewer-Cert-Subject
CloudFront-Viewer-Cert-Present CloudFront-Viewer-Cert-Sha256 CloudFront-Viewer-Cert-Validity CloudFront-Viewer-Cert-Pem
X-Client-Cert X-Client-Cert-Present X-Client-Cert-Chain-Verified X-Client-Cert-Error X-Client-Cert-Hash X-Client-Cert-SPIFFE
X-Client-Cert-Serial X-Client-Cert-Issuer-DN X-Client-Cert-Subject-DN X-Client-Cert-Fingerprint
X-Client-Verify X-Client-DN
Cf-Client-Cert-Der-Base64 Cf-Client-Cert-Sha256 cf-cert-verified cf-cert-presented cf-cert-subject-dn
X-ARR-ClientCert
ssl-cert-chain ssl-cert-chain_0 CERT_CHAIN_0 CERT_CHAIN
ssl_client_cert ssl_client_escaped_cert ssl_cipher ssl_session_id ssl_cipher_usekeysize
SM_USER SM_USERDN REMOTE_USER REMOTE_USER_EMAIL REMOTE-USER_GROUPS
WL-Proxy-Client-Cert Proxy-Client-Cert $WSCC $WSRU $WSAT Client-To-Edge
`

// ordinary is what browsers, tools and applications send, which must all pass.
const ordinary = `
Host User-Agent Accept Accept-Encoding Accept-Language Connection Content-Type Content-Length Transfer-Encoding TE Trailer
Upgrade Upgrade-Insecure-Requests Expect Keep-Alive Cookie Authorization Cache-Control Pragma Referer Origin Range If-None-Match
If-Modified-Since Date DNT Sec-Fetch-Site Sec-Fetch-Mode Sec-CH-UA Sec-WebSocket-Key Sec-WebSocket-Version X-Requested-With
X-CSRF-Token X-XSRF-TOKEN X-API-Key X-Request-Id X-Correlation-Id X-B3-TraceId traceparent tracestate X-Amzn-Trace-Id
CF-Connecting-IP CF-Ray CloudFront-Viewer-Country CloudFront-Forwarded-Proto X-Real-IP X-Forwarded-For X-Forwarded-Proto
X-Forwarded-Host Forwarded Via Priority Last-Event-ID Idempotency-Key Client-Id Client-Version X-Client-Version X-Client-Id
X-Client-Data SOAPAction DPoP Signature Signature-Input Digest Content-Digest Prefer Depth Destination Overwrite
my_custom_header x.custom Certificate X-Certificate SSL Session-Id DNS Verified-By X-Verified x-dn Remote-Address
X-SSLv3 Forwarded-For
`

func stripper(t testing.TB, opt StripOptions) *Stripper {
	t.Helper()
	s, err := NewStripper(opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// spellings returns a name in every case and separator that an application could take for it.
func spellings(name string) []string {
	all := []string{name, strings.ToLower(name), strings.ToUpper(name)}
	for _, separator := range []string{"_", ".", "-", "!", "~", "$", "\x80"} {
		all = append(all, strings.ReplaceAll(folded(name), "-", separator),
			strings.ReplaceAll(strings.ToUpper(folded(name)), "-", separator))
	}
	return all
}

func TestEveryIdentityNameIsDroppedInEverySpelling(t *testing.T) {
	s := stripper(t, StripOptions{})
	for _, listed := range strings.Fields(catalogue) {
		for _, n := range spellings(listed) {
			if !s.Drop([]byte(n)) {
				t.Errorf("%q reaches the application", n)
			}
			if !s.DropTrailer([]byte(n)) {
				t.Errorf("%q reaches the application as a trailer", n)
			}
		}
	}
}

func TestOrdinaryNamesPass(t *testing.T) {
	s := stripper(t, StripOptions{})
	for _, n := range strings.Fields(ordinary) {
		if s.Drop([]byte(n)) {
			t.Errorf("%q does not reach the application", n)
		}
	}
	if s.Drop(nil) || s.DropTrailer(nil) {
		t.Errorf("the empty name is dropped: that is for the parser to refuse")
	}
}

func TestOddSpellingsOfGuardedNamesAreDropped(t *testing.T) {
	s := stripper(t, StripOptions{})
	guarded := strings.Fields(`Content-Length Transfer-Encoding Keep-Alive Proxy-Connection Proxy-Authorization HTTP2-Settings
		X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host X-Real-IP X-Request-Id X-Original-URL X-Rewrite-URL Max-Forwards
		Proxy-Authenticate X-HTTP-Method-Override`)
	for _, exact := range guarded {
		for _, n := range []string{exact, strings.ToLower(exact), strings.ToUpper(exact)} {
			if s.Drop([]byte(n)) {
				t.Errorf("%q is dropped: the exact spelling is for the relay", n)
			}
		}
		for _, separator := range []string{"_", ".", "!", "\x80"} {
			if n := strings.ReplaceAll(exact, "-", separator); !s.Drop([]byte(n)) {
				t.Errorf("%q reaches the application", n)
			}
			if n := strings.Replace(exact, "-", separator, 1); !s.Drop([]byte(n)) {
				t.Errorf("%q reaches the application", n)
			}
		}
	}
}

func TestOtherForwardedNamesAreDropped(t *testing.T) {
	s := stripper(t, StripOptions{})
	for _, n := range strings.Fields(`X-Forwarded-Port X-Forwarded-Ssl X-Forwarded-Prefix X-Forwarded-Server X-Forwarded-User
		X_Forwarded_Email X-Forwarded-For-Original x-forwarded-protocol X-Forwarded- X-FORWARDED`) {
		if !s.Drop([]byte(n)) {
			t.Errorf("%q reaches the application", n)
		}
	}
}

func TestTrailersDropWhatBelongsInTheHead(t *testing.T) {
	s := stripper(t, StripOptions{})
	for _, n := range strings.Fields(`Host connection Content-Length TRANSFER-ENCODING transfer_encoding TE Trailer Upgrade Expect
		Keep-Alive Proxy-Connection Proxy-Authorization Authorization Cookie Set-Cookie set_cookie Content-Type Content-Encoding
		Content-Range Cache-Control If-None-Match If_Match Range X-Forwarded-For X-Forwarded-Port X-Real-IP X-Request-Id Forwarded
		Via Max-Forwards X-Original-URL WWW-Authenticate Location Date Age
		Authentication-Control Content-Disposition Content-Language Content-Location Expires If-Match If-Modified-Since If-Range
		If-Unmodified-Since Origin Pragma Retry-After Vary Warning Proxy-Authenticate HTTP2-Settings X-Rewrite-URL X-Forwarded-Proto
		X-Forwarded-Host X-HTTP-Method-Override`) {
		if !s.DropTrailer([]byte(n)) {
			t.Errorf("%q passes as a trailer", n)
		}
	}
	for _, n := range strings.Fields(`grpc-status grpc-message Grpc-Status-Details-Bin Digest Content-Digest Repr-Digest ETag
		Server-Timing X-Checksum Content-MD5 Signature`) {
		if s.DropTrailer([]byte(n)) {
			t.Errorf("%q does not pass as a trailer", n)
		}
	}
}

// slowRule is the rule in words: what find must answer, without its table.
func slowRule(n string, opt StripOptions) rule {
	f := folded(n)
	is := func(names ...string) bool {
		for _, other := range names {
			if folded(other) == f {
				return true
			}
		}
		return false
	}
	switch {
	case is(opt.Keep...):
		return kept
	case is(opt.Strip...):
		return dropped
	case is(notInTrailers[:]...):
		return headOnly
	}
	for _, g := range guardedNames {
		if is(g.name) {
			return exactOnly
		}
	}
	if strings.HasPrefix(f, "x-forwarded-") || f == "x-forwarded" {
		return dropped
	}
	for _, d := range dialects {
		if is(d.names...) {
			return dropped
		}
		for _, p := range d.prefixes {
			if strings.HasPrefix(f, p) {
				return dropped
			}
		}
	}
	return pass
}

// FuzzDrop holds that the answer depends on the folded name alone, but for exact spellings, and is that of the slow rule.
func FuzzDrop(f *testing.F) {
	for _, n := range strings.Fields(catalogue + ordinary) {
		f.Add([]byte(n))
	}
	f.Add([]byte("X_Forwarded_For"))
	f.Add([]byte("Transfer.Encoding"))
	f.Add([]byte("\xff\xff"))
	opt := StripOptions{Strip: []string{"X-Extra", "q"}, Keep: []string{"X-SSL-Client-Cert", "X-Forwarded-Prefix"}}
	s := stripper(f, opt)
	f.Fuzz(func(t *testing.T, n []byte) {
		if len(n) == 0 {
			return
		}
		fold := folded(string(n))
		if again := folded(fold); again != fold {
			t.Fatalf("folding %q gives %q, then %q", n, fold, again)
		}
		want := slowRule(string(n), opt)
		if got := s.find(n); got != want {
			t.Fatalf("%q: got rule %d, want %d", n, got, want)
		}
		drop := want == dropped || want == exactOnly && !strings.EqualFold(string(n), fold)
		if got := s.Drop(n); got != drop {
			t.Fatalf("%q: dropped %t, want %t", n, got, drop)
		}
		if s.Drop(n) && !s.DropTrailer(n) {
			t.Fatalf("%q is dropped from the head, but not from trailers", n)
		}
		if s.Drop([]byte(fold)) && !s.Drop(n) {
			t.Fatalf("%q is dropped, but its spelling %q is not", fold, n)
		}
	})
}

func TestDialectsAreWellFormed(t *testing.T) {
	for _, d := range dialects {
		if d.source == "" || len(d.names)+len(d.prefixes) == 0 {
			t.Errorf("%+v is incomplete", d)
		}
		for _, n := range d.names {
			if !isToken(n) {
				t.Errorf("%s: %q is not a field name", d.source, n)
			}
		}
		for _, p := range d.prefixes {
			if p != folded(p) || len(p) < len("x-ssl-") {
				t.Errorf("%s: the prefix %q is not folded, or reaches far", d.source, p)
			}
		}
	}
}

func TestDropDoesNotAllocate(t *testing.T) {
	s := stripper(t, StripOptions{Strip: []string{"X-Extra"}, Keep: []string{"X-SSL-Client-Cert"}})
	names := [][]byte{[]byte("Host"), []byte("VERIFIED"), []byte("X_Forwarded_For"), []byte("X-SSL-Client-DN"), []byte("Accept-Encoding"),
		[]byte(strings.Repeat("X-Long-", 40))}
	allocations := testing.AllocsPerRun(100, func() {
		for _, n := range names {
			s.Drop(n)
			s.DropTrailer(n)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations for %d names", allocations, len(names))
	}
}

func BenchmarkDrop(b *testing.B) {
	s := stripper(b, StripOptions{})
	for _, n := range []string{"Host", "User-Agent", "Accept-Encoding", "Content-Type", "X-Requested-With", "Sec-Fetch-Mode", "X-Forwarded-For",
		"VERIFIED", "SSL_CLIENT_S_DN_CN"} {
		field := []byte(n)
		b.Run(n, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Drop(field)
			}
		})
	}
	request := strings.Fields(`Host User-Agent Accept Accept-Encoding Accept-Language Connection Cookie Referer Sec-Fetch-Site
		Sec-Fetch-Mode Content-Type Content-Length`)
	fields := make([][]byte, len(request))
	for i, n := range request {
		fields[i] = []byte(n)
	}
	b.Run(fmt.Sprintf("request of %d fields", len(fields)), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, n := range fields {
				s.Drop(n)
			}
		}
	})
}
