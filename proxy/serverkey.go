package proxy

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/youmark/pkcs8"
)

// errPassphrase says that a key is encrypted and no pass phrase opened it.
var errPassphrase = errors.New("no pass phrase of MTLS_KEY_PASSPHRASE_FILE opens it; put the right one on a line of its own there")

// errEncrypted says that a key needs a pass phrase and there is none.
var errEncrypted = errors.New("is encrypted; set MTLS_KEY_PASSPHRASE_FILE to a file with its pass phrase")

// readPassphrases reads one pass phrase a line, as nginx's ssl_password_file.
func readPassphrases(path string) ([][]byte, error) {
	if path == "" {
		return nil, nil
	}
	text, err := readRegular(path)
	if err != nil {
		return nil, fmt.Errorf("MTLS_KEY_PASSPHRASE_FILE: %s: %w", path, err)
	}
	var phrases [][]byte
	for line := range bytes.Lines(text) {
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
			phrases = append(phrases, line)
		}
	}
	return phrases, nil
}

// readServerCertificate reads one certificate with its chain, and its key. The
// leaf is parsed once here, so that no handshake parses it again.
func readServerCertificate(certFile, keyFile string, passphrases [][]byte) (tls.Certificate, error) {
	chain, chainErr := readChain(certFile)
	if chainErr != nil {
		chainErr = fmt.Errorf("MTLS_CERT_FILE: %s: %w", certFile, chainErr)
	}
	key, keyErr := readKey(keyFile, passphrases)
	if keyErr != nil {
		keyErr = fmt.Errorf("MTLS_KEY_FILE: %s: %w", keyFile, keyErr)
	}
	if err := errors.Join(chainErr, keyErr); err != nil {
		return tls.Certificate{}, err
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(chain[0].PublicKey) {
		return tls.Certificate{}, fmt.Errorf(
			"MTLS_KEY_FILE: %s: is not the key of the first certificate (%s) in %s; the server's own certificate comes first, its intermediates after it", keyFile, chain[0].Subject, certFile)
	}
	certificate := tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, c := range chain {
		certificate.Certificate = append(certificate.Certificate, c.Raw)
	}
	return certificate, nil
}

func readChain(path string) ([]*x509.Certificate, error) {
	text, err := readRegular(path)
	if err != nil {
		return nil, err
	}
	var chain []*x509.Certificate
	for block := range pemBlocks(text) {
		if block.Type != "CERTIFICATE" && block.Type != "X509 CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d in it does not parse (%w); have it issued anew, or look at it with: openssl x509 -text", len(chain)+1, err)
		}
		chain = append(chain, certificate)
	}
	if len(chain) == 0 {
		return nil, errors.New("holds no certificate; a PEM file with a CERTIFICATE block is expected")
	}
	return chain, nil
}

// readKey reads the first private key of a PEM file, opening it with the pass
// phrases where it is encrypted.
func readKey(path string, passphrases [][]byte) (crypto.Signer, error) {
	text, err := readRegular(path)
	if err != nil {
		return nil, err
	}
	for block := range pemBlocks(text) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		der := [][]byte{block.Bytes}
		encrypted := block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != ""
		if encrypted && len(passphrases) == 0 {
			return nil, errEncrypted
		}
		if encrypted {
			if der, err = decryptKey(block, passphrases); err != nil {
				return nil, err
			}
		}
		return parseKey(der, encrypted)
	}
	return nil, errors.New("holds no private key; a PEM file with a PRIVATE KEY block is expected")
}

// decryptKey opens an encrypted block in each way that a pass phrase allows.
// The older form has no integrity check, so a wrong pass phrase may yield
// bytes: all candidates are returned for parseKey to tell apart.
func decryptKey(block *pem.Block, passphrases [][]byte) ([][]byte, error) {
	var candidates [][]byte
	reason := errPassphrase
	for _, phrase := range passphrases {
		if block.Headers["DEK-Info"] != "" {
			// RFC 1423 encryption is weak; the keys that people have are in it.
			der, err := x509.DecryptPEMBlock(block, phrase) //lint:ignore SA1019 reading, never writing, this form
			if err == nil {
				candidates = append(candidates, der)
			} else if !errors.Is(err, x509.IncorrectPasswordError) {
				reason = err
			}
			continue
		}
		key, err := pkcs8.ParsePKCS8PrivateKey(block.Bytes, phrase)
		if err != nil {
			if strings.Contains(err.Error(), "unsupported") || strings.Contains(err.Error(), "only PBES2") {
				reason = fmt.Errorf("is encrypted in a way that is not supported (%w); convert it with: openssl pkcs8 -topk8 -v2 aes-256-cbc", err)
			}
			continue
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, err
		}
		candidates = append(candidates, der)
	}
	if len(candidates) == 0 {
		return nil, reason
	}
	return candidates, nil
}

// parseKey reads PKCS#8, PKCS#1 or SEC 1 (RFC 5958, 8017, 5915), whichever the
// bytes are: files with the wrong label exist.
func parseKey(candidates [][]byte, encrypted bool) (crypto.Signer, error) {
	var last error
	for _, der := range candidates {
		var key any
		var err error
		if key, err = x509.ParsePKCS8PrivateKey(der); err != nil {
			if rsaKey, e := x509.ParsePKCS1PrivateKey(der); e == nil {
				key, err = rsaKey, nil
			} else if ecKey, e := x509.ParseECPrivateKey(der); e == nil {
				key, err = ecKey, nil
			}
		}
		if err != nil {
			last = err
			continue
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("holds a key of a kind that cannot sign (%T); use an RSA, ECDSA or Ed25519 key", key)
		}
		return signer, nil
	}
	if encrypted {
		return nil, errPassphrase
	}
	return nil, fmt.Errorf("its private key does not parse (%w); look at it with: openssl pkey -text", last)
}

// keyStrength is the kind and size of a public key, for people.
func keyStrength(public crypto.PublicKey) (kind string, bits int) {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return "RSA", key.N.BitLen()
	case *ecdsa.PublicKey:
		return "ECDSA", key.Curve.Params().BitSize
	default:
		return strings.TrimPrefix(fmt.Sprintf("%T", public), "*"), 0
	}
}

// pemBlocks yields the PEM blocks of text, passing over what is between them.
func pemBlocks(text []byte) func(yield func(*pem.Block) bool) {
	return func(yield func(*pem.Block) bool) {
		for {
			var block *pem.Block
			if block, text = pem.Decode(text); block == nil || !yield(block) {
				return
			}
		}
	}
}
