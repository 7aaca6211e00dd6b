package proxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"testing/iotest"

	"github.com/pires/go-proxyproto"
)

// FuzzProxyHeader: whatever arrives, nothing behind a header is read; what is
// believed is read alike by the library, however it arrives; and no header
// costs more than is accepted.
func FuzzProxyHeader(f *testing.F) {
	for _, test := range append(goodHeaders(f), badHeaders(f)...) {
		f.Add([]byte(test.header), []byte("\x16\x03\x01\x02\x00"))
	}
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), []byte(nil))
	f.Fuzz(func(t *testing.T, head, behind []byte) {
		all := bytes.NewReader(append(bytes.Clone(head), behind...))
		size := all.Len()
		got, err := readSource(all)
		taken := size - all.Len()
		if taken > prefixV2+longestV2 {
			t.Errorf("%d bytes were taken", taken)
		}
		slowly := bytes.NewReader(append(bytes.Clone(head), behind...))
		again, errAgain := readSource(iotest.OneByteReader(slowly))
		if (err == nil) != (errAgain == nil) || again != got {
			t.Errorf("at once: %v and %v, byte by byte: %v and %v", got, err, again, errAgain)
		}
		if err != nil {
			if got.IsValid() {
				t.Errorf("an address of a header that is refused: %v", got)
			}
			return
		}
		if slowly.Len() != all.Len() {
			t.Errorf("%d bytes were left, and %d when they came one by one", all.Len(), slowly.Len())
		}
		whole := append(bytes.Clone(head), behind...)[:taken]
		wantEnd(t, whole)
		if got.IsValid() && (got.Is4In6() || got.Zone() != "") {
			t.Errorf("got %v", got)
		}
		r := bufio.NewReader(io.MultiReader(bytes.NewReader(unspecified(whole)), bytes.NewReader(behind)))
		theirs, err := proxyproto.Read(r)
		if err != nil {
			t.Fatalf("the library refuses %q: %v", whole, err)
		}
		if rest, _ := io.ReadAll(r); !bytes.Equal(rest, behind) {
			t.Errorf("the library leaves %q behind %q, want %q", rest, whole, behind)
		}
		source, isTCP := theirs.SourceAddr.(*net.TCPAddr)
		if told := isTCP && !theirs.Command.IsLocal(); told != got.IsValid() || told && source.AddrPort().Addr().Unmap() != got {
			t.Errorf("got %v of %q, and the library %v", got, whole, theirs.SourceAddr)
		}
		if _, err := theirs.TLVs(); err != nil && !theirs.Command.IsLocal() {
			t.Errorf("%q: %v", whole, err)
		}
	})
}

// wantEnd fails when a header is not of the length that it gives itself.
func wantEnd(t *testing.T, head []byte) {
	t.Helper()
	if bytes.HasPrefix(head, []byte(signatureV2)) {
		if want := prefixV2 + int(binary.BigEndian.Uint16(head[14:])); len(head) != want {
			t.Errorf("%d bytes were taken, want %d", len(head), want)
		}
		return
	}
	if !bytes.HasPrefix(head, []byte("PROXY ")) || bytes.IndexByte(head, '\n') != len(head)-1 || !bytes.HasSuffix(head, []byte("\r\n")) || len(head) > longestV1 {
		t.Errorf("taken for a line: %q", head)
	}
}
