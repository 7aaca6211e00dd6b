package main_test

import (
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// nghttp runs nghttp2's client and returns its verbose tale.
func (f *front) nghttp(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(need(t, "nghttp"), append([]string{"-v", "--no-dep", "--timeout=60", "--cert=client.crt", "--key=client.key"}, args...)...)
	cmd.Dir = f.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("nghttp: %v\n%s", err, out)
	}
	return string(out)
}

// contains checks that a tale has all of the texts.
func contains(t *testing.T, tale string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(tale, text) {
			t.Errorf("nghttp does not tell of %q", text)
		}
	}
	if t.Failed() {
		t.Log(tale)
	}
}

func TestNghttpReadsThroughASmallWindow(t *testing.T) {
	// Windows of 2 KiB: some thousand WINDOW_UPDATEs for each body.
	eachFront(t, nil, func(t *testing.T, f *front, _ *site) {
		url := f.url("/bytes?n=1000000")
		tale := f.nghttp(t, "--window-bits=11", "--no-verify-peer", "-n", url, f.url("/bytes?n=1000001"), f.url("/"))
		contains(t, tale, "x-saw: "+saw("client"), "The negotiated protocol: h2")
		sum := 0
		for _, data := range regexp.MustCompile(`recv DATA frame <length=(\d+),`).FindAllStringSubmatch(tale, -1) {
			n, _ := strconv.Atoi(data[1])
			if n > 2047 {
				t.Errorf("a DATA frame of %d bytes in a window of 2047", n)
			}
			sum += n
		}
		if want := 1_000_000 + 1_000_001 + len("hello"); sum != want {
			t.Errorf("the DATA frames carry %d bytes, want %d", sum, want)
		}
	})
}

func TestNghttpSendsTrailersCookieCrumbsAndExpect(t *testing.T) {
	eachFront(t, nil, func(t *testing.T, f *front, _ *site) {
		write(t, f.path("sent"), "the body")
		contains(t, f.nghttp(t, "--no-verify-peer", "-H", "cookie: a=1", "-H", "cookie: b=2", f.url("/cookies")), `["a=1; b=2"]`)
		contains(t, f.nghttp(t, "--no-verify-peer", "--expect-continue", "-d", "sent", f.url("/echo")), ":status: 200", "the body")
		if f.nginx {
			return // it passes trailers neither way
		}
		tale := f.nghttp(t, "--no-verify-peer", "-d", "sent", "--trailer", "x-sum: 8 bytes", f.url("/trailers"))
		contains(t, tale, "the body", "x-sum: 8 bytes", "x-late: at the end", ":status: 200")
	})
}

func TestH2loadSeesNoFailure(t *testing.T) {
	// It cannot present a certificate, so that everybody is NONE.
	eachFront(t, nil, func(t *testing.T, f *front, _ *site) {
		write(t, f.path("sent"), string(pattern(20_000)))
		for name, args := range map[string][]string{
			"GET":                {"-m", "10", f.url("/bytes?n=5000")},
			"GET, small windows": {"-m", "10", "-w", "10", "-W", "16", f.url("/bytes?n=5000")},
			"POST":               {"-m", "10", "-d", "sent", f.url("/echo")},
			"HTTP/1.1":           {"--h1", "-d", "sent", f.url("/echo")},
		} {
			cmd := exec.Command(need(t, "h2load"), append([]string{"-n", "800", "-c", "8"}, args...)...)
			cmd.Dir = f.dir
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, out)
			}
			protocol := "h2"
			if name == "HTTP/1.1" {
				protocol = "http/1.1"
			}
			for _, want := range []string{"Application protocol: " + protocol, "800 succeeded, 0 failed, 0 errored, 0 timeout", "status codes: 800 2xx, 0 3xx, 0 4xx, 0 5xx"} {
				if !strings.Contains(string(out), want) {
					t.Errorf("%s: h2load does not say %q:\n%s", name, want, out)
				}
			}
		}
	})
}
