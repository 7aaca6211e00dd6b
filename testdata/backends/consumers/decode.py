"""Reads the client's certificate out of every header that carries one whole,
with the cryptography package, by what each terminator's documentation says.

The answer is JSON: "certificates", by header the SHA-256 of each one's DER in
hexadecimal; "facts", by header what cryptography makes of the certificate itself,
as the terminator would write it; "headers", what came.
"""

import base64
import http.server
import json
import re
import signal
import sys
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes


def pems(text):
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?", text)
    if "".join(blocks) != text:
        raise ValueError("not PEM blocks alone: %r" % text)
    return [x509.load_pem_x509_certificate(block.encode()) for block in blocks]


def escaped(text):
    """Java's decoder and a form's take + for a space; here none may matter."""
    if urllib.parse.unquote_plus(text) != urllib.parse.unquote(text):
        raise ValueError("a + that some take for a space")
    return pems(urllib.parse.unquote(text))


def escaped_alb(text):
    return pems(urllib.parse.unquote(text))


def spaced(text):
    """Line feeds have become spaces, those of BEGIN CERTIFICATE were spaces before."""
    begin, end = "-----BEGIN CERTIFICATE----- ", " -----END CERTIFICATE-----"
    text = text.rstrip(" ")
    if not (text.startswith(begin) and text.endswith(end)):
        raise ValueError("no armour around %r" % text)
    body = text[len(begin):-len(end)].replace(" ", "\n")
    return pems(begin.rstrip() + "\n" + body + "\n" + end.lstrip() + "\n")


def base64_der(text):
    return [x509.load_der_x509_certificate(base64.b64decode(text, validate=True))]


def commas(text):
    return [base64_der(part)[0] for part in text.split(",")]


def concatenated(text):
    """DER after DER: each begins 0x30 0x82 and two bytes of length, as
    certificates of 256 bytes and more do."""
    rest, found = base64.b64decode(text, validate=True), []
    while rest:
        if rest[:2] != b"\x30\x82":
            raise ValueError("not DER")
        end = 4 + int.from_bytes(rest[2:4], "big")
        found.append(x509.load_der_x509_certificate(rest[:end]))
        rest = rest[end:]
    return found


def sequences(text):
    """RFC 8941 section 3.3.5, one or a list of them."""
    found = []
    for item in text.split(", "):
        if not (item.startswith(":") and item.endswith(":")):
            raise ValueError("no colons around %r" % item)
        found.append(base64_der(item[1:-1])[0])
    return found


def element(key):
    return lambda text: escaped(re.search(r'(?:^|;)%s="([^"]*)"' % key, text).group(1))


# By preset, which headers hold certificates and how they are read.
READERS = {
    "ingress-nginx": {"ssl-client-cert": escaped},
    "xfcc": {"X-Forwarded-Client-Cert": element("Cert")},
    "rfc9440": {"Client-Cert": sequences, "Client-Cert-Chain": sequences},
    "haproxy": {"X-SSL-Client-DER": base64_der},
    "traefik": {"X-Forwarded-Tls-Client-Cert": commas},
    "aws-alb": {"X-Amzn-Mtls-Clientcert-Leaf": escaped_alb, "X-Amzn-Mtls-Clientcert": escaped_alb},
    "apache": {"SSL_CLIENT_CERT": spaced},
    "tomcat": {"ssl_client_cert": spaced},
    "puppet": {"X-Client-Cert": escaped},
    "foreman": {"SSL-CLIENT-CERT": spaced},
    "aspnet": {"X-Client-Cert": base64_der},
    "azure": {"X-ARR-ClientCert": base64_der},
    "gcp": {"X-Client-Cert-Leaf": sequences, "X-Client-Cert-Chain": sequences},
    "cloudflare": {"Cf-Client-Cert-Der-Base64": base64_der},
    "keycloak-haproxy": {"Client-Cert": base64_der, "Client-Cert-Chain": concatenated},
}


def names(cert, kind):
    """The alternative names of one kind, none when there is no such extension."""
    try:
        extension = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return extension.value.get_values_for_type(kind)


def base64_list(values):
    return ",".join(base64.b64encode(value.encode()).decode() for value in values)


def facts(preset, cert):
    """What the terminator would write of this certificate beside it; nothing
    where it would be empty."""
    start, end = cert.not_valid_before, cert.not_valid_after
    sha256 = cert.fingerprint(hashes.SHA256())
    serial = "%X" % cert.serial_number
    serial = "0" * (len(serial) % 2) + serial  # whole bytes, as OpenSSL prints them
    subject, issuer = cert.subject.rfc4514_string(), cert.issuer.rfc4514_string()
    uris, stamp, iso = names(cert, x509.UniformResourceIdentifier), "%y%m%d%H%M%SZ", "%Y-%m-%dT%H:%M:%S"
    all_facts = {
        "ingress-nginx": {"ssl-client-subject-dn": subject, "ssl-client-issuer-dn": issuer},
        "haproxy": {
            "X-SSL-Client-SHA1": cert.fingerprint(hashes.SHA1()).hex().upper(),
            "X-SSL-Client-Serial": serial,
            "X-SSL-Client-Version": str(cert.version.value + 1),
            "X-SSL-Client-CN": cert.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value,
            "X-SSL-Client-DN": "/" + "/".join(a.rfc4514_string() for a in cert.subject),
            "X-SSL-Issuer": "/" + "/".join(a.rfc4514_string() for a in cert.issuer),
            "X-SSL-Client-NotBefore": start.strftime(stamp),
            "X-SSL-Client-NotAfter": end.strftime(stamp),
        },
        "aws-alb": {
            "X-Amzn-Mtls-Clientcert-Serial-Number": serial,
            "X-Amzn-Mtls-Clientcert-Subject": subject,
            "X-Amzn-Mtls-Clientcert-Issuer": issuer,
            "X-Amzn-Mtls-Clientcert-Validity": "NotBefore=%sZ;NotAfter=%sZ" % (start.strftime(iso), end.strftime(iso)),
        },
        "apache": {"SSL_CLIENT_S_DN": subject, "SSL_CLIENT_I_DN": issuer, "SSL_CLIENT_M_SERIAL": serial},
        "foreman": {"SSL-CLIENT-S-DN": subject},
        "puppet": {"X-Client-DN": "CN=" + cert.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value},
        "gcp": {
            "X-Client-Cert-Hash": base64.b64encode(sha256).decode(),
            "X-Client-Cert-SPIFFE": uris[0] if len(uris) == 1 else "",
            # The SPIFFE ID is not in the list too.
            "X-Client-Cert-URI-SANs": base64_list([u for u in uris if not u.startswith("spiffe://")]),
            "X-Client-Cert-DNSName-SANs": base64_list(names(cert, x509.DNSName)),
            "X-Client-Cert-Valid-Not-Before": start.strftime(iso) + "+00:00",
            "X-Client-Cert-Valid-Not-After": end.strftime(iso) + "+00:00",
            "X-Client-Cert-Issuer-Dn": base64.b64encode(cert.issuer.public_bytes()).decode(),
            "X-Client-Cert-Subject-Dn": base64.b64encode(cert.subject.public_bytes()).decode(),
        },
        "cloudflare": {"Cf-Client-Cert-Sha256": sha256.hex()},
    }
    return {header: value for header, value in all_facts.get(preset, {}).items() if value}


def read(preset, headers):
    found, first = {}, None
    for name, reader in READERS[preset].items():
        values = headers.get_all(name)
        if values is None:
            continue
        if len(values) > 1:
            raise ValueError("%s came %d times" % (name, len(values)))
        certificates = reader(values[0])
        first = first or certificates[0]
        found[name] = [c.fingerprint(hashes.SHA256()).hex() for c in certificates]
    return {"certificates": found, "facts": facts(preset, first) if first else {}, "fault": ""}


class Handler(http.server.BaseHTTPRequestHandler):
    """GET /PRESET."""

    def do_GET(self):
        try:
            told = read(self.path.lstrip("/"), self.headers)
        except Exception as err:  # whatever a parser says is for the test to see
            told = {"certificates": {}, "facts": {}, "fault": repr(err)}
        told["headers"] = self.headers.items()
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(json.dumps({"listening": server.server_port}), flush=True)
server.serve_forever()
