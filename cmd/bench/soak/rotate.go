package soak

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"mtls-sidecar/proxy/pki"
)

// servers are all certificates that the server has had.
type servers struct {
	mu     sync.Mutex
	leaves [][]byte
}

// rotator changes what the sidecar goes by, one thing at a time: only so it is known
// what may be true meanwhile.
type rotator struct {
	*day
	random                   *rand.Rand
	server, ca, crl, tickets *volume
	files                    struct{ server, ca, crl, tickets files } // in force
	numbers                  [listCount]int64
	keys                     int
	made                     map[string]int
	damaged                  int
}

// The revocation lists: one of each CA, and one of the intermediate's.
const (
	intermediateList = caCount
	listCount        = caCount + 1
)

func (r *rotator) authority(list int) *pki.Authority {
	if list == intermediateList {
		return r.people.intermediate
	}
	return r.people.cas[list]
}

// change is one that the rotator makes; chance is how often, in proportion.
type change struct {
	name   string
	chance int
	make   func(context.Context) error
}

func (r *rotator) changes() []change {
	return []change{
		{"server certificate", 4, r.newServer},
		{"CA added or removed", 5, r.turnCA},
		{"client revoked", 8, r.revoke},
		{"client suspended or taken back", 3, r.suspend},
		{"revocation list renewed", 2, r.renewList},
		{"revocation list damaged, then mended", 2, r.damageList},
		{"CA file damaged, then mended", 1, r.damageCA},
		{"server key of another, then mended", 1, r.damageServer},
		{"ticket keys", 2, r.newTickets},
		{"SIGHUP with nothing new", 1, r.hangUp},
	}
}

// rotate makes changes until the context ends.
func (r *rotator) rotate(ctx context.Context) {
	var bag []change
	for _, one := range r.changes() {
		for range one.chance {
			bag = append(bag, one)
		}
	}
	for wait(ctx, r.options.rotation()/2+time.Duration(r.random.Int64N(int64(r.options.rotation())))) {
		one := pick(r.random, bag)
		// What is begun is brought to its end, or nobody would know what is true.
		if err := one.make(context.WithoutCancel(ctx)); err != nil {
			r.faults.add(notInForce, nil, "%s: %v", one.name, err)
			return
		}
		r.made[one.name]++
	}
}

// hasten sends SIGHUP after some changes, so that they are not always found by looking.
func (r *rotator) hasten() error {
	if r.random.IntN(3) > 0 {
		return nil
	}
	return syscall.Kill(r.sidecar.Pid(), syscall.SIGHUP)
}

func (r *rotator) newServer(ctx context.Context) error {
	return r.turn(ctx, func(s *state) { s.server++ })
}

func (r *rotator) turnCA(ctx context.Context) error {
	which := comingCA + r.random.IntN(2)
	return r.turn(ctx, func(s *state) { s.trusted[which] = !s.trusted[which] })
}

func (r *rotator) revoke(ctx context.Context) error {
	gone := r.people.leaving(1 + r.random.IntN(4))
	return r.turn(ctx, func(s *state) {
		for _, one := range gone {
			s.revoked[one] = true
		}
	})
}

func (r *rotator) suspend(ctx context.Context) error {
	return r.turn(ctx, func(s *state) {
		if s.revoked[r.people.suspended] {
			delete(s.revoked, r.people.suspended)
		} else {
			s.revoked[r.people.suspended] = true
		}
	})
}

func (r *rotator) renewList(ctx context.Context) error {
	r.numbers[steadyCA]++
	return r.turn(ctx, func(*state) {})
}

// turn begins an epoch, writes what it says, and waits until it is in force.
func (r *rotator) turn(ctx context.Context, change func(*state)) error {
	before := r.truth.last()
	after := before.clone()
	change(&after)
	if after.server != before.server {
		if err := r.makeServer(); err != nil {
			return err
		}
	}
	r.truth.begin(change)
	if err := errors.Join(r.write(&before, &after), r.hasten()); err != nil {
		return err
	}
	if err := r.awaitForce(ctx, &after); err != nil {
		return err
	}
	r.truth.confirm()
	return nil
}

// write puts the files that differ; before is nil at the start.
func (r *rotator) write(before, after *state) error {
	var err error
	if before == nil || before.trusted != after.trusted {
		err = errors.Join(err, r.writeCAs(after))
	}
	if before == nil || before.trusted == after.trusted && before.server == after.server {
		err = errors.Join(err, r.writeLists(after))
	}
	if before == nil || before.server != after.server {
		err = errors.Join(err, r.server.put(r.files.server))
	}
	return err
}

func (r *rotator) writeCAs(s *state) error {
	var bundle []*x509.Certificate
	for i, ca := range r.people.cas {
		if s.trusted[i] {
			bundle = append(bundle, ca.Cert)
		}
	}
	r.files.ca = files{"ca.crt": pki.CertPEM(bundle...)}
	return r.ca.put(r.files.ca)
}

// writeLists makes those lists anew that CAs publish at this time: of the first and the
// intermediate CA, whose clients come and go.
func (r *rotator) writeLists(s *state) error {
	if r.files.crl == nil {
		r.files.crl = files{}
	}
	for list := range listCount {
		name := listName(list)
		if list != steadyCA && list != intermediateList && r.files.crl[name] != nil {
			continue
		}
		var revoked []*x509.Certificate
		for one := range s.revoked {
			if r.issuerOf(one) == list {
				revoked = append(revoked, one.leaf)
			}
		}
		r.numbers[list]++
		text, err := r.authority(list).CRL(r.numbers[list], revoked...)
		if err != nil {
			return err
		}
		r.files.crl[name] = text
	}
	return r.crl.put(r.files.crl)
}

func listName(list int) string { return fmt.Sprintf("list-%d.pem", list) }

func (r *rotator) issuerOf(one *person) int {
	if string(one.leaf.RawIssuer) == string(r.people.intermediate.Cert.RawSubject) {
		return intermediateList
	}
	return one.ca
}

// makeServer makes the next certificate of the server, and knows it before anybody can see it.
func (r *rotator) makeServer() error {
	number := len(r.servers.leaves)
	server, err := r.people.cas[steadyCA].Issue(pki.Options{Subject: pkix.Name{CommonName: fmt.Sprintf("localhost %d", number)}, DNSNames: []string{"localhost"},
		EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err != nil {
		return err
	}
	key, err := pki.KeyPEM(server.PrivateKey)
	if err != nil {
		return err
	}
	r.files.server = files{"tls.pem": append(pki.ChainPEM(server), key...)}
	r.servers.mu.Lock()
	defer r.servers.mu.Unlock()
	r.servers.leaves = append(r.servers.leaves, server.Certificate[0])
	return nil
}

func (r *rotator) newTickets(ctx context.Context) error {
	before, err := r.metrics()
	if err != nil {
		return err
	}
	r.keys++
	if err := errors.Join(r.writeTickets(), r.hasten()); err != nil {
		return err
	}
	return r.until(ctx, "new ticket keys", func() (bool, error) {
		now, err := r.metrics()
		return err == nil && now[reloadedTickets] > before[reloadedTickets], err
	})
}

const reloadedTickets = `mtls_reloads_total{kind="tickets",result="success"}`

func (r *rotator) writeTickets() error {
	key := func(n int) []byte { return fmt.Appendf(nil, "soak ticket key %064d", n) }
	r.files.tickets = files{"ticket.key": key(r.keys), "ticket.old": key(r.keys - 1)}
	return r.tickets.put(r.files.tickets)
}

func (r *rotator) hangUp(context.Context) error {
	return syscall.Kill(r.sidecar.Pid(), syscall.SIGHUP)
}

func hashOf(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// prepare makes the folders and their first files, and returns the sidecar's settings for them.
func (r *rotator) prepare(folder string, first *state) ([]string, error) {
	var err error
	for name, to := range map[string]**volume{"tls": &r.server, "ca": &r.ca, "crl": &r.crl, "tickets": &r.tickets} {
		var one error
		*to, one = newVolume(filepath.Join(folder, name), true)
		err = errors.Join(err, one)
	}
	if err != nil {
		return nil, err
	}
	// Which of them is renamed, and which swapped, is a matter of the seed.
	for _, one := range []*volume{r.server, r.ca, r.crl, r.tickets} {
		one.swaps = r.random.IntN(2) == 0
	}
	if err := errors.Join(r.makeServer(), r.write(nil, first), r.writeTickets()); err != nil {
		return nil, err
	}
	if err := os.Chmod(folder, 0o700); err != nil {
		return nil, err
	}
	return []string{"MTLS_CERT_FILE=" + r.server.at("tls.pem"), "MTLS_KEY_FILE=" + r.server.at("tls.pem"), "MTLS_CLIENT_CA_FILE=" + r.ca.at("ca.crt"),
		"MTLS_CRL=" + r.crl.folder, "MTLS_TICKET_KEY_FILES=" + r.tickets.at("ticket.key") + "," + r.tickets.at("ticket.old")}, nil
}
