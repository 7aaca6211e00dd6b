package proxy

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// ticketFileSizes are those of nginx's ssl_session_ticket_key (48 and 80
// bytes), and of a plain 256-bit key.
var ticketFileSizes = []int{32, 48, 80}

// readTicketKeys reads the files of MTLS_TICKET_KEY_FILES: what tickets' keys
// are derived from, in the same order. All faults are reported at once, each
// with its path; none repeats what is in a file.
func readTicketKeys(paths []string) ([][]byte, error) {
	var material [][]byte
	var faults []error
	from := map[string]string{} // path by content
	for _, path := range paths {
		content, err := readTicketKey(path)
		if err == nil && from[string(content)] != "" {
			err = fmt.Errorf("holds the same bytes as %s; make each file anew, or name one only", from[string(content)])
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("MTLS_TICKET_KEY_FILES: %s: %w", path, err))
			continue
		}
		from[string(content)] = path
		material = append(material, content)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return material, nil
}

// readTicketKey reads one file. Its permissions matter more than a server
// key's: who can read it can make sessions of any client, and leave no trace.
func readTicketKey(path string) ([]byte, error) {
	file, info, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info.Mode()&0o006 != 0 {
		return nil, fmt.Errorf("may be read or written by everybody (mode %04o), who could then pass for any client; chmod it to 0440, in Kubernetes set defaultMode: 0440 on the volume, and fsGroup where the sidecar does not run as root",
			info.Mode().Perm())
	}
	content, err := io.ReadAll(io.LimitReader(file, int64(slices.Max(ticketFileSizes))+1))
	switch {
	case err != nil:
		return nil, unreadable(err)
	case !slices.Contains(ticketFileSizes, len(content)):
		return nil, fmt.Errorf("has %d bytes, and key material has 32, 48 or 80; make it with: openssl rand -out FILE 80", max(info.Size(), int64(len(content))))
	case bytes.Count(content, content[:1]) == len(content):
		return nil, errors.New("repeats one byte, so it is no key; make it with: openssl rand -out FILE 80")
	}
	return content, nil
}

// ticketKeys are the keys that seal and open session tickets: derived from the
// files that replicas share, or random ones of our own, which turn. It is safe
// for concurrent use.
type ticketKeys struct {
	mu     sync.Mutex
	period time.Duration // of the random keys
	shared [][32]byte    // derived; the first seals. Empty: random keys count
	own    [][32]byte    // random, newest first, two at most
	made   time.Time     // of own[0]
}

// minTicketKeyPeriod keeps a short MTLS_SESSION_TIMEOUT from turning the random
// keys all the time.
const minTicketKeyPeriod = 10 * time.Minute

// newTicketKeys makes keys of which the random ones turn once in a session's
// lifetime, but not more often than every ten minutes. A key opens for one
// period after it has sealed for one, so no ticket outlives its key.
func newTicketKeys(sessionTimeout time.Duration) *ticketKeys {
	return &ticketKeys{period: max(sessionTimeout, minTicketKeyPeriod)}
}

// use goes over to keys for these files and client CAs at the next apply; without
// any file, to the random ones, which live on. An error leaves all as it was;
// there is none unless crypto/hkdf refuses SHA-256.
func (k *ticketKeys) use(material [][]byte, cas []*x509.Certificate) error {
	info := ticketKeyInfo(cas)
	shared := make([][32]byte, 0, len(material))
	for _, content := range material {
		key, err := hkdf.Key(sha256.New, content, nil, info, 32)
		if err != nil {
			return fmt.Errorf("MTLS_TICKET_KEY_FILES: deriving a key: %w; report this as a fault of the program", err)
		}
		shared = append(shared, [32]byte(key))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.shared = shared
	return nil
}

// ticketKeyInfo ties keys to this program and to the set of client CAs, whatever
// their order: with one file for several servers, as is done with nginx, a session
// made under other CAs does not open here at all (CVE-2025-23419).
func ticketKeyInfo(cas []*x509.Certificate) string {
	digests := make([][sha256.Size]byte, 0, len(cas))
	for _, ca := range cas {
		digests = append(digests, sha256.Sum256(ca.Raw))
	}
	slices.SortFunc(digests, func(a, b [sha256.Size]byte) int { return bytes.Compare(a[:], b[:]) })
	set := sha256.New()
	for _, digest := range slices.Compact(digests) {
		set.Write(digest[:])
	}
	return "mtls-sidecar session tickets 1 " + string(set.Sum(nil))
}

// apply makes base, in use or about to be, seal and open with the keys of now. Call
// it for a new base before connections see it, and now and then for the random
// keys to turn.
func (k *ticketKeys) apply(base *tls.Config, now time.Time) {
	k.mu.Lock() // to the end, so that no older keys come last
	defer k.mu.Unlock()
	keys := k.shared
	if len(keys) == 0 {
		k.turn(now)
		keys = k.own
	}
	base.SetSessionTicketKeys(keys)
}

// turn makes a new random key when it is time. The previous one still opens, the
// one before that is forgotten.
func (k *ticketKeys) turn(now time.Time) {
	age := now.Sub(k.made)
	if len(k.own) > 0 && age >= 0 && age < k.period {
		return
	}
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	k.own = append([][32]byte{key}, k.own[:min(len(k.own), 1)]...)
	k.made = now
}
