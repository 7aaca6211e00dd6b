package main_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	be "encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"testing"
	"time"
)

// bulkSize is how much goes through in each direction: more than 31 bits count,
// and more than the program may hold.
func bulkSize() int64 {
	if raceEnabled {
		return 1 << 28
	}
	return 1<<31 + 12_345
}

// bulkMemory is how much resident memory the program may ever have had, in bytes.
const bulkMemory = 48 << 20

// blocks is an endless pseudo-random stream, quick enough not to be what is
// measured: one random block, each time with its number in front. What is
// written to it must be the same stream; it keeps a checksum of either.
type blocks struct {
	block  [64 << 10]byte
	number uint64
	offset int // in the present block
	total  int64
	sum    uint32
}

func newBlocks() *blocks {
	b := &blocks{}
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b.block[:]) // never fails
	be.BigEndian.PutUint64(b.block[:], 0)
	return b
}

// rest is what is left of the present block.
func (b *blocks) rest(n int) []byte {
	if b.offset == len(b.block) {
		b.offset = 0
		b.number++
		be.BigEndian.PutUint64(b.block[:], b.number)
	}
	return b.block[b.offset:min(len(b.block), b.offset+n)]
}

func (b *blocks) count(n int) {
	b.offset += n
	b.total += int64(n)
}

func (b *blocks) Read(p []byte) (int, error) {
	n := copy(p, b.rest(len(p)))
	b.sum = crc32.Update(b.sum, castagnoli(), p[:n])
	b.count(n)
	return n, nil
}

var errDiffers = errors.New("another byte came than was sent")

func (b *blocks) Write(p []byte) (int, error) {
	written := len(p)
	b.sum = crc32.Update(b.sum, castagnoli(), p)
	for len(p) > 0 {
		want := b.rest(len(p))
		if !bytes.Equal(p[:len(want)], want) {
			return 0, fmt.Errorf("%w, in the %d bytes after %d", errDiffers, len(want), b.total)
		}
		b.count(len(want))
		p = p[len(want):]
	}
	return written, nil
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// startBulkApplication takes an upload, and sends as much to whoever asks with
// GET, in chunks.
func startBulkApplication(t *testing.T, size int64) (address string, uploaded <-chan *blocks) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	done := make(chan *blocks, 2)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serveBulk(t, conn, size, done)
			}()
		}
	}()
	return listener.Addr().String(), done
}

func serveBulk(t *testing.T, conn net.Conn, size int64, done chan<- *blocks) {
	in := bufio.NewReaderSize(conn, 64<<10)
	for {
		request, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		stream := newBlocks()
		if request.Method == "POST" {
			if _, err := io.Copy(stream, request.Body); err != nil {
				t.Errorf("the upload ended after %d bytes: %v", stream.total, err)
				return
			}
			done <- stream
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			continue
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		chunks := httputil.NewChunkedWriter(conn)
		_, _ = io.CopyBuffer(chunks, io.LimitReader(stream, size), make([]byte, 64<<10))
		_ = chunks.Close()
		_, _ = io.WriteString(conn, "\r\n")
	}
}

// onlyWriter hides what else a connection can do.
type onlyWriter struct{ io.Writer }

func TestTwoGibibytesPassEachWayInBoundedMemory(t *testing.T) {
	size := bulkSize()
	address, uploaded := startBulkApplication(t, size)
	s, certificate := mintedFiles(t)
	car := startSidecar(t, s.with(settings{"MTLS_UPSTREAM_URL": "http://" + address}))
	conn, err := client{cert: &certificate, version: tls.VersionTLS13}.dial(car.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * hang))

	upload(t, conn, size, uploaded)
	download(t, conn, size)
	if raceEnabled {
		return // its memory is not ours
	}
	if most := statusBytes(t, car.process, "VmHWM"); most > bulkMemory {
		t.Errorf("the program had up to %d KiB resident, want at most %d", most>>10, bulkMemory>>10)
	} else {
		t.Logf("the program had up to %d KiB resident", most>>10)
	}
}

// upload sends a body of known length and wants the application to have got
// exactly that.
func upload(t *testing.T, conn *connection, size int64, uploaded <-chan *blocks) {
	t.Helper()
	sent := newBlocks()
	if _, err := fmt.Fprintf(conn, "POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", size); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyBuffer(onlyWriter{conn}, io.LimitReader(sent, size), make([]byte, 64<<10)); err != nil {
		t.Fatalf("the upload broke after %d bytes: %v", sent.total, err)
	}
	answer, err := http.ReadResponse(conn.in, nil)
	if err != nil || answer.StatusCode != 200 {
		t.Fatalf("the upload's answer: %v (%v)", answer, err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-uploaded:
		if got.total != size || got.sum != sent.sum {
			t.Errorf("the application got %d bytes with the sum %08x, want %d with %08x", got.total, got.sum, size, sent.sum)
		}
	case <-time.After(hang):
		t.Fatal("the application did not get the whole upload")
	}
}

// download asks for as much and wants exactly what the application sends.
func download(t *testing.T, conn *connection, size int64) {
	t.Helper()
	if _, err := io.WriteString(conn, "GET /download HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(conn.in, nil)
	if err != nil || answer.StatusCode != 200 {
		t.Fatalf("the download's answer: %v (%v)", answer, err)
	}
	got := newBlocks()
	if _, err := io.CopyBuffer(got, answer.Body, make([]byte, 64<<10)); err != nil {
		t.Fatalf("the download broke after %d bytes: %v", got.total, err)
	}
	want := newBlocks()
	if _, err := io.CopyBuffer(onlyWriter{io.Discard}, io.LimitReader(want, size), make([]byte, 64<<10)); err != nil {
		t.Fatal(err)
	}
	if got.total != size || got.sum != want.sum {
		t.Errorf("got %d bytes with the sum %08x, want %d with %08x", got.total, got.sum, size, want.sum)
	}
}
