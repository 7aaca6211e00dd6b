package upstream

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

func TestAnApplicationThatIsSlowToGreetIsUsedAllTheSame(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address, func(c *H2CConfig) { c.greeting = 50 * time.Millisecond })
	result := do(t, h, Request{Head: get("/")})
	c := app.raw()
	c.readPreface()
	stream := c.request().stream // it has not waited
	c.check(c.WriteSettings())
	c.headers(stream, true, ":status: 200")
	if d := wait(t, result); d.err != nil {
		t.Error(d.err)
	}
}

func TestAnApplicationOfAnotherLanguageIsToldOf(t *testing.T) {
	for _, test := range []struct {
		what, says string
		want       error
	}{
		{"HTTP/1.1", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", ErrNotHTTP2},
		{"TLS", "\x15\x03\x01\x00\x02\x02\x46", ErrNotHTTP2},
		{"ssh", "SSH-2.0-x\r\n", ErrNotHTTP2},
		{"another frame", "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678", ErrNotHTTP2},
		{"an acknowledgement", "\x00\x00\x00\x04\x01\x00\x00\x00\x00", ErrNotHTTP2},
		{"nothing", "", errSilent},
		{"too little", "\x00\x00\x06\x04\x00", errSilent},
		{"not all of the settings", "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03", errSilent},
	} {
		for _, late := range []bool{false, true} {
			app := startFramerApp(t)
			var patience time.Duration
			if late { // the request is on its way when it is heard
				patience = 10 * time.Millisecond
			}
			result := do(t, newTestH2C(t, app.address, func(c *H2CConfig) { c.greeting = patience }), Request{Head: get("/")})
			c := app.raw()
			c.readPreface()
			if late {
				c.request()
			}
			for i := range len(test.says) { // byte by byte
				_, _ = io.WriteString(c.Conn, test.says[i:i+1])
			}
			_ = c.Conn.(*net.TCPConn).CloseWrite()
			var ended *H2CError
			if d := wait(t, result); !errors.Is(d.err, test.want) || errors.As(d.err, &ended) {
				t.Errorf("%s, late %t: got %v, want %v", test.what, late, d.err, test.want)
			}
		}
	}
}

func TestAnApplicationThatIsNotThereIsANetworkError(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	_, err = newTestH2C(t, address).Do(t.Context(), Request{Head: get("/")})
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "dial" || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want a refused dial", err)
	}
	_, err = newTestH2C(t, address, func(c *H2CConfig) { c.ConnectTimeout = 1 }).Do(t.Context(), Request{Head: get("/")})
	if !errors.As(err, &op) || !op.Timeout() {
		t.Errorf("got %v, want a timeout", err)
	}
}

func TestDialedMayForbidTheConnection(t *testing.T) {
	app := startFramerApp(t)
	exposed := errors.New("the application is exposed")
	_, err := newTestH2C(t, app.address, func(c *H2CConfig) { c.Dialed = func() error { return exposed } }).Do(t.Context(), Request{Head: get("/")})
	if err != exposed {
		t.Errorf("got %v", err)
	}
	wantClosed(t, app.raw().Conn)
}
