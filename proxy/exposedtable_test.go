package proxy

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The kernel writes each 32-bit word in the machine's order: proc_net_tcp.rst.
func TestTheKernelsAddressesAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"0100007F:1F90":                         "127.0.0.1:8080",
		"00000000:0050":                         "0.0.0.0:80",
		"0A01A8C0:FFFF":                         "192.168.1.10:65535",
		"00000000000000000000000000000000:1F90": "[::]:8080",
		"00000000000000000000000001000000:1F90": "[::1]:8080",
		"0000000000000000FFFF00000100007F:1F90": "[::ffff:127.0.0.1]:8080",
		"B80D01200000000000000000010000AB:01BB": "[2001:db8::ab00:1]:443",
	} {
		if got, err := procAddress(text); err != nil || got.String() != want {
			t.Errorf("%s: got %s and %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", ":", "0100007F", "0100007F:", "0100007F:10000", "0100007:1F90", "0100007G:1F90", "0100007F00:1F90"} {
		if got, err := procAddress(text); err == nil {
			t.Errorf("%q: got %s, want an error", text, got)
		}
	}
}

const socketTable = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0A01A8C0:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0
   2: 0A01A8C0:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0
   3: 0B01A8C0:1F90 0A01A8C0:8888 01 00000000:00000000 00:00000000 00000000     0        0 4 1 0 100 0 0 10 0
   4: 0C01A8C0:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5 1 0 100 0 0 10 0
   5: 0000000000000000FFFF00000D01A8C0:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000
   6: garbage       00000000:0000 0A
   7: short
`

func TestATableOfSocketsIsReadWhateverElseIsInIt(t *testing.T) {
	table := inFolder(t, "tcp", []byte(socketTable))
	for _, test := range []struct{ listen, admin, want string }{
		{":8443", ":9902", "192.168.1.10:8080 192.168.1.13:8080"},
		{"192.168.1.10:8080", ":9902", "192.168.1.13:8080"}, // the sidecar itself
		{":8443", "[::ffff:192.168.1.13]:8080", "192.168.1.10:8080"},
		{"192.168.1.10:8443", "unix:///run/admin", "192.168.1.10:8080 192.168.1.13:8080"},
	} {
		var found listeners
		environment(t, "MTLS_LISTEN_ADDR="+test.listen, "MTLS_ADMIN_ADDR="+test.admin).judgeListeners(&found, tableListeners(table, 8080))
		if got := strings.Join(found.outside, " "); got != test.want || !found.seen {
			t.Errorf("%s, %s: got %q, %t, want %q", test.listen, test.admin, got, found.seen, test.want)
		}
	}
	for path, port := range map[string]uint16{table: 8082, filepath.Join(t.TempDir(), "none"): 8080} {
		if got := tableListeners(path, port); got != nil {
			t.Errorf("%s, port %d: got %s, and nobody listens", path, port, got)
		}
	}
}

// Where the kernel answers, nobody reads the tables: so both are held to the same.
func TestTheKernelAndItsTablesTellTheSame(t *testing.T) {
	linuxOnly(t)
	for _, test := range []struct{ network, address, want string }{
		{"tcp4", "127.0.0.1", "127.0.0.1"},
		{"tcp4", "127.1.2.3", "127.1.2.3"},
		{"tcp6", "::1", "::1"},
		{"tcp4", "0.0.0.0", "0.0.0.0"},
		{"tcp", "", "::"},
		{"tcp6", "::", "::"},
	} {
		_, text := listening(t, test.network, test.address)
		number, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		port := uint16(number)
		want := netip.AddrPortFrom(netip.MustParseAddr(test.want), port)
		if got := append(tableListeners("/proc/self/net/tcp", port), tableListeners("/proc/self/net/tcp6", port)...); !slices.Equal(got, []netip.AddrPort{want}) {
			t.Errorf("the tables: got %s, want %s", got, want)
		}
		got, err := askKernel(port)
		if err != nil {
			absent(t, "%v", err)
		}
		if !slices.Equal(got, []netip.AddrPort{want}) {
			t.Errorf("the kernel: got %s, want %s", got, want)
		}
	}
}

// A busy machine has a hundred thousand connections, and the kernel takes its time
// to write each of them down. Those who listen come first.
func TestALongTableOfSocketsIsNotReadToItsEnd(t *testing.T) {
	const listens = "   0: 0A01A8C0:1F90 00000000:0000 0A 00000000:00000000\n"
	const connected = "   3: 0B01A8C0:1F90 0A01A8C0:8888 01 00000000:00000000\n"
	for _, test := range []struct{ between, want int }{{0, 2}, {otherSockets - 1, 2}, {100_000, 1}} {
		table := strings.NewReader(listens + strings.Repeat(connected, test.between) + listens + strings.Repeat(connected, 100_000))
		if got := len(listenersIn(table, 8080)); got != test.want {
			t.Errorf("%d connections between two listeners: got %d, want %d", test.between, got, test.want)
		}
		if table.Len() < 80_000*len(connected) {
			t.Errorf("%d connections between two listeners: only %d bytes were left unread", test.between, table.Len())
		}
	}
}

func TestTheTablesAreReadWhereTheKernelDoesNotAnswer(t *testing.T) {
	linuxOnly(t)
	_, text := listening(t, "tcp4", "0.0.0.0")
	number, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	tables := []netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(number))}
	for _, test := range []struct {
		name      string
		connected bool
		answers   error
		want      []netip.AddrPort
	}{
		{"no answer", false, syscall.EAFNOSUPPORT, tables},
		{"no answer, and somebody is connected", true, syscall.EAFNOSUPPORT, tables},
		{"nobody listens", false, nil, nil},
		{"nobody listens, and somebody is connected", true, nil, tables},
	} {
		looked := listeners{connected: test.connected}
		got := looked.addresses(uint16(number), func(uint16) ([]netip.AddrPort, error) { return nil, test.answers })
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}
