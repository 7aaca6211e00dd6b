package trust

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

func TestACertificateLeadsNowhereThatMayTrustUs(t *testing.T) {
	f := newOCSPFetcher(OCSPOptions{Refused: func(a netip.Addr) bool { return a == netip.MustParseAddr("198.51.100.7") }})
	f.own = func() ([]net.Addr, error) {
		_, network, err := net.ParseCIDR("2001:db8::5/64")
		if err != nil {
			return nil, err
		}
		network.IP = net.ParseIP("2001:db8::5")
		return []net.Addr{network, &net.IPNet{IP: net.IPv4(192, 0, 2, 9), Mask: net.CIDRMask(24, 32)}}, nil
	}
	tests := []struct {
		addr    string
		refused bool
	}{
		{"127.0.0.1", true}, {"127.8.9.10", true}, {"::1", true},
		{"::ffff:127.0.0.1", true}, {"::127.0.0.1", true}, {"::127.0.0.1%lo", true}, {"64:ff9b::7f00:1", true},
		{"169.254.169.254", true}, {"fe80::1%eth0", true}, {"::ffff:169.254.169.254", true},
		{"::169.254.169.254", true}, {"64:ff9b::a9fe:a9fe", true}, {"64:ff9b:1::1", true},
		{"224.0.0.1", true}, {"239.1.2.3", true}, {"ff02::1", true}, {"ff0e::1", true}, {"255.255.255.255", true},
		{"2002:7f00:1::", true}, {"2002:a9fe:a9fe::1", true}, {"2002:c000:209::1", true}, {"::ffff:0:127.0.0.1", true},
		{"240.0.0.1", true}, {"255.1.2.3", true}, {"fec0::1", true}, {"2002:c633:6401::1", false}, {"::ffff:0:198.51.100.1", false},
		{"0.0.0.0", true}, {"0.1.2.3", true}, {"::", true}, {"::ffff:0.0.0.0", true}, {"64:ff9b::", true},
		{"192.0.2.9", true}, {"::ffff:192.0.2.9", true}, {"64:ff9b::c000:209", true}, {"2001:db8::5", true},
		{"198.51.100.7", true}, {"::ffff:198.51.100.7", true}, {"64:ff9b::c633:6407", true},
		{"10.1.2.3", false}, {"192.168.1.1", false}, {"192.0.2.10", false}, {"::ffff:10.1.2.3", false},
		{"198.51.100.8", false}, {"2001:db8::6", false}, {"fd00::1", false}, {"64:ff9b::a01:203", false}, {"1.1.1.1", false},
	}
	for _, test := range tests {
		err := f.control(ocspCtx, "tcp", netip.AddrPortFrom(netip.MustParseAddr(test.addr), 80).String(), nil)
		if (err != nil) != test.refused {
			t.Errorf("%s: got error %v, want refused: %v", test.addr, err, test.refused)
		}
		if err != nil && !strings.Contains(err.Error(), "; ") {
			t.Errorf("%s: no remedy in %v", test.addr, err)
		}
	}
	if err := f.control(ocspCtx, "tcp", "localhost:80", nil); err == nil {
		t.Errorf("a name that is not resolved may be dialled")
	}
	f.own = func() ([]net.Addr, error) { return nil, errors.New("no netlink") }
	if err := f.allow(netip.MustParseAddr("10.1.2.3")); err == nil {
		t.Errorf("without knowing the own addresses others may be dialled")
	}
}

// rebinding is a DNS server that says any name is 127.0.0.1.
func rebinding(t *testing.T) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, server, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buffer := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			if _, err := server.WriteTo(loopbackAnswer(buffer[:n]), from); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-ended
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// loopbackAnswer answers a question for an A record (RFC 1035 §4.1), and any other with nothing.
func loopbackAnswer(query []byte) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	kind := binary.BigEndian.Uint16(query[end+1:])
	out := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end+5]...)
	if kind == 1 {
		out[7] = 1
		out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1)
	}
	return out
}

// However a certificate spells or resolves it, nothing on this machine is asked.
func TestACertificateCannotMakeUsAskOurselves(t *testing.T) {
	w := newOCSPWorld(t)
	responder := startOCSPResponder(t, func(*http.Request) (int, string, []byte) { return 200, answerType, w.forge().der(t) })
	port := responder.URL[strings.LastIndex(responder.URL, ":"):]
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "rebound.example", "user@127.0.0.1"} {
		t.Run(host, func(t *testing.T) {
			w.client = w.leaf(w.inter, pki.Options{ExtraExtensions: ext(aia("http://" + host + port + "/"))})
			w.believe = w.chain(w.client, w.inter.Cert)
			o, _, reports := w.start(OCSPOptions{})
			if host == "rebound.example" {
				o.fetcher.dialer.Resolver = rebinding(t)
			}
			if got := o.Check(ocspCtx, w.believe, w.now); got.Reason != OCSPFailed {
				t.Errorf("got %q", got.Text())
			}
			if r := await(t, reports, "the report"); host == "rebound.example" && !strings.Contains(r.Err.Error(), "127.0.0.1, which is loopback") {
				t.Errorf("got %v", r.Err)
			}
		})
	}
	if asked := responder.questions(); len(asked) > 0 {
		t.Errorf("we asked ourselves %q", asked)
	}
	// The operator may say so.
	o, _, _ := w.start(OCSPOptions{Responder: responder.URL})
	if got := o.Check(ocspCtx, w.believe, w.now); got.Status != Success {
		t.Errorf("the operator's responder: %q", got.Text())
	}
}

func TestTheCertificatesResponderIsAsked(t *testing.T) {
	w := newOCSPWorld(t)
	responder := startOCSPResponder(t, func(*http.Request) (int, string, []byte) { return 200, answerType, w.forge().der(t) })
	w.client = w.leaf(w.inter, pki.Options{ExtraExtensions: ext(aia("https://elsewhere.example/", "ldap://x", responder.URL+"/a", "http://b.example/"))})
	w.believe = w.chain(w.client, w.inter.Cert)
	o, _, reports := w.start(OCSPOptions{})
	o.fetcher.dialer.ControlContext = nil // it is on loopback
	if got := o.Check(ocspCtx, w.believe, w.now); got.Status != Success {
		t.Errorf("got %q", got.Text())
	}
	if r := await(t, reports, "the report"); r.URL != responder.URL+"/a" || r.Status != "good" {
		t.Errorf("the report is %+v", r)
	}
}
