package soak

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// message is a request, and what its answer must be.
type message struct {
	method, work string
	query        string
	fields       string // lines
	size         int    // of the body
	seed         uint64
	chunked      bool
	trailer      bool
	expect       bool
	must         bool // on the path that wants a certificate

	status  int    // due
	answer  int    // bytes due of noise
	noise   uint64 // its seed
	ends    bool   // the answer has a trailer
	sum     string // due after an upload: length and digest
	refused bool   // the answer comes before the body is read
}

// forged is in every value that a client makes up to pass for another.
const forged = "forged"

// forgeryNames are fields that must not come through, in every spelling that an application
// might take for the same name.
var forgeryNames = []string{"VERIFIED", "verified", "Verified", "vErIfIeD", "DN", "dn", "Dn", "X-SSL-Client-Verify", "x_ssl_client_verify", "SSL_CLIENT_VERIFY",
	"ssl-client-verify", "Ssl.Client.S.Dn", "X-Forwarded-Client-Cert", "Client-Cert", "Client_Cert", "X-Client-Cert", "X-Real-IP", "X_Forwarded_For"}

func (w *worker) forge() string {
	var b strings.Builder
	for range 1 + w.random.IntN(4) {
		name := pick(w.random, forgeryNames)
		if folded(name) == "verified" || folded(name) == "dn" {
			w.told[forgeries].Add(1)
		}
		value := pick(w.random, []string{"SUCCESS " + forged, "CN=admin," + forged, forged})
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	return b.String()
}

func pick[T any](random *rand.Rand, all []T) T { return all[random.IntN(len(all))] }

func (m message) target(id string) string {
	target := "/" + m.work + "/" + id
	if m.must {
		target = "/" + mustPath + target
	}
	query := m.query
	if m.work == sayPath {
		query = fmt.Sprintf("n=%d&s=%d&%s", m.answer, m.noise, query)
	}
	return target + "?" + query
}

func (m message) hasBody() bool { return m.size > 0 || m.chunked || m.method == http.MethodPost }

func (m message) head(id string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", m.method, m.target(id), m.fields)
	if m.expect {
		b.WriteString("Expect: 100-continue\r\n")
	}
	if m.trailer {
		b.WriteString("Trailer: " + trailerField + "\r\n")
	}
	switch {
	case m.chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n")
	case m.hasBody():
		fmt.Fprintf(&b, "Content-Length: %d\r\n", m.size)
	}
	b.WriteString("\r\n")
	return b.String()
}

// writeBody sends the body, in chunks of odd sizes if it is chunked.
func (m message) writeBody(to io.Writer, id string) error {
	body := newNoise(m.seed, m.size)
	if !m.chunked {
		_, err := io.Copy(struct{ io.Writer }{to}, body)
		return err
	}
	out := bufio.NewWriterSize(to, 8<<10)
	part := make([]byte, 5003)
	for {
		n, err := io.ReadFull(body, part)
		if n > 0 {
			fmt.Fprintf(out, "%x;soak=%s\r\n%s\r\n", n, id, part[:n])
		}
		if err != nil {
			break
		}
	}
	_, _ = out.WriteString("0\r\n")
	if m.trailer {
		fmt.Fprintf(out, "%s: %s\r\nVERIFIED: %s\r\ndn: CN=admin,%s\r\n", trailerField, id, forged, forged)
	}
	_, _ = out.WriteString("\r\n")
	return out.Flush()
}

// exchange sends a request and reads its answer, both at once where there is a body.
func (w *worker) exchange(l *link, r *request, m message) outcome {
	_ = l.SetDeadline(time.Now().Add(patience))
	r.headSent()
	if _, err := io.WriteString(l, m.head(r.id)); err != nil {
		l.over = true
		return outcome{err: fmt.Errorf("sending the head: %w", err)}
	}
	sent := make(chan error, 1)
	proceed := make(chan bool, 1)
	if !m.hasBody() {
		sent <- nil
	} else {
		go func() {
			if m.expect && !<-proceed {
				sent <- errors.New("not asked for")
				return
			}
			sent <- m.writeBody(l, r.id)
		}()
	}
	o := w.receive(l, r, m, proceed)
	close(proceed)
	if o.err != nil || l.over {
		_ = l.tcp.Close() // or who writes would wait for a reader that is gone
	}
	if err := <-sent; err != nil {
		l.over = true
	}
	return o
}

// receive reads the answer to a request, with the interim ones before it.
func (w *worker) receive(l *link, r *request, m message, proceed chan<- bool) outcome {
	asked := &http.Request{Method: m.method}
	for {
		answer, err := http.ReadResponse(l.in, asked)
		if err != nil {
			l.over = true
			return outcome{err: fmt.Errorf("reading the head: %w", err)}
		}
		switch answer.StatusCode {
		case http.StatusContinue:
			if m.expect {
				proceed <- true
			}
			continue
		case http.StatusEarlyHints:
			continue
		}
		o := judgeAnswer(answer, r, m)
		l.over = l.over || answer.Close || o.err != nil || o.wrong != "" || m.refused
		return o
	}
}

// judgeAnswer reads an answer to its end and compares it with what is due.
func judgeAnswer(answer *http.Response, r *request, m message) outcome {
	o := outcome{code: answer.StatusCode}
	ids := answer.Header.Values(idField)
	if len(ids) == 0 {
		text, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
		o.page, o.err = reasonOf(string(text)), err
		return o
	}
	if o.ours = len(ids) == 1 && ids[0] == r.id; !o.ours {
		o.wrong = fmt.Sprintf("got the answer to %q", ids)
		return o
	}
	if answer.StatusCode != m.status {
		o.wrong = fmt.Sprintf("got status %d, want %d", answer.StatusCode, m.status)
		return o
	}
	if m.method == http.MethodHead {
		if answer.ContentLength != int64(m.answer) {
			o.wrong = fmt.Sprintf("got Content-Length %d, want %d", answer.ContentLength, m.answer)
		}
		return o
	}
	if m.sum != "" {
		text, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
		want := m.sum
		if m.trailer {
			want += r.id
		}
		if o.err = err; err == nil && string(text) != want+"\n" {
			o.wrong = fmt.Sprintf("the application got %q, want %q", text, want)
		}
		return o
	}
	o.wrong, o.clean, o.err = compare(answer.Body, m.noise, m.answer)
	if got := answer.Trailer.Get(trailerField); m.ends && o.err == nil && o.wrong == "" && got != r.id {
		o.wrong = fmt.Sprintf("got trailer %q, want %q", got, r.id)
	}
	return o
}

// reasonOf finds the word that the sidecar's pages give as the reason.
func reasonOf(page string) string {
	_, rest, _ := strings.Cut(page, "Reason: <code>")
	reason, _, found := strings.Cut(rest, "</code>")
	if !found {
		return ""
	}
	return reason
}
