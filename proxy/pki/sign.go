package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	_ "crypto/md5" // crypto.MD5.New, for signatures that must be refused
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // crypto.SHA1.New, likewise
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

// algorithm pairs an AlgorithmIdentifier with what crypto.Signer must be told.
type algorithm struct {
	identifier pkix.AlgorithmIdentifier
	hash       crypto.Hash // zero: the message itself is signed (Ed25519)
}

// algorithmFor names the signature; zero want means the usual one for key.
func algorithmFor(key crypto.Signer, want x509.SignatureAlgorithm) (algorithm, error) {
	if want == 0 {
		switch pub := key.Public().(type) {
		case *rsa.PublicKey:
			want = x509.SHA256WithRSA
		case *ecdsa.PublicKey:
			switch size := pub.Curve.Params().BitSize; {
			case size > 384:
				want = x509.ECDSAWithSHA512
			case size > 256:
				want = x509.ECDSAWithSHA384
			default:
				want = x509.ECDSAWithSHA256
			}
		case ed25519.PublicKey:
			want = x509.PureEd25519
		}
	}
	// RFC 4055 §5: PKCS #1 v1.5 identifiers carry a NULL, RFC 5758 §3.2 and
	// RFC 8410 §3: the others carry nothing.
	rsaOID := func(last int, hash crypto.Hash) (algorithm, error) {
		return algorithm{pkix.AlgorithmIdentifier{
			Algorithm:  asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, last},
			Parameters: asn1.NullRawValue,
		}, hash}, nil
	}
	plain := func(oid asn1.ObjectIdentifier, hash crypto.Hash) (algorithm, error) {
		return algorithm{pkix.AlgorithmIdentifier{Algorithm: oid}, hash}, nil
	}
	switch want {
	case x509.MD5WithRSA:
		return rsaOID(4, crypto.MD5)
	case x509.SHA1WithRSA:
		return rsaOID(5, crypto.SHA1)
	case x509.SHA256WithRSA:
		return rsaOID(11, crypto.SHA256)
	case x509.SHA384WithRSA:
		return rsaOID(12, crypto.SHA384)
	case x509.SHA512WithRSA:
		return rsaOID(13, crypto.SHA512)
	case x509.ECDSAWithSHA1:
		return plain(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}, crypto.SHA1)
	case x509.ECDSAWithSHA256:
		return plain(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, crypto.SHA256)
	case x509.ECDSAWithSHA384:
		return plain(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}, crypto.SHA384)
	case x509.ECDSAWithSHA512:
		return plain(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}, crypto.SHA512)
	case x509.PureEd25519:
		return plain(asn1.ObjectIdentifier{1, 3, 101, 112}, 0)
	}
	return algorithm{}, fmt.Errorf("signing with %v by a %T is not offered", want, key)
}

// seal signs the TBSCertificate and wraps both.
func seal(tbs []byte, key crypto.Signer, alg algorithm) ([]byte, error) {
	message := tbs
	if alg.hash != 0 {
		h := alg.hash.New()
		h.Write(tbs)
		message = h.Sum(nil)
	}
	signature, err := key.Sign(rand.Reader, message, alg.hash)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return asn1.Marshal(certificate{
		TBS:       asn1.RawValue{FullBytes: tbs},
		Algorithm: alg.identifier,
		Signature: asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)},
	})
}
