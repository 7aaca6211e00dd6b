package soak

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// What the application does, by the first part of a target's path; the second is the id.
const (
	sayPath   = "say"   // answers with noise: n bytes of seed s, as how says
	takePath  = "take"  // answers with length and digest of what was sent
	earlyPath = "early" // answers with a status before it has read the body
	echoPath  = "echo"  // a WebSocket
	holdPath  = "hold"  // n lines, one each holdEvery
)

// mustPath is put before it where a certificate is wanted: MTLS_ROUTES.
const mustPath = "must"

// idField is in every answer of the application, and nowhere else.
const idField = "Soak-Id"

// applicationIdle is how long it keeps a connection without a request, as Node does.
const applicationIdle = 5 * time.Second

// asked is one request as the application sees it.
type asked struct {
	*http.Request
	conn     net.Conn
	in       *bufio.Reader
	entry    *request
	question url.Values
}

func (a *application) serve(conn net.Conn) {
	in := bufio.NewReaderSize(conn, 64<<10)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(applicationIdle))
		head, err := peekHead(in)
		if err != nil {
			return
		}
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		lines := strings.Split(strings.TrimSuffix(string(head), "\r\n\r\n"), "\r\n")
		r, err := http.ReadRequest(in)
		if err != nil {
			a.faults.add(strayed, nil, "the application cannot read %q: %v", head, err)
			return
		}
		q := &asked{Request: r, conn: conn, in: in, question: r.URL.Query()}
		work, id := partsOf(r.URL.Path)
		q.entry = a.ledger.arrive(id, lines)
		if !a.answer(q, work) {
			return
		}
	}
}

func partsOf(path string) (work, id string) {
	path = strings.TrimPrefix(strings.TrimPrefix(path, "/"), mustPath+"/")
	work, id, _ = strings.Cut(path, "/")
	return work, id
}

// peekHead waits for a whole head, and leaves it unread.
func peekHead(in *bufio.Reader) ([]byte, error) {
	for {
		if _, err := in.Peek(in.Buffered() + 1); err != nil {
			return nil, err
		}
		all, _ := in.Peek(in.Buffered())
		if end := bytes.Index(all, []byte("\r\n\r\n")); end >= 0 {
			return all[:end+4], nil
		}
	}
}

// answer reports whether the connection goes on.
func (a *application) answer(q *asked, work string) bool {
	switch {
	case work == earlyPath:
		return a.early(q)
	case work == echoPath:
		_ = q.conn.SetReadDeadline(time.Time{})
		a.echo(q)
		return false
	case work == holdPath:
		return a.hold(q)
	case work == takePath:
		return a.take(q)
	}
	if _, err := io.Copy(io.Discard, q.Body); err != nil {
		return false
	}
	a.ledger.wholeArrived(q.entry)
	return a.say(q)
}

func (q *asked) number(name string) int {
	n, _ := strconv.Atoi(q.question.Get(name))
	return n
}

// head begins an answer.
func (q *asked) head(status int, fields string) string {
	return fmt.Sprintf("HTTP/1.1 %d %s\r\n%s: %s\r\n%s\r\n", status, http.StatusText(status), idField, q.entry.id, fields)
}

// trailerField is a trailer in both directions; its value is the id.
const trailerField = "Soak-End"

func (a *application) say(q *asked) bool {
	size, how := q.number("n"), q.question.Get("how")
	seed, _ := strconv.ParseUint(q.question.Get("s"), 10, 64)
	status := max(q.number("status"), 200)
	var err error
	switch body := newNoise(seed, size); {
	case q.Method == http.MethodHead, status == http.StatusNoContent, status == http.StatusNotModified:
		fields := ""
		if q.Method == http.MethodHead {
			fields = fmt.Sprintf("Content-Length: %d\r\n", size)
		}
		_, err = io.WriteString(q.conn, q.head(status, fields))
	case how == "close":
		if _, err = io.WriteString(q.conn, q.head(status, "Connection: close\r\n")); err == nil {
			_, _ = io.Copy(q.conn, body)
		}
		return false
	case how == "chunked" || how == "trailer":
		err = sayChunks(q, body, how == "trailer")
	default:
		early := ""
		if how == "hints" {
			early = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
		}
		if _, err = io.WriteString(q.conn, early+q.head(status, fmt.Sprintf("Content-Length: %d\r\n", size))); err == nil {
			_, err = io.Copy(struct{ io.Writer }{q.conn}, body)
		}
	}
	return err == nil && !q.Close
}

func sayChunks(q *asked, body io.Reader, trailer bool) error {
	fields := "Transfer-Encoding: chunked\r\n"
	if trailer {
		fields += "Trailer: " + trailerField + "\r\n"
	}
	out := bufio.NewWriterSize(q.conn, 16<<10)
	_, _ = out.WriteString(q.head(http.StatusOK, fields))
	part := make([]byte, 7001)
	for {
		n, err := io.ReadFull(body, part)
		if n > 0 {
			fmt.Fprintf(out, "%x\r\n%s\r\n", n, part[:n])
		}
		if err != nil {
			break
		}
	}
	_, _ = out.WriteString("0\r\n")
	if trailer {
		fmt.Fprintf(out, "%s: %s\r\n", trailerField, q.entry.id)
	}
	_, _ = out.WriteString("\r\n")
	return out.Flush()
}

func (a *application) take(q *asked) bool {
	if q.Header.Get("Expect") != "" {
		if _, err := io.WriteString(q.conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return false
		}
	}
	length, sum, err := sumOf(q.Body)
	if err != nil {
		return false
	}
	a.ledger.wholeArrived(q.entry)
	text := fmt.Sprintf("%d %s %s\n", length, sum, q.Trailer.Get(trailerField))
	for name, values := range q.Trailer {
		if strings.Contains(strings.Join(values, " "), forged) {
			a.faults.add(wrongVerdict, q.entry, "a forged trailer came through: %s: %q", name, values)
		}
	}
	_, err = io.WriteString(q.conn, q.head(http.StatusOK, fmt.Sprintf("Content-Length: %d\r\n", len(text)))+text)
	return err == nil && !q.Close
}

// early refuses an upload unread, and stays a while so that the answer arrives.
func (a *application) early(q *asked) bool {
	status := max(q.number("status"), 400)
	if _, err := io.WriteString(q.conn, q.head(status, "Content-Length: 0\r\nConnection: close\r\n")); err != nil {
		return false
	}
	if half, is := q.conn.(interface{ CloseWrite() error }); is {
		_ = half.CloseWrite()
	}
	_ = q.conn.SetReadDeadline(time.Now().Add(applicationIdle))
	_, _ = io.Copy(io.Discard, q.conn)
	return false
}

// holdEvery is how often an endless answer has news.
const holdEvery = 100 * time.Millisecond

// hold tells with each line when it was written.
func (a *application) hold(q *asked) bool {
	if _, err := io.WriteString(q.conn, q.head(http.StatusOK, "Transfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n")); err != nil {
		return false
	}
	every := time.NewTicker(holdEvery)
	defer every.Stop()
	for i := range q.number("n") {
		line := fmt.Sprintf("%s %d %d\n", q.entry.id, i, time.Now().UnixNano())
		if _, err := fmt.Fprintf(q.conn, "%x\r\n%s\r\n", len(line), line); err != nil {
			return false
		}
		<-every.C
	}
	_, err := io.WriteString(q.conn, "0\r\n\r\n")
	return err == nil
}
