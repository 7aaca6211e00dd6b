package headers

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// What sha1sum and sha256sum print of three letters (FIPS 180-2, appendices A.1 and B.1).
func TestFingerprintsAreLowerCaseHexOfTheirInput(t *testing.T) {
	leaf := &x509.Certificate{Raw: []byte("abc"), RawSubjectPublicKeyInfo: []byte("")}
	for variable, want := range map[string]string{
		"ssl_client_fingerprint":        "a9993e364706816aba3e25717850c26c9cd0d89d",
		"ssl_client_fingerprint_sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"ssl_client_spki_sha256":        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	} {
		if got := valueOf(t, variable, client(leaf)); got != want {
			t.Errorf("%s: got %q, want %q", variable, got, want)
		}
	}
}

// TestFormsOfACertificateAgreeWithOpenSSL asks openssl x509 for everything that it has a name for, of certificates with
// odd serial numbers, times and names.
func TestFormsOfACertificateAgreeWithOpenSSL(t *testing.T) {
	requireTool(t, "openssl")
	cases := []crafted{
		{subject: manyKinds()},
		{serial: "\x00", subject: name(attr(oidCN, 12, "#"))},
		{serial: "\x00\x80", subject: name(attr(oidCN, 12, " "), attr(oidO, 12, "a/b+c"))},
		{serial: "\x0a\xbc", subject: name(), issuer: manyKinds()},
		{serial: "\x7f" + strings.Repeat("\x01", 19), notBefore: utcTime("500101000000Z"), notAfter: utcTime("491231235959Z")},
		{serial: "\x00\xff" + strings.Repeat("\x00", 19), notBefore: utcTime("700101000001Z"), notAfter: generalizedTime("99991231235959Z")},
		{serial: strings.Repeat("\x11", 71), notBefore: utcTime("691231235959Z"), notAfter: generalizedTime("20500609010203Z")},
		{notBefore: utcTime("260203005552+0130"), notAfter: utcTime("260203005552-2359")},
		{notBefore: generalizedTime("20260203005552+0130"), notAfter: generalizedTime("20270203005552-0001")},
		{notBefore: utcTime("500101000000+1259"), notAfter: utcTime("260203005552-1300")},
		{notBefore: generalizedTime("00010101000000+0100"), notAfter: generalizedTime("99991231235959-0100")},
		{notBefore: generalizedTime("00010101000000Z"), notAfter: generalizedTime("09990101000000Z")},
		{subject: name(attr(oidCN, tagBMPString, "\x00h\x00\xe9"), attr(oidUnknown, tagTeletexString, "\xe9"))},
	}
	for _, c := range cases {
		leaf := c.parse(t)
		printed := askOpenSSL(t, leaf)
		for variable, want := range printed {
			if got := valueOf(t, variable, client(leaf)); got != want {
				t.Errorf("%x: %s: got %q, want %q", leaf.Raw, variable, got, want)
			}
		}
	}
}

// askOpenSSL returns what openssl x509 prints, by variable.
func askOpenSSL(t *testing.T, leaf *x509.Certificate) map[string]string {
	t.Helper()
	run := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "openssl", append([]string{"x509", "-inform", "DER"}, args...)...)
		cmd.Env = append(os.Environ(), "OPENSSL_CONF="+os.DevNull)
		cmd.Stdin = bytes.NewReader(leaf.Raw)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("openssl x509 %q: %v", args, err)
		}
		return string(out)
	}
	legacy := run("-noout", "-subject", "-issuer", "-serial", "-startdate", "-enddate", "-fingerprint", "-sha1", "-nameopt", "compat")
	legacy = strings.ReplaceAll(legacy, "\\\n", "") // the broken line of a long serial number
	strict := run("-noout", "-subject", "-issuer", "-fingerprint", "-sha256", "-nameopt", "RFC2253")
	whole, key := run(), run("-noout", "-pubkey")
	block, _ := pem.Decode([]byte(key))
	if block == nil {
		t.Fatalf("openssl printed the key %q", key)
	}
	sum := sha256.Sum256(block.Bytes)
	fingerprint := func(text, label string) string {
		return strings.ToLower(strings.ReplaceAll(labelled(t, text, label), ":", ""))
	}
	return map[string]string{
		"ssl_client_s_dn":               labelled(t, strict, "subject"),
		"ssl_client_i_dn":               labelled(t, strict, "issuer"),
		"ssl_client_s_dn_legacy":        labelled(t, legacy, "subject"),
		"ssl_client_i_dn_legacy":        labelled(t, legacy, "issuer"),
		"ssl_client_serial":             labelled(t, legacy, "serial"),
		"ssl_client_v_start":            labelled(t, legacy, "notBefore"),
		"ssl_client_v_end":              labelled(t, legacy, "notAfter"),
		"ssl_client_fingerprint":        fingerprint(legacy, "sha1 Fingerprint"),
		"ssl_client_fingerprint_sha256": fingerprint(strict, "sha256 Fingerprint"),
		"ssl_client_spki_sha256":        hex.EncodeToString(sum[:]),
		"ssl_client_escaped_cert":       strings.ReplaceAll(url.QueryEscape(whole), "+", "%20"),
	}
}

func labelled(t *testing.T, text, label string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + label + `=(.*)$`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("openssl printed no %s: %q", label, text)
	}
	return found[1]
}
