package headers

import (
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func template(t testing.TB, text string) *Template {
	t.Helper()
	parsed, err := ParseTemplate(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return parsed
}

// lines renders without its ends of line, as a list.
func lines(t testing.TB, tpl *Template, f Facts) []string {
	t.Helper()
	rendered, _, err := tpl.Render(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(rendered) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(rendered), "\r\n"), "\r\n")
}

func TestTemplatesAreReadAsTheyAreWritten(t *testing.T) {
	facts := Facts{Verify: VerifySuccess, Chain: named(name(attr(oidCN, 12, "client")))}
	for text, want := range map[string][]string{
		"nginx":                {"VERIFIED: SUCCESS", "DN: CN=client"},
		" ,nginx,\n":           {"VERIFIED: SUCCESS", "DN: CN=client"},
		"A=$ssl_client_verify": {"A: SUCCESS"},
		"A=$ssl_client_verify,B=$ssl_client_s_dn":      {"A: SUCCESS", "B: CN=client"},
		"B=$ssl_client_s_dn\n\tA=$ssl_client_verify":   {"B: CN=client", "A: SUCCESS"},
		"A=${ssl_client_verify}ful":                    {"A: SUCCESSful"},
		"A=$ssl_client_verify/$ssl_client_s_dn":        {"A: SUCCESS/CN=client"},
		`A="$ssl_client_verify, $ssl_client_s_dn"`:     {"A: SUCCESS, CN=client"},
		`A="say \"$ssl_client_verify\" \\ "x`:          {`A: say "SUCCESS" \ x`},
		"A=1$$2":                                       {"A: 1$2"},
		"A=text":                                       {"A: text"},
		"$WSCC=$ssl_client_verify":                     {"$WSCC: SUCCESS"},
		`A="100%[net] %{x}"`:                           {"A: 100%[net] %{x}"},
		"A=b=c":                                        {"A: b=c"},
		"A=c:\\dir":                                    {"A: c:\\dir"},
		"A=$ssl_client_verify nginx":                   {"A: SUCCESS", "VERIFIED: SUCCESS", "DN: CN=client"},
		`ssl_client_x="${ssl_client_s_dn}$$" X-Y="''"`: {"ssl_client_x: CN=client$", "X-Y: ''"},
	} {
		if got := lines(t, template(t, text), facts); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestEveryFaultOfATemplateIsShownWithItsPlace(t *testing.T) {
	_, err := ParseTemplate(`ngnix, X-A=$ssl_client_vrify Host=$ssl_client_verify X-B="un $ssl_client_verify`)
	want := strings.Join([]string{
		`MTLS_HEADERS="ngnix" is no preset; the nearest one is nginx, and a header of your own is Name=$variable`,
		`      ngnix, X-A=$ssl_client_vrify Host=$ssl_c...`,
		`      ^`,
		`MTLS_HEADERS="$ssl_client_vrify" is no variable here; the nearest one is $ssl_client_verify`,
		`      ngnix, X-A=$ssl_client_vrify Host=$ssl_client_verif...`,
		`                 ^`,
		`MTLS_HEADERS="Host=$ssl_client_verify" would send a header that frames the message; choose another name`,
		`      ngnix, X-A=$ssl_client_vrify Host=$ssl_client_verify X-B="un $ssl_cli...`,
		`                                   ^`,
		`MTLS_HEADERS="X-B=\"un" has a quote that is not closed; add " at the value's end`,
		`      ...lient_vrify Host=$ssl_client_verify X-B="un $ssl_client_verify`,
		`                                                 ^`,
	}, "\n")
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func TestFaultsOfTemplatesSayWhatToDo(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "leave it unset",
		" , ":                               "leave it unset",
		"NGINX":                             "the nearest one is nginx",
		"$ssl_client_verify":                "write Name=$ssl_client_verify",
		"=$ssl_client_verify":               "does not begin with a header's name",
		"X Y=$ssl_client_verify":            "is no preset",
		"X:=$ssl_client_verify":             "does not begin with a header's name",
		"X=":                                "has no value",
		`X=""`:                              "has no value",
		"X=$":                               "write $$",
		"X=$-a":                             "write $$",
		"X=${}":                             "write $$",
		"X=${ssl_client_verify":             "without its }",
		"X=$SSL_CLIENT_VERIFY":              "the nearest one is $ssl_client_",
		`X="`:                               "not closed",
		`X="a\`:                             `write \\ for one`,
		`X="a\n"`:                           `write \\ for one`,
		"X=\x01":                            "not visible ASCII",
		"X=é":                               "not visible ASCII",
		"nginx nginx":                       "is there twice",
		"nginx verified=$ssl_client_verify": "which nginx sends already",
		"d_n=$ssl_client_s_dn D.N=$ssl_client_s_dn": "which d_n= sends already",
		"content_length=$ssl_client_verify":         "frames the message",
		"X-Forwarded-For=$ssl_client_verify":        "writes itself",
		"X-Original-URL=$ssl_client_verify":         "see another request",
		"Cookie=$ssl_client_verify":                 "what the client sends for itself",
		"Authorization=$ssl_client_verify":          "what the client sends for itself",
		"Content-Type=$ssl_client_verify":           "about the request itself",
		"X=$ssl_client_cert":                        "$ssl_client_escaped_cert",
		"X=$ssl_client_raw_cert":                    "$ssl_client_escaped_cert",
		"X=$ssl_client_sigalg":                      "$ssl_client_sigalg\"",
		"X=$ssl_session_id":                         "$ssl_session_id\"",
		"X=$haproxy_version":                        "is no variable here",
	} {
		_, err := ParseTemplate(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want something with %q", text, err, want)
			continue
		}
		first, rest, _ := strings.Cut(err.Error(), "\n")
		if !strings.HasPrefix(first, `MTLS_HEADERS="`) || !strings.Contains(first, "; ") && !strings.Contains(first, "leave it unset") {
			t.Errorf("%q: %q does not name the variable and the remedy", text, first)
		}
		_, under, found := strings.Cut(rest, "\n")
		if under, _, _ = strings.Cut(under, "\n"); !found || strings.Trim(under, " ^") != "" || !strings.HasSuffix(under, "^") {
			t.Errorf("%q: no caret below the place: %q", text, rest)
		}
	}
}

func TestATemplateIsDescribedAsItIsUnderstood(t *testing.T) {
	got := template(t, `nginx X-A="$ssl_client_cn, ${ssl_protocol}b" B=1$$2`).Describe()
	if want := []string{"nginx", `X-A="${ssl_client_cn}, ${ssl_protocol}b"`, `B="1$$2"`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	told := lines(t, template(t, `X-A="$ssl_protocol, $ssl_client_verify"`), Facts{Verify: VerifyNone, Shown: true})
	if want := []string{"X-A: $ssl_protocol, NONE"}; !slices.Equal(told, want) {
		t.Errorf("shown: got %q, want %q", told, want)
	}
}

// TestPresetsTellNothingOfAnUnverifiedCertificate: most dialects have no field for the verdict.
func TestPresetsTellNothingOfAnUnverifiedCertificate(t *testing.T) {
	leaf := selfSigned(t)
	for _, p := range presets {
		tpl := template(t, p.name)
		nothing := lines(t, tpl, Facts{Verify: VerifyNone, Now: time.Now()})
		for _, verify := range []string{VerifyNone, "FAILED:certificate has expired"} {
			told := lines(t, tpl, Facts{Verify: verify, Reason: "expired", Code: 10, Chain: leaf, Now: time.Now()})
			for _, line := range told {
				for _, secret := range []string{"told-by-mistake", leaf[0].SerialNumber.String(), "MII"} {
					if strings.Contains(line, secret) {
						t.Errorf("%s, %s: %q", p.name, verify, line)
					}
				}
			}
			if verify == VerifyNone && !slices.Equal(told, nothing) {
				t.Errorf("%s: NONE with a certificate says %q, without %q", p.name, told, nothing)
			}
		}
	}
}

func TestAnOperatorsOwnEntriesAreFilledOnFailure(t *testing.T) {
	facts := Facts{Verify: "FAILED:certificate has expired", Reason: "expired", Chain: named(name(attr(oidCN, 12, "late")))}
	got := lines(t, template(t, `nginx X-DN=$ssl_client_s_dn X-Why="$ssl_client_verify_reason!"`), facts)
	want := []string{"VERIFIED: FAILED:certificate has expired", "X-DN: CN=late", "X-Why: expired!"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	facts.Verify = VerifyNone // what MTLS_INVALID_CERT=none makes of it
	got = lines(t, template(t, `nginx X-DN=$ssl_client_s_dn X-Why="$ssl_client_verify_reason!"`), facts)
	if want = []string{"VERIFIED: NONE", "X-Why: !"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestWhatIsSentIsNeverAccepted: strip ∘ add = add, for every preset in every setting.
func TestWhatIsSentIsNeverAccepted(t *testing.T) {
	all := stripper(t, StripOptions{})
	for _, p := range presets {
		for _, n := range template(t, p.name).Names() {
			if !all.Drop([]byte(n)) || !all.DropTrailer([]byte(n)) {
				t.Errorf("%s: a client may send %s", p.name, n)
			}
		}
	}
	own := template(t, "X-Own=$ssl_client_verify Q=$ssl_client_s_dn")
	s := stripper(t, StripOptions{Emit: own.Names()})
	for _, n := range []string{"X-Own", "x_own", "X.OWN", "q", "Q"} {
		if !s.Drop([]byte(n)) || !s.DropTrailer([]byte(n)) || !own.Writes([]byte(n)) {
			t.Errorf("a client may send %s", n)
		}
	}
	if s.Drop([]byte("X-Owner")) || own.Writes([]byte("X-Owner")) {
		t.Error("X-Owner is nobody's")
	}
}

func TestNothingIsRenderedOfWhatWouldLeaveItsLine(t *testing.T) {
	for _, bad := range []string{"a\r\nb", "a\nb", "\x00", "\x7f", "\t", "\xff", "\xc3"} {
		tpl := &Template{entries: []entryLine{{name: "A", parts: []part{{variable: &variable{
			name: "x", value: func(dst []byte, _ *Facts) ([]byte, error) { return append(dst, bad...), nil }}}}}}}
		if got, _, err := tpl.Render(Facts{Verify: VerifyNone}); err == nil || got != nil {
			t.Errorf("%q was rendered as %q", bad, got)
		}
	}
}

func TestAValueThatChangesByItselfEndsTheRendering(t *testing.T) {
	end := time.Date(2030, 1, 10, 0, 0, 0, 0, time.UTC)
	leaf := []*x509.Certificate{{RawSubject: name(), NotAfter: end}}
	tpl := template(t, "nginx R=$ssl_client_v_remain")
	for now, want := range map[time.Time]struct {
		days  string
		until time.Time
	}{
		end.Add(-50 * time.Hour):                      {"2", end.Add(-48*time.Hour + time.Second)},
		end.Add(-48 * time.Hour):                      {"2", end.Add(-48*time.Hour + time.Second)},
		end.Add(-48*time.Hour + time.Second):          {"1", end.Add(-24*time.Hour + time.Second)},
		end.Add(-24 * time.Hour):                      {"1", end.Add(-24*time.Hour + time.Second)},
		end.Add(-24*time.Hour + time.Second):          {"0", time.Time{}},
		end.Add(-48*time.Hour + 999*time.Millisecond): {"2", end.Add(-48*time.Hour + time.Second)},
	} {
		rendered, until, err := tpl.Render(Facts{Verify: VerifySuccess, Chain: leaf, Now: now})
		if err != nil || !strings.Contains(string(rendered), "R: "+want.days+"\r\n") || !until.Equal(want.until) {
			t.Errorf("%s before the end: got %q until %s, %v; want %s until %s", end.Sub(now), rendered, until, err, want.days, want.until)
		}
	}
	if _, until, _ := template(t, "nginx").Render(Facts{Verify: VerifySuccess, Chain: leaf, Now: end.Add(-50 * time.Hour)}); !until.IsZero() {
		t.Errorf("nothing changes by itself in preset nginx, not at %s either", until)
	}
}

// selfSigned is a certificate all of whose names are told-by-mistake.
func selfSigned(t testing.TB) []*x509.Certificate {
	t.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	c := &x509.Certificate{
		SerialNumber:   big.NewInt(7418529630741852963),
		Subject:        pkix.Name{CommonName: "told-by-mistake"},
		NotBefore:      time.Unix(0, 0),
		NotAfter:       time.Unix(4e9, 0),
		DNSNames:       []string{"told-by-mistake.example"},
		EmailAddresses: []string{"told-by-mistake@example.org"},
		URIs:           []*url.URL{{Scheme: "spiffe", Host: "told-by-mistake"}},
	}
	der, err := x509.CreateCertificate(nil, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return []*x509.Certificate{parsed}
}

// TestFaultsAreToldBriefly: what was piped into the variable by mistake may be large.
func TestFaultsAreToldBriefly(t *testing.T) {
	for _, text := range []string{
		`X="` + strings.Repeat(`\q`, 30000), strings.Repeat("nothing ", 10000), "X=" + strings.Repeat("é", 30000), strings.Repeat("x", 120000),
	} {
		if _, err := ParseTemplate(text); err == nil || len(err.Error()) > 20<<10 {
			t.Errorf("%.20q…: the faults take %d bytes", text, len(err.Error()))
		}
	}
	_, err := ParseTemplate(`X-A="foo bar\q baz" nginx`)
	if want := `MTLS_HEADERS="X-A=\"foo bar\\q" `; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
