package headers

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestVariablesAreSortedAndNamedAsTheyCanBeWritten(t *testing.T) {
	names := variableNames()
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("not sorted, or one is there twice: %q", names)
	}
	wellFormed := regexp.MustCompile(`^ssl_[a-z0-9_]+$`)
	for _, name := range names {
		if !wellFormed.MatchString(name) {
			t.Errorf("%q cannot be written", name)
		}
	}
}

// What says something of the certificate, and only that, is kept from applications that no SUCCESS has reached.
func TestVariablesFromTheCertificateAreMarked(t *testing.T) {
	for _, v := range variables {
		want := strings.HasPrefix(v.name, "ssl_client_") && v.name != "ssl_client_verify" && v.name != "ssl_client_verify_reason"
		if got := v.from == fromCertificate; got != want {
			t.Errorf("%s: marked %v, want %v", v.name, got, want)
		}
	}
}

// The variables of ngx_http_ssl_module's documentation.
func TestEveryVariableOfNginxIsThereOrRefusedWithAReason(t *testing.T) {
	nginx := strings.Fields(`ssl_alpn_protocol ssl_cipher ssl_ciphers ssl_client_escaped_cert ssl_client_fingerprint ssl_client_i_dn
		ssl_client_i_dn_legacy ssl_client_raw_cert ssl_client_s_dn ssl_client_s_dn_legacy ssl_client_serial ssl_client_sigalg
		ssl_client_v_end ssl_client_v_remain ssl_client_v_start ssl_client_verify ssl_curve ssl_curves ssl_early_data
		ssl_ech_outer_server_name ssl_ech_status ssl_protocol ssl_server_name ssl_session_id ssl_session_reused ssl_sigalg
		ssl_sigalgs ssl_client_cert`)
	for _, name := range nginx {
		there, refused := findVariable(name, false) != nil, refusedVariable(name)
		if there == (refused != "") {
			t.Errorf("%s: there %v, refused %q", name, there, refused)
		}
		if refused != "" && !strings.Contains(refused, "; ") {
			t.Errorf("%s: %q does not say what to do", name, refused)
		}
		for _, word := range strings.FieldsFunc(refused, func(r rune) bool { return r != '$' && r != '_' && (r < 'a' || r > 'z') }) {
			if named, is := strings.CutPrefix(word, "$"); is && findVariable(named, false) == nil {
				t.Errorf("%s: %q names a variable that is not there", name, refused)
			}
		}
	}
	for _, name := range append(variableNames(), "host", "remote_addr", "ssl_client", "") {
		if why := refusedVariable(name); why != "" {
			t.Errorf("%s is refused: %s", name, why)
		}
	}
}

func TestVariablesOfTheConnectionAreEmptyWithoutOne(t *testing.T) {
	for _, v := range variables {
		if v.from != fromConnection || strings.HasPrefix(v.name, "ssl_client_") {
			continue
		}
		if got := valueOf(t, v.name, Facts{Verify: VerifyNone}); got != "" {
			t.Errorf("%s: got %q without a connection", v.name, got)
		}
		if got := valueOf(t, v.name, Facts{TLS: &tls.ConnectionState{}}); got != "" && v.name != "ssl_session_reused" {
			t.Errorf("%s: got %q of an unknown connection", v.name, got)
		}
	}
}

func TestVerdictAndReasonAreVisible(t *testing.T) {
	f := Facts{Verify: VerifyFailed + "certificate has expired", Reason: "expired"}
	if got := valueOf(t, "ssl_client_verify", f); got != "FAILED:certificate has expired" {
		t.Errorf("verdict: got %q", got)
	}
	if got := valueOf(t, "ssl_client_verify_reason", f); got != "expired" {
		t.Errorf("reason: got %q", got)
	}
	f = Facts{Verify: "a\r\nb\xc3\xa9", Reason: "c\x00d\x7f"}
	if got := valueOf(t, "ssl_client_verify", f) + valueOf(t, "ssl_client_verify_reason", f); got != "a??b??c?d?" {
		t.Errorf("got %q", got)
	}
}

func TestSubjectAndIssuerAreNotMixedUp(t *testing.T) {
	leaf := crafted{subject: name(attr(oidCN, 12, "é")), issuer: name(attr(oidCN, 12, "ü"), attr(oidO, 12, "x"))}.parse(t)
	for variable, want := range map[string]string{
		"ssl_client_s_dn":        `CN=\C3\A9`,
		"ssl_client_i_dn":        `O=x,CN=\C3\BC`,
		"ssl_client_s_dn_utf8":   "CN=é",
		"ssl_client_i_dn_utf8":   "O=x,CN=ü",
		"ssl_client_s_dn_legacy": `/CN=\xC3\xA9`,
		"ssl_client_i_dn_legacy": `/CN=\xC3\xBC/O=x`,
		"ssl_client_cn":          "%C3%A9",
	} {
		if got := valueOf(t, variable, client(leaf)); got != want {
			t.Errorf("%s: got %q, want %q", variable, got, want)
		}
	}
}

func TestBase64IsTheWholeCertificateOnOneLine(t *testing.T) {
	for extra := range 3 { // for each length of the padding
		leaf := crafted{subject: name(attr(oidCN, 12, strings.Repeat("x", 500+extra)))}.parse(t)
		got := valueOf(t, "ssl_client_cert_base64", client(leaf, crafted{}.parse(t)))
		der, err := base64.StdEncoding.Strict().DecodeString(got)
		if err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		if again, err := x509.ParseCertificate(der); err != nil || !again.Equal(leaf) || strings.ContainsAny(got, "\r\n") {
			t.Errorf("%q is not the certificate: %v", got, err)
		}
	}
}
