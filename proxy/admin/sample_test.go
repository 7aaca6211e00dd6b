package admin

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// noon is the present in these tests.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const (
	hour = time.Hour
	day  = 24 * hour
)

// calm is a sidecar with nothing to complain of, shortly after its start.
func calm() *Status {
	return &Status{
		Version: "1.4.0", Revision: "3f2c1ab", GoVersion: "go1.26.6", Started: noon.Add(-4 * time.Minute), Now: noon, State: Serving,
		Listen: ":8443", Application: "http://127.0.0.1:8080", Exposed: Exposure{Looked: noon.Add(-7 * time.Second)},
		ServerCertificates: []Certificate{{
			Subject: "CN=orders.shop.svc,O=Shop", Issuer: "CN=Shop Server CA,O=Shop", Serial: "4B1F09AC77D2E6", NotBefore: noon.Add(-29 * day), NotAfter: noon.Add(61*day + hour),
			SHA256:  "6E1C0B2C4DA9F1E27B0C5F9B11A3D7E0C2B4A6988F7E6D5C4B3A29180706F5E4",
			KeyKind: "ECDSA", KeyBits: 256, DNSNames: []string{"orders.shop.svc", "orders.shop.svc.cluster.local"}, Source: "/etc/mtls/tls/tls.crt"}},
		ClientCAs: []Certificate{{
			Subject: "CN=Shop Client CA,O=Shop", Issuer: "CN=Shop Client CA,O=Shop", Serial: "01", NotBefore: noon.Add(-400 * day), NotAfter: noon.Add(3250 * day),
			SHA256: "0A0B2C4DA9F1E27B0C5F9B11A3D7E0C2B4A6988F7E6D5C4B3A29180706F5E4FF", KeyKind: "RSA", KeyBits: 4096, Source: "/etc/mtls/ca/ca.crt"}},
		OCSP: OCSP{Mode: "off"},
		Counters: []Counter{
			{"Connections", "mtls_connections_accepted_total", 31, "accepted"},
			{"Connections", `mtls_connections{state="active"}`, 2, "serving a request now"},
			{"Requests", "mtls_http_requests_total", 1284, "answered"},
			{"Requests", "mtls_refusals_total", 0, "refused by the sidecar"},
		},
		Settings: []Setting{
			{"MTLS_LISTEN_ADDR", ":8443", FromDefault, ":8443", "where TLS is accepted"},
			{"MTLS_CRL", "", FromDefault, "", "where revocation lists are"},
		},
	}
}

// busy is one that has seen things.
func busy() *Status {
	s := calm()
	s.Started = noon.Add(-9*day - 5*hour)
	s.Exposed.Addresses = []string{"10.42.3.17:8080", "[fd00:10:42::11]:8080"}
	s.ServerCertificates = append(s.ServerCertificates, Certificate{
		Subject: "", Issuer: "CN=Shop Server CA,O=Shop", Serial: "4B1F09AC77D2E7", NotBefore: noon.Add(-22 * hour), NotAfter: noon.Add(3 * hour),
		SHA256:  "991C0B2C4DA9F1E27B0C5F9B11A3D7E0C2B4A6988F7E6D5C4B3A29180706F5E4",
		KeyKind: "RSA", KeyBits: 2048, DNSNames: []string{"legacy.shop.example"}, Source: "/etc/mtls/tls-rsa/tls.crt"})
	s.ClientCAs = append(s.ClientCAs, Certificate{
		Subject: `CN=Partner Issuing CA G2,OU=Trust Services\, Certificates and Keys,O=A Rather Long-Winded Partner Organisation AG,L=Sankt Gallen,C=CH`,
		Issuer:  "CN=Partner Root,O=A Rather Long-Winded Partner Organisation AG,C=CH", Serial: "7F00000000000000000000000000000000000001",
		NotBefore: noon.Add(-3000 * day), NotAfter: noon.Add(-36 * hour), KeyKind: "RSA", KeyBits: 3072, Source: "/etc/mtls/ca/partners.pem"})
	s.RevocationLists = []RevocationList{
		{Issuer: "CN=Shop Client CA,O=Shop", Number: "4711", Entries: 18240, ThisUpdate: noon.Add(-5 * hour), NextUpdate: noon.Add(19 * hour), Source: "http://crl.shop.example/clients.crl", State: ListCurrent},
		{Issuer: "CN=Partner Issuing CA G2,O=Partner", Number: "12", Entries: 3, ThisUpdate: noon.Add(-8 * day), NextUpdate: noon.Add(-25 * hour), Source: "/etc/mtls/crl/partner.crl", State: ListEnded},
	}
	s.OCSP = OCSP{Mode: "leaf", Held: 312, Answers: []OCSPAnswer{
		{"CN=billing,O=Shop", "5A01", "good", noon.Add(-2 * hour), noon.Add(22 * hour), "http://ocsp.shop.example"},
		{"CN=old-phone,O=Shop", "5A02", "revoked", noon.Add(-2 * hour), noon.Add(22 * hour), "http://ocsp.shop.example"},
	}}
	s.Troubles = []Trouble{{"http://crl.partner.example/g2.crl", "dial tcp 203.0.113.9:80: connect: connection refused", noon.Add(-50 * time.Minute)}}
	for i := range 24 {
		r := Refusal{Time: noon.Add(-time.Duration(i*i) * 47 * time.Second), Client: fmt.Sprintf("10.42.7.%d", 20+i), RequestID: "6f0c2e9e4b7d4b0c9a7f1d2e3c4b5a69"}
		switch i % 3 {
		case 0:
			r.Reason, r.Text = "expired", "The certificate has expired"
			r.Advice = "The certificate has expired. Obtain a new one."
			r.Subject, r.Issuer, r.Serial, r.NotAfter = "CN=batch-7,OU=Nightly,O=Shop", "CN=Shop Client CA,O=Shop", "3E9A", noon.Add(-3*day)
		case 1:
			r.Reason, r.Text, r.Advice = "no_certificate", "No required SSL certificate was sent", "Configure a client certificate and its key in the client."
		case 2:
			r.Reason, r.Text, r.Advice = "upstream_down", "The application behind this server cannot be reached", "See that it runs and listens where MTLS_UPSTREAM_URL says."
			r.Subject, r.Issuer, r.Serial, r.NotAfter = "CN=billing,O=Shop", "CN=Shop Client CA,O=Shop", "5A01", noon.Add(200*day)
		}
		s.Refusals = append(s.Refusals, r)
	}
	s.Counters = append(s.Counters,
		Counter{"Refusals", `mtls_refusals_total{reason="expired"}`, 8, "expired"}, Counter{"Refusals", `mtls_refusals_total{reason="no_certificate"}`, 1204881, "no certificate"},
		Counter{"Application", "mtls_upstream_errors_total", 8, "failures"}, Counter{"Application", "mtls_upstream_retries_total", 3, "retries on a fresh connection"})
	s.Settings = append(s.Settings,
		Setting{"MTLS_VERIFY_CLIENT", "on", FromEnvironment, "optional", "nginx's ssl_verify_client"},
		Setting{"MTLS_ROUTES", "/admin/=require /healthz=off /=optional", FromEnvironment, "", "which paths need a believed certificate"},
		Setting{"MTLS_CLIENT_CA_FILE", "/etc/mtls/ca/ca.crt,/etc/mtls/ca/partners.pem", FromEnvironment, "/etc/mtls/ca/ca.crt", "PEM files, or folders of them, with the authorities whose client certificates are believed"})
	return s
}

// nasty are values as strangers may have them put there. The word pwned is in
// each that would do something.
var nasty = []string{
	`<script>document.title='pwned'</script>`,
	`"><img src=x onerror="document.title='pwned'">`,
	`' onmouseover='document.title="pwned"' autofocus onfocus='document.title="pwned"`,
	`</style></title></h3><svg onload="document.title='pwned'"><a href="http://evil.example/pwned">`,
	`<link rel=stylesheet href=http://evil.example/pwned.css><iframe src=http://evil.example/pwned></iframe>`,
	`{{.}} {{printf "pwned"}} ${pwned} <!--#exec cmd="pwned"--> ]]>`,
	"\u202egnp.exe\u2066\u200b\u0000\x1b[31mred\r\nSet-Cookie: pwned=1",
	"half \xff\xc3 \xed\xa0\x80 of a character",
	`javascript:document.title='pwned'`,
	strings.Repeat("W", 200<<10),
	`&lt;script&gt;pwned&lt;/script&gt; &#60;script&#62;`,
	"",
}

// hostile has a nasty value in every text, and several elements in every list.
func hostile() *Status {
	s := &Status{}
	next := 0
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			v.SetString(nasty[next%len(nasty)])
			next++
		case reflect.Int, reflect.Int64:
			v.SetInt(-9223372036854775808)
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), len(nasty), len(nasty)))
			for i := range v.Len() {
				fill(v.Index(i))
			}
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[time.Time]() {
				v.Set(reflect.ValueOf(noon.Add(time.Duration(next%40-20) * day)))
				return
			}
			for i := range v.NumField() {
				fill(v.Field(i))
			}
		}
	}
	fill(reflect.ValueOf(s).Elem())
	s.Now, s.State = noon, Serving // so that every part of the page is there
	s.OCSP.Mode = "on"
	return s
}
