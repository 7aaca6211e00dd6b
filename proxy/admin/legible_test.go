package admin

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestTextsAreMadeLegible(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"CN=Jürgen Groß,O=日本":                  "CN=Jürgen Groß,O=日本",
		" a\nb \n":                             "a; b",
		"tab\there":                            `tab\there`,
		"\x7f\x80":                             `\x7f\x80`,
		"x\u2028\u00a0\u00ad":                  `x\u2028\u00a0\u00ad`,
		"\U000e0041":                           `\U000e0041`,
		strings.Repeat("x", 1024):              strings.Repeat("x", 1024),
		strings.Repeat("x", 1025):              strings.Repeat("x", 1024) + "…",
		strings.Repeat("x", 1023) + "é":        strings.Repeat("x", 1023) + "…",
		strings.Repeat("x", 1022) + "é" + "yy": strings.Repeat("x", 1022) + "é…",
		strings.Repeat("x", 1021) + "日" + "yy": strings.Repeat("x", 1021) + "日…",
		strings.Repeat("x", 1022) + "日" + "yy": strings.Repeat("x", 1022) + "…",
	} {
		if got := line(text); got != want {
			t.Errorf("%.40q: got %q, want %q", text, got, want)
		}
	}
}

func TestListsAreCut(t *testing.T) {
	t.Parallel()
	status := &Status{Refusals: make([]Refusal, 51), Settings: make([]Setting, 1001), OCSP: OCSP{Answers: make([]OCSPAnswer, 101)},
		ServerCertificates: []Certificate{{DNSNames: make([]string, 51)}}, Started: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}
	shown := legible(status)
	got := []int{len(shown.Refusals), len(shown.Settings), len(shown.OCSP.Answers), len(shown.ServerCertificates[0].DNSNames)}
	if want := []int{50, 1000, 100, 50}; !reflect.DeepEqual(got, want) {
		t.Errorf("got lists of %v, want %v", got, want)
	}
	if _, err := json.Marshal(shown); err != nil {
		t.Errorf("a year that RFC 3339 has no form for: %v", err)
	}
	if legible(nil) == nil {
		t.Error("no status is no page")
	}
}
