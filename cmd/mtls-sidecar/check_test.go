package main_test

import (
	"bytes"
	"crypto/x509/pkix"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// checkable are settings that can be used, of which the clients' CA is the bureau's.
func (b bureau) checkable(more settings) settings {
	s, _ := mintedFiles(b.t)
	return s.with(settings{"MTLS_CLIENT_CA_FILE": filepath.Join(b.dir, "ca.crt")}).with(more)
}

func TestCheckShowsListsAndTheirAge(t *testing.T) {
	b := newBureau(t)
	_, leaf := b.client("client.crt", pki.Options{})
	list, err := b.ca.CRL(41, leaf)
	if err != nil {
		t.Fatal(err)
	}
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(list) }))
	t.Cleanup(served.Close)
	b.list("ca.crl", 40)
	const issuer = "CRL       of CN=Bureau CA, number "
	for _, c := range []struct{ name, source, want string }{
		{"a file", filepath.Join(b.dir, "ca.crl"), issuer + "40 with no entries, of "},
		{"a URL", served.URL + "/ca.crl", issuer + "41 with 1 entry, of "},
		{"both, of which the newer counts", filepath.Join(b.dir, "ca.crl") + "," + served.URL, issuer + "41 with 1 entry, of "},
	} {
		got := runCommand(t, b.checkable(settings{"MTLS_CRL": c.source}), "check")
		if got.code != 0 || got.stderr != "" || !strings.Contains(got.stdout, c.want) || strings.Contains(got.stdout, "warning") {
			t.Errorf("%s: got %d, standard error %q, standard output\n%s", c.name, got.code, got.stderr, got.stdout)
		}
		if told := strings.Contains(got.stdout, ", from "+served.URL); told != strings.Contains(c.source, served.URL) {
			t.Errorf("%s: where the list is from:\n%s", c.name, got.stdout)
		}
		for _, want := range []string{"seconds old, the next due in 23 hours)", "          policy strict, grace 0s, URLs asked every 5m0s\n"} {
			if !strings.Contains(got.stdout, want) {
				t.Errorf("%s: no %q in\n%s", c.name, want, got.stdout)
			}
		}
	}
}

// TestCheckFailsWhereServeWouldWaitOrRefuse, and says for what.
func TestCheckFailsWhereServeWouldWaitOrRefuse(t *testing.T) {
	b := newBureau(t)
	impostor, err := pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: "Bureau CA"}})
	if err != nil {
		t.Fatal(err)
	}
	impostor.Cert.SubjectKeyId = b.ca.Cert.SubjectKeyId
	forged, err := impostor.CRL(9)
	if err != nil {
		t.Fatal(err)
	}
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/forged.crl":
			_, _ = w.Write(forged)
		case "/page":
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>"))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(served.Close)
	secret := strings.Replace(served.URL, "//", "//user:hunter2@", 1)
	for _, c := range []struct {
		name, source string
		want         []string
	}{
		{"no such page", served.URL + "/missing.crl", []string{"MTLS_CRL: " + served.URL + "/missing.crl: ", "404", "; check the address"}},
		{"a web page", served.URL + "/page", []string{"web page"}},
		{"nobody there", "http://127.0.0.1:1/ca.crl", []string{"MTLS_CRL: http://127.0.0.1:1/ca.crl: cannot be fetched"}},
		{"with a password", secret + "/missing.crl", []string{"MTLS_CRL: " + served.URL + "/missing.crl: "}},
		{"a forged list", served.URL + "/forged.crl", []string{"MTLS_CRL: ", `"CN=Bureau CA"`, "is not signed by the CA of that name"}},
		{"a forged list in a file", b.write("forged.crl", forged), []string{"MTLS_CRL: ", "is not signed by the CA of that name"}},
		{"two of them", served.URL + "/missing.crl," + served.URL + "/page", []string{"/missing.crl: ", "/page: "}},
	} {
		got := runCommand(t, b.checkable(settings{"MTLS_CRL": c.source}), "check")
		if got.code != 2 || got.stdout != "" || strings.Contains(got.stderr, "hunter2") {
			t.Errorf("%s: got %d %q %q", c.name, got.code, got.stdout, got.stderr)
		}
		for _, want := range c.want {
			if !strings.Contains(got.stderr, want) {
				t.Errorf("%s: standard error does not say %q:\n%s", c.name, want, got.stderr)
			}
		}
	}
}

// TestCheckNamesCAsWithoutAList: unless the policy is available, nobody whom they have certified gets in.
func TestCheckNamesCAsWithoutAList(t *testing.T) {
	b := newBureau(t)
	other, err := pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: "Forgotten\x1b[2J CA"}})
	if err != nil {
		t.Fatal(err)
	}
	b.write("ca.crt", pki.CertPEM(b.ca.Cert, other.Cert))
	s := b.checkable(settings{"MTLS_CRL": b.list("ca.crl", 1)})
	for policy, warned := range map[string]bool{"strict": true, "leaf": true, "available": false} {
		got := runCommand(t, s.with(settings{"MTLS_CRL_POLICY": policy}), "check")
		if got.code != 0 || strings.Contains(got.stdout, "warning") != warned || strings.Contains(got.stdout, "list of the CA CN=Bureau CA") {
			t.Errorf("%s: got %d\n%s", policy, got.code, got.stdout)
		}
		if folded := strings.Join(strings.Fields(got.stdout), " "); warned && (!strings.Contains(folded, `no list of the CA CN=Forgotten\1B[2J CA, so no`) || !strings.Contains(folded, "is let in (MTLS_CRL_POLICY="+policy+")")) {
			t.Errorf("%s: got\n%s", policy, got.stdout)
		}
	}
}

func TestCheckCountsTicketKeysAndTellsNothingOfThem(t *testing.T) {
	b := newBureau(t)
	var files []string
	for n := range 2 {
		files = append(files, b.write("key"+string(rune('a'+n)), bytes.Repeat([]byte{'K', 'E', 'Y', byte('a' + n)}, 12)))
	}
	for want, list := range map[string]string{
		"tickets   random keys of its own, so sessions end with the process\n": "",
		"tickets   1 key file, which seals and opens\n":                        files[0],
		"tickets   2 key files; the first seals, all open\n":                   strings.Join(files, ","),
	} {
		got := runCommand(t, b.checkable(settings{"MTLS_TICKET_KEY_FILES": list}), "check")
		if got.code != 0 || !strings.Contains(got.stdout, want) || strings.Contains(got.stdout+got.stderr, "KEY") {
			t.Errorf("want %q, got %d\n%s%s", want, got.code, got.stdout, got.stderr)
		}
	}
	if err := os.WriteFile(files[1], []byte("KEYKEY"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := runCommand(t, b.checkable(settings{"MTLS_TICKET_KEY_FILES": strings.Join(files, ",")}), "check")
	if got.code != 2 || !strings.Contains(got.stderr, "MTLS_TICKET_KEY_FILES: "+files[1]) || strings.Contains(got.stderr, "KEYKEY") {
		t.Errorf("a file of the wrong size: got %d\n%s", got.code, got.stderr)
	}
}

func TestCheckShowsHowCAsAreAsked(t *testing.T) {
	b := newBureau(t)
	for _, c := range []struct {
		s    settings
		want []string
	}{
		{settings{}, []string{"revoked?  nobody is asked: neither MTLS_CRL nor MTLS_OCSP is set\n"}},
		{settings{"MTLS_VERIFY_CLIENT": "off"}, nil},
		{settings{"MTLS_OCSP": "leaf"}, []string{"OCSP      leaf, responder: the one that each certificate names\n", "without an answer within 3s: reject; an answer counts for 10m0s at most\n"}},
		{settings{"MTLS_OCSP": "on", "MTLS_OCSP_RESPONDER": "http://ocsp.example/", "MTLS_OCSP_FAIL": "allow", "MTLS_OCSP_TIMEOUT": "1s", "MTLS_OCSP_MAX_AGE": "1h"},
			[]string{"OCSP      on, responder: http://ocsp.example/\n", "without an answer within 1s: allow; an answer counts for 1h0m0s at most\n"}},
	} {
		got := runCommand(t, b.checkable(c.s), "check")
		if got.code != 0 || c.want == nil && strings.Contains(got.stdout, "OCSP") || len(c.want) == 2 && strings.Contains(got.stdout, "nobody is asked") {
			t.Errorf("%v: got %d\n%s%s", c.s, got.code, got.stdout, got.stderr)
		}
		for _, want := range c.want {
			if !strings.Contains(got.stdout, want) {
				t.Errorf("%v: no %q in\n%s", c.s, want, got.stdout)
			}
		}
	}
}

func TestCheckTellsOfWhomAPROXYHeaderIsDemanded(t *testing.T) {
	b := newBureau(t)
	got := runCommand(t, b.checkable(settings{"MTLS_PROXY_PROTOCOL_FROM": "10.1.2.0/24"}), "check")
	if want := "demanded of 10.1.2.0/24 on every connection, probes included"; got.code != 0 || !strings.Contains(got.stdout, want) {
		t.Errorf("got exit %d and no %q in\n%s%s", got.code, want, got.stdout, got.stderr)
	}
}
