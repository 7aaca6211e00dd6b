package main

import (
	"bytes"
	"crypto"
	cryptorand "crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mtls-sidecar/proxy/pki"
)

// What every answer is, byte for byte.
const (
	smallAnswer = "hello world\n"
	kibibytes64 = 64 << 10
	mebibyte    = 1 << 20
)

// pattern are bytes in which no part looks like another, so that what is missing, twice
// or moved shows. Both ends make the same ones.
func pattern(size int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	all := make([]byte, 0, size+8)
	for len(all) < size {
		n := random.Uint64()
		all = append(all, byte(n), byte(n>>8), byte(n>>16), byte(n>>24), byte(n>>32), byte(n>>40), byte(n>>48), byte(n>>56))
	}
	return all[:size]
}

// world is what all peers share: the certificates, and the folder with their files.
type world struct {
	folder  string
	ca      *pki.Authority
	leaves  [][]byte // what servers have, in DER
	client  *tls.Certificate
	chained *tls.Certificate // the same client with a large chain
	rsa     *tls.Certificate // the same client with an RSA key; nil until makeRSA
}

// largeChain is how many intermediates the large client chain has, and names how many
// alternative names its leaf: some 10 KiB in all.
const (
	largeChain = 8
	names      = 150
)

// newWorld makes certificates with ECDSA P-256 keys.
func newWorld(folder string) (*world, error) {
	ca, err := pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: "Bench CA"}})
	if err != nil {
		return nil, err
	}
	client, err := ca.Issue(clientOptions())
	if err != nil {
		return nil, err
	}
	w := &world{folder: folder, ca: ca, client: &client}
	if err := w.makeServer("", nil); err != nil {
		return nil, err
	}
	if err := w.makeChain(); err != nil {
		return nil, err
	}
	for name, text := range map[string][]byte{
		"ca.crt": pki.CertPEM(ca.Cert), "answers/64k": pattern(kibibytes64), "answers/1m": pattern(mebibyte),
	} {
		if err := w.write(name, text); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// makeServer makes a server's certificate, whose files begin with a prefix; no key means
// a new one with ECDSA P-256.
func (w *world) makeServer(prefix string, key crypto.Signer) error {
	server, err := w.ca.Issue(pki.Options{Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, Key: key})
	if err != nil {
		return err
	}
	text, err := pki.KeyPEM(server.PrivateKey)
	if err != nil {
		return err
	}
	w.leaves = append(w.leaves, server.Certificate[0])
	return errors.Join(w.write(prefix+"server.crt", pki.ChainPEM(server)), w.write(prefix+"server.key", text),
		w.write(prefix+"server.pem", append(pki.ChainPEM(server), text...)))
}

// rsaPrefix begins the names of files with RSA-2048 keys.
const rsaPrefix = "rsa-"

// makeRSA makes certificates with RSA-2048 keys, once.
func (w *world) makeRSA() error {
	if w.rsa != nil {
		return nil
	}
	var keys [2]*rsa.PrivateKey
	for i := range keys {
		var err error
		if keys[i], err = rsa.GenerateKey(cryptorand.Reader, 2048); err != nil {
			return err
		}
	}
	options := clientOptions()
	options.Key = keys[0]
	client, err := w.ca.Issue(options)
	if err != nil {
		return err
	}
	w.rsa = &client
	return w.makeServer(rsaPrefix, keys[1])
}

// clientName is what the peers must tell the application.
const clientName = "bench-client"

func clientOptions() pki.Options {
	return pki.Options{Subject: pkix.Name{CommonName: clientName, Organization: []string{"Bench"}}}
}

func (w *world) makeChain() error {
	issuer := w.ca
	var between []*x509.Certificate
	for i := range largeChain {
		next, err := issuer.Intermediate(pki.Options{Subject: pkix.Name{CommonName: fmt.Sprintf("Bench Intermediate %d", i+1)}})
		if err != nil {
			return err
		}
		issuer, between = next, append([]*x509.Certificate{next.Cert}, between...)
	}
	options := clientOptions()
	for i := range names {
		options.DNSNames = append(options.DNSNames, fmt.Sprintf("service-%d.department.example.com", i))
	}
	leaf, err := issuer.Issue(options)
	if err != nil {
		return err
	}
	chained := pki.With(leaf, between...)
	w.chained = &chained
	return nil
}

// write writes a file of the world.
func (w *world) write(name string, text []byte) error {
	path := filepath.Join(w.folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// revokedEntries is how many certificates the large list has.
const revokedEntries = 100_000

// revocationList makes a list that the client is not on, and returns its path.
func (w *world) revocationList() (string, error) {
	revoked := make([]*x509.Certificate, revokedEntries)
	base := new(big.Int).Lsh(big.NewInt(1), 126)
	for i := range revoked {
		revoked[i] = &x509.Certificate{SerialNumber: new(big.Int).Add(base, big.NewInt(int64(i)*7919))}
	}
	list, err := w.ca.CRL(1, revoked...)
	if err != nil {
		return "", err
	}
	path := filepath.Join(w.folder, "revoked.pem")
	return path, os.WriteFile(path, list, 0o600)
}

// clientTLS is how the load connects: the same key exchange with everybody, since what
// Go offers first (ML-KEM) OpenSSL has had for a short time only.
func (w *world) clientTLS(certificate *tls.Certificate) *tls.Config {
	return &tls.Config{
		ServerName: "localhost", InsecureSkipVerify: true, // one certificate is known, and compared below
		CurvePreferences: []tls.CurveID{tls.X25519}, MinVersion: tls.VersionTLS13,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil },
		VerifyConnection: func(state tls.ConnectionState) error {
			for _, leaf := range w.leaves {
				if len(state.PeerCertificates) > 0 && bytes.Equal(state.PeerCertificates[0].Raw, leaf) {
					return nil
				}
			}
			return errors.New("the server has another certificate")
		},
	}
}

// machine says where this was measured, and when.
func machine(now time.Time) string {
	model := "a processor without a name"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, is := strings.Cut(line, ":"); is && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		kernel = []byte("unknown")
	}
	return fmt.Sprintf("%s, Linux %s, %s", model, strings.TrimSpace(string(kernel)), now.UTC().Format(time.DateOnly))
}
