package main_test

import (
	"crypto/tls"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// view is a raw request as the application saw it, in a form that two proxies
// can be compared in: the fields that a proxy sets by name, all others in
// order, and the body as decoded. How the message is framed between proxy and
// application is theirs to choose.
type view struct {
	Status int                 // of the answer to the client; 0: closed without one
	Line   string              `json:",omitempty"` // empty: the application saw nothing
	Set    map[string][]string `json:",omitempty"`
	Rest   []string            `json:",omitempty"` // "Name: value"
	Body   string              `json:",omitempty"`
}

// setByProxy are the fields that nginx and we set; the order among them and
// their place in the head are no promise.
func setByProxy() []string {
	return []string{"host", "x-real-ip", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "verified", "dn"}
}

// framing are the fields that belong to one connection.
func framing() []string {
	return []string{"connection", "keep-alive", "content-length", "transfer-encoding", "trailer"}
}

// viewed makes a view of a sight; nil is a request that was not relayed.
func viewed(status int, saw *sight, application string) view {
	v := view{Status: status}
	if saw == nil {
		return v
	}
	v.Line, v.Body, v.Set = visible(saw.line), visible(saw.body), map[string][]string{}
	for _, f := range saw.fields {
		name := strings.ToLower(f[0])
		if f[1] == application {
			f[1] = "APPLICATION" // its port differs from run to run
		}
		switch {
		case slices.Contains(setByProxy(), name):
			v.Set[name] = append(v.Set[name], visible(f[1]))
		case !slices.Contains(framing(), name):
			v.Rest = append(v.Rest, visible(f[0]+": "+f[1]))
		}
	}
	return v
}

// visible escapes what JSON would not carry faithfully: it replaces bytes that are
// not UTF-8.
func visible(s string) string {
	quoted := strconv.QuoteToASCII(s)
	if strings.Contains(quoted, `\x`) || strings.Contains(quoted, `\u`) {
		return quoted
	}
	return s
}

// views are by the name of the request.
type views map[string]view

// askRaw sends each request over a connection of its own.
func askRaw(t *testing.T, c client, addr string, application *recorder) views {
	t.Helper()
	all := views{}
	for _, r := range rawRequests() {
		status, _, _ := c.once(t, addr, r.raw)
		all[r.name] = viewed(status, application.take(), application.addr)
	}
	return all
}

// nginxViews is nginxAnswers for raw requests.
func nginxViews(t *testing.T, ask func() views) views {
	t.Helper()
	var record struct {
		Asked string
		Views views
	}
	path := nginxData("requests.json")
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &record)
	}
	if err != nil && !*update {
		t.Fatal(err)
	}
	if !askNginx(t, record.Asked) {
		return record.Views
	}
	live := ask()
	if *update {
		record.Asked, record.Views = nginxVersion(), live
		if data, err = json.MarshalIndent(record, "", "  "); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return live
	}
	for name, got := range live {
		if want := record.Views[name]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: nginx shows %+v, the record %+v (ask again with -update)", name, got, want)
		}
	}
	return live
}

// TestRawRequestsReachTheApplicationAsThroughNginx sends the same bytes to both.
func TestRawRequestsReachTheApplicationAsThroughNginx(t *testing.T) {
	m := newMint(t)
	cert := m.leaf(m.good, pki.Options{})
	dir := m.files()
	c := client{cert: &cert, version: tls.VersionTLS13}
	optional := verifySettings()[1]
	want := nginxViews(t, func() views {
		n := startNginx(t, dir, []setting{optional})
		return askRaw(t, c, n.addrs[optional.name], n.recorder)
	})
	application := startRecorder(t)
	car := startSidecar(t, oracleSettings(dir, application.addr, optional))
	got := askRaw(t, c, car.addr, application)
	for _, r := range rawRequests() {
		expect, ours := want[r.name], got[r.name]
		if r.ours != nil {
			if expect = r.ours(expect); reflect.DeepEqual(expect, want[r.name]) {
				t.Errorf("%s: the listed difference is none: nginx does the same", r.name)
			}
		}
		ours.Rest = slices.DeleteFunc(ours.Rest, addedID(r.raw))
		if len(ours.Rest) == 0 {
			ours.Rest = nil
		}
		if !reflect.DeepEqual(ours, expect) {
			t.Errorf("%s (%s):\n got %+v\nwant %+v", r.name, r.why, ours, expect)
		}
	}
}

// addedID finds the X-Request-Id that we add and nginx does not, which is the
// one general difference.
func addedID(raw string) func(string) bool {
	sent := strings.Contains(strings.ToLower(raw), "x-request-id:")
	return func(field string) bool {
		return !sent && strings.HasPrefix(strings.ToLower(field), "x-request-id: ")
	}
}
