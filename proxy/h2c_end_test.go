package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// How calls to an application that speaks HTTP/2 end before their time.

// heldH2CApp begins no answer, or on /begun one that does not end, until the call is
// over, which it tells.
func heldH2CApp(t *testing.T) (url string, asked, over chan string) {
	t.Helper()
	asked, over = make(chan string, 10), make(chan string, 10)
	return startH2CApp(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/begun") {
			_, _ = io.WriteString(w, piece)
			_ = http.NewResponseController(w).Flush()
		}
		asked <- r.URL.Path
		if r.ContentLength != 0 {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		<-r.Context().Done()
		over <- r.URL.Path
	}), asked, over
}

func TestH2CAnApplicationThatDoesNotAnswerIsA504(t *testing.T) {
	url, _, over := heldH2CApp(t)
	s := startSidecar(t, url, "MTLS_UPSTREAM_TIMEOUT=50ms")
	overBoth(t, func(t *testing.T, carrier mode) {
		for _, request := range []string{simpleGet, post("hello"), chunkedPost("", "5\r\nhello\r\n0\r\n\r\n")} {
			c := s.dialOver(t, carrier)
			c.send(request)
			c.wantRefusal("GET", 504)
			await(t, "the application hears that no answer is wanted", over)
		}
	})
}

func TestH2CAnAnswerThatStallsIsCut(t *testing.T) {
	url, _, over := heldH2CApp(t)
	s := startSidecar(t, url, "MTLS_UPSTREAM_TIMEOUT=50ms")
	overBoth(t, func(t *testing.T, carrier mode) {
		c := s.dialOver(t, carrier)
		c.send(get("/begun"))
		body := c.hasHead("/begun")
		if got, err := io.ReadAll(body); string(got) != piece || err == nil {
			t.Errorf("got %q (%v), want what there was, and a cut", got, err)
		}
		await(t, "the application hears that no answer is wanted", over)
	})
}

func TestH2CTheApplicationIsToldWhenItsClientHasGone(t *testing.T) {
	url, asked, over := heldH2CApp(t)
	s := startSidecar(t, url)
	overBoth(t, func(t *testing.T, carrier mode) {
		var leaving []*client
		for _, request := range []string{get("/held"), get("/begun"), strings.Replace(post("hello"), " / ", " /held ", 1),
			"POST /begun HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\nhello"} {
			c := s.dialOver(t, carrier)
			c.send(request)
			await(t, "the request", asked)
			leaving = append(leaving, c)
		}
		for _, c := range leaving {
			c.Close()
		}
		for range leaving {
			await(t, "the application hears that its client has gone", over)
		}
	})
}

func TestH2CWhatIsInFlightIsCutOnceItsClientIsNoLongerBelieved(t *testing.T) {
	url, asked, over := heldH2CApp(t)
	w := startLive(t, liveSetting{withLists: true, arranged: func(w *liveWorld) { w.app.url = url }})
	var victims []*client
	for _, carrier := range []mode{overHTTP1, overHTTP2} {
		for _, request := range []string{get("/held"), get("/begun"), "POST /begun HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\nhello"} {
			config := clientConfig(w.victim.certificate)
			if carrier == overHTTP2 {
				config.NextProtos = []string{"h2"}
			}
			c := w.dialWith(t, config)
			c.send(request)
			if strings.Contains(request, "/begun") {
				if _, err := io.ReadFull(c.hasHead("/begun"), make([]byte, len(piece))); err != nil {
					t.Fatal(err)
				}
			}
			await(t, "the request", asked)
			victims = append(victims, c)
		}
	}
	revokes(w)
	w.sweepAt(0)
	w.hasCut("in the first second", 0)
	w.sweepAt(lastSecond)
	w.hasCut("after it", uint64(len(victims)))
	for _, c := range victims {
		if rest := c.wantCut(); strings.Contains(rest, "HTTP/1.1") || strings.Contains(rest, "0\r\n\r\n") {
			t.Errorf("before the cut came %q", rest)
		}
		await(t, "the application hears that it is over", over)
	}
}

func TestH2CABodyThatIsTooLargeIsA413(t *testing.T) {
	s := startSidecar(t, startH2CApp(t, func(_ http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); err == nil {
			t.Errorf("the application got %d bytes as a whole body", n)
		}
	}), "MTLS_MAX_BODY_BYTES=1000")
	overBoth(t, func(t *testing.T, carrier mode) {
		for _, request := range []string{post(strings.Repeat("x", 1001)), chunkedPost("", "3e9\r\n"+strings.Repeat("x", 1001)+"\r\n0\r\n\r\n")} {
			c := s.dialOver(t, carrier)
			c.send(request)
			c.wantRefusal("POST", 413)
		}
	})
}

func TestH2CAnExposedApplicationIsNotAsked(t *testing.T) {
	linuxOnly(t)
	listener, port := listening(t, "tcp4", "0.0.0.0")
	startH2CAppOn(t, listener, func(http.ResponseWriter, *http.Request) { t.Error("the application was asked") })
	s := startSidecar(t, "h2c://127.0.0.1:"+port, "MTLS_UPSTREAM_EXPOSED=refuse")
	overBoth(t, func(t *testing.T, carrier mode) {
		for range 2 {
			c := s.dialOver(t, carrier)
			c.send(simpleGet)
			c.wantRefusal("GET", 502)
		}
	})
	s.exposure.looks.Wait()
}

// An application may refuse before it has the body, and the client may wait with the
// rest: neither holds the other's connection.
func TestH2CAnEarlyAnswerEndsAConnectionOnWhichTheBodyDoesNotCome(t *testing.T) {
	s := startSidecar(t, startH2CApp(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "no")
	}))
	overBoth(t, func(t *testing.T, carrier mode) {
		for range 20 {
			c := s.dialOver(t, carrier)
			c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n", strings.Repeat("x", 20000))
			c.wantAnswer("POST", 401, "no")
			c.wantLast()
		}
	})
}

// The two ends of a body's reading, each of which sets one deadline and more: in
// whichever order they come, the reader is woken for good.
func TestH2CAnInterruptedReadStaysInterruptedWhenTheAnswerBegins(t *testing.T) {
	interrupts := func(x *exchange, u *upload) func() { return (&callBody{exchange: x, upload: u}).interrupt }
	inEveryOrder(t, interrupts, func(t *testing.T, read time.Time) {
		if !read.Equal(past) {
			t.Errorf("the deadline is %v from now, want one in the past", time.Until(read))
		}
	})
}

// net/http may give a body up that has just been read to its end. The deadline that
// this sets is not one of the exchange's, which has to set its next anew: else no
// request is heard any more, and the wait for one spins.
func TestH2CAConnectionHearsItsClientAfterABodyWasGivenUpAtItsEnd(t *testing.T) {
	var s *sidecar
	begun := make(chan struct{}, 1)
	s = startSidecar(t, startH2CApp(t, func(_ http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		_, _ = io.Copy(io.Discard, r.Body)
		for _, c := range s.conns.identified() {
			c.call.body.interrupt()
		}
	}), "MTLS_HEADER_TIMEOUT=60s", "MTLS_BODY_TIMEOUT=60s", "MTLS_IDLE_TIMEOUT=60s")
	c := s.dialOver(t, overHTTP1)
	for range 3 {
		c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n")
		await(t, "the request", begun)
		c.send("0123456789")
		c.keeps("POST", 200, "")
	}
}
