package main_test

import (
	"strings"
	"testing"
)

// Express Gateway's second tutorial as it is told: everybody is asked for a
// certificate and nobody needs one, but for the clients' own paths. Whoever has
// none, or an invalid one, gets 403 there, and goes on as nobody elsewhere.

func TestAGatewayWithProtectedPaths(t *testing.T) {
	t.Parallel()
	for _, telling := range tellings {
		for _, version := range []string{"1.2", "1.3"} {
			t.Run(telling.name+"_TLS"+version, func(t *testing.T) {
				t.Parallel()
				a, o := newAuthority(t), startOffice(t)
				a.more = settings{"MTLS_INVALID_CERT": "none", "MTLS_ROUTES": "/clients/=require /=optional"}
				a.copied("index.txt", "index.before")
				commands(t, a.dir, leaverLeaves+"openssl req -x509 -newkey rsa:2048 -nodes -keyout stranger.key -out stranger.crt -days 365 -subj /CN=stranger\n")
				car := telling.world(t, a, o)
				s := story{t, a, o, car, version, telling.name == "ByAResponder"}
				s.tellOfPaths()
			})
		}
	}
}

func (s story) tellOfPaths() {
	t := s.t
	nobody := []string{"-k", "--tls-max", s.version, "--tlsv" + s.version}
	s.open("nobody", nobody)
	s.closed("nobody", "certificate_required", nobody)
	s.open("a stranger", s.curlArgs("stranger"))
	reason := "crl_missing" // the last of its faults, as nginx tells them
	if s.byResponder {
		reason = "self_signed"
	}
	s.closed("a stranger", reason, s.curlArgs("stranger"))
	if got := curl(t, s.dir, append(s.curlArgs("leaver"), s.car.url("/clients/7"))...); got.status != 200 {
		t.Errorf("the leaver, while all is well: got %d %q", got.status, got.body)
	}
	s.saw("of the leaver", visit{"/clients/7", "SUCCESS", leaverDN})

	// Node calls the client of such a session authorized (nodejs/node#35317).
	s.sessionFor("/first", "-sess_out", "nobody.session").was(t, "New", 200)
	s.sessionFor("/clients/7", "-sess_in", "nobody.session").was(t, "Reused", 403)
	s.saw("of a session without a certificate", visit{"/first", "NONE", ""})

	s.session("leaver", "-sess_out", "leaver.session").was(t, "New", 200)
	s.saw("of the leaver's session", visit{"/s_client", "SUCCESS", leaverDN})
	first, second := s.twice("leaver", "/last", "/clients/next")
	if first.status != 200 || second.status != 403 || second.connects != 0 || !strings.Contains(second.body, "revoked") {
		t.Errorf("on one connection: got %+v, then %+v, want 200, then 403 and the reason", first, second)
	}
	s.saw("on the leaver's connection", visit{"/last", "SUCCESS", leaverDN})
	s.sessionFor("/clients/7", "-key", "leaver.key", "-cert", "leaver.crt", "-sess_in", "leaver.session").was(t, "", 403)
	reason = "revoked"
	if s.byResponder {
		reason = "ocsp_revoked"
	}
	s.saw("of the leaver's session since")
	s.closed("the leaver", reason, s.curlArgs("leaver"))
	s.open("the leaver", s.curlArgs("leaver"))
}

// open checks that somebody is nobody where no certificate is needed.
func (s story) open(who string, args []string) {
	s.t.Helper()
	if got := curl(s.t, s.dir, append(args, s.car.url("/open"))...); got.status != 200 {
		s.t.Errorf("%s asks for /open: got %d %q", who, got.status, got.body)
	}
	s.saw("of "+who, visit{"/open", "NONE", ""})
}

// closed checks that somebody gets 403 with the reason, however the path is spelled.
func (s story) closed(who, reason string, args []string) {
	s.t.Helper()
	for _, path := range []string{"/clients/7", "/CLIENTS", "/open/..%2fclients/7"} {
		got := curl(s.t, s.dir, append(args, "--path-as-is", "-H", "VERIFIED: SUCCESS", s.car.url(path))...)
		if got.status != 403 || !strings.Contains(got.body, "<code>"+reason+"</code>") {
			s.t.Errorf("%s asks for %s: got %d %q, want 403 and %s", who, path, got.status, got.body, reason)
		}
	}
	s.saw("of " + who + " on protected paths")
}
