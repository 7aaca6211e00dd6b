package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// demoOnce runs the demo and checks its table against what issue and README
// promise: what was sent, what the application saw, and the answer.
func demoOnce(t *testing.T) (address string) {
	t.Helper()
	var out bytes.Buffer
	if err := run([]string{"demo", "-once"}, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, row := range []string{
		`no certificate +VERIFIED: \["NONE"\] +200`,
		`/protected, no certificate +VERIFIED: \["NONE"\] +401`,
		`certificate of our CA +VERIFIED: \["SUCCESS"\], DN: \["CN=client,O=Demo"\] +200`,
		`forged headers, no certificate +VERIFIED: \["NONE"\] +401`,
		`expired certificate +nothing +400`,
		`certificate of a stranger's CA +nothing +400`,
	} {
		if !regexp.MustCompile(row).MatchString(out.String()) {
			t.Errorf("no row is %s in\n%s", row, &out)
		}
	}
	if strings.Contains(out.String(), "WRONG") {
		t.Errorf("a row is wrong:\n%s", &out)
	}
	found := regexp.MustCompile(`https://(localhost:\d+), certificates in (\S+)`).FindStringSubmatch(out.String())
	if found == nil {
		t.Fatalf("the sidecar's address is not told:\n%s", &out)
	}
	if _, err := os.Stat(found[2]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the demo's certificates are left in %s: %v", found[2], err)
	}
	return found[1]
}

func TestDemoPassesOnItsUsualPort(t *testing.T) {
	address := demoOnce(t)
	free, err := net.Listen("tcp", "127.0.0.1:8443")
	if err != nil {
		if address == "localhost:8443" {
			t.Errorf("got %s, which another program has: %v", address, err)
		}
		return
	}
	free.Close()
	if address != "localhost:8443" {
		t.Errorf("got %s though 8443 is free", address)
	}
}

func TestDemoPassesWhereItsPortIsTaken(t *testing.T) {
	if taken, err := net.Listen("tcp", "127.0.0.1:8443"); err == nil {
		defer taken.Close()
	} // else another program has it, which serves as well
	if address := demoOnce(t); address == "localhost:8443" {
		t.Errorf("got %s though it is taken", address)
	}
}

func TestDemoFailsWhenARowIsNotAsItShouldBe(t *testing.T) {
	folder := t.TempDir()
	ca, err := mintDemo(folder, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	app, err := startDemoApp()
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, "server.crt"), filepath.Join(folder, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	// In the sidecar's place stands one that asks for no certificate and lets everybody in.
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "Hello. Everybody may read this.")
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	defer server.Close()
	var out bytes.Buffer
	run := &demoRun{folder: folder, address: server.Listener.Addr().String(), app: app, ca: ca, reload: func() error { return nil }}
	err = run.showRows(&out)
	if err == nil || exitCode(err, &bytes.Buffer{}) == 0 {
		t.Errorf("the demo passed with\n%s", &out)
	}
	if n := strings.Count(out.String(), "WRONG"); n != len(demoRows()) {
		t.Errorf("rows marked wrong: got %d, want all %d\n%s", n, len(demoRows()), &out)
	}
}

func TestDemoTablesRowsAreCompleteEvenWhenNobodyAnswers(t *testing.T) {
	folder := t.TempDir()
	ca, err := mintDemo(folder, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	app, err := startDemoApp()
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	var out bytes.Buffer
	run := &demoRun{folder: folder, address: closed.Addr().String(), app: app, ca: ca, reload: func() error { return nil }}
	err = run.showRows(&out)
	for _, row := range demoRows() {
		if err == nil || !strings.Contains(err.Error(), row.sent) {
			t.Errorf("%s is not among the failures: %v", row.sent, err)
		}
	}
}

func TestDemosCurlLinesNameFilesAndAddress(t *testing.T) {
	text := curlLines("/folder", "localhost:8443")
	for _, want := range []string{`cd "/folder"`, "curl --cacert ca.crt https://localhost:8443/\n", "--cert client.crt --key client.key https://localhost:8443/protected",
		"--cert expired.crt", "--cert stranger.crt", "VERIFIED: SUCCESS"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
}
