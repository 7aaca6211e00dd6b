"""Applications that each read a path in their own way and guard nothing: what is
meant for believed clients alone is under /admin/ and at /tasks, and says so in its
body. One port for each; the first argument is a folder to serve."""

import functools
import http.server
import json
import posixpath
import socketserver
import sys
import threading
import unicodedata
import urllib.parse
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

import bottle
import werkzeug.exceptions
import werkzeug.routing
import werkzeug.utils
import werkzeug.wrappers

SECRET = b"PROTECTED\n"
ROOT = sys.argv[1]


def guarded(path):
    return path == "/admin" or path.startswith("/admin/") or path == "/tasks"


def by_reading(read):
    """A WSGI application that answers with what is guarded when read(environ) names it."""

    def application(environ, start_response):
        try:
            body = SECRET if guarded(read(environ)) else b"open\n"
            start_response("200 OK", [("Content-Length", str(len(body)))])
        except ValueError:
            body = b"unreadable\n"
            start_response("400 Bad Request", [("Content-Length", str(len(body)))])
        return [body]

    return application


def path_info(environ):
    """PATH_INFO as text: PEP 3333 has its bytes as Latin-1."""
    return environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")


def segments(environ):
    return "/" + "/".join(s for s in path_info(environ).split("/") if s)


def without_marks(text):
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def overlong(raw):
    """What a decoder makes of UTF-8 that does not ask for the shortest form."""
    out, i = bytearray(), 0
    lengths = {0xC0: 2, 0xC1: 2, 0xE0: 3, 0xF0: 4}
    while i < len(raw):
        n = lengths.get(raw[i], 1)
        value = raw[i] & 1 if n > 1 else raw[i]
        for c in raw[i + 1 : i + n]:
            value = value << 6 | c & 0x3F
        if n > 1 and value < 0x80 and i + n <= len(raw):
            out.append(value)
            i += n
        else:
            out.append(raw[i])
            i += 1
    return out.decode("latin-1")


def flask_like():
    """Routing as Flask does it: werkzeug merges slashes by redirecting."""
    rules = [
        werkzeug.routing.Rule("/admin/", endpoint="secret"),
        werkzeug.routing.Rule("/admin/<path:page>", endpoint="secret"),
        werkzeug.routing.Rule("/tasks", endpoint="secret", strict_slashes=False),
        werkzeug.routing.Rule("/<path:page>", endpoint="open"),
        werkzeug.routing.Rule("/", endpoint="open"),
    ]
    table = werkzeug.routing.Map(rules)

    @werkzeug.wrappers.Request.application
    def application(request):
        try:
            endpoint, _ = table.bind_to_environ(request.environ).match()
        except werkzeug.exceptions.HTTPException as answer:
            return answer.get_response(request.environ)
        return werkzeug.wrappers.Response(SECRET if endpoint == "secret" else b"open\n")

    return application


def werkzeug_files():
    @werkzeug.wrappers.Request.application
    def application(request):
        try:
            return werkzeug.utils.send_from_directory(ROOT, request.path.lstrip("/"), request.environ)
        except werkzeug.exceptions.HTTPException as answer:
            return answer.get_response(request.environ)

    return application


def bottle_routes():
    app = bottle.Bottle()
    app.route("/admin", callback=lambda: SECRET)
    app.route("/admin/<page:path>", callback=lambda page: SECRET)
    app.route("/admin/", callback=lambda: SECRET)
    app.route("/tasks", callback=lambda: SECRET)
    app.route("/<page:path>", callback=lambda page: b"open\n")
    return app


def bottle_files():
    app = bottle.Bottle()
    app.route("/<page:path>", callback=lambda page: bottle.static_file(page, root=ROOT))
    return app


SERVERS = {
    "wsgiref": by_reading(path_info),
    "wsgiref, segments": by_reading(segments),
    "wsgiref, normalised": by_reading(lambda e: posixpath.normpath("/" + path_info(e).lstrip("/"))),
    "wsgiref, quoted path joined": by_reading(lambda e: urllib.parse.urljoin("http://localhost/", path_info(e)).partition("localhost")[2]),
    "wsgiref, urlsplit": by_reading(lambda e: urllib.parse.urlsplit(path_info(e)).path),
    "wsgiref, urlparse": by_reading(lambda e: urllib.parse.urlparse(path_info(e)).path),
    "wsgiref, unquoted again": by_reading(lambda e: posixpath.normpath(urllib.parse.unquote(path_info(e)))),
    "wsgiref, unquote_plus, stripped": by_reading(lambda e: "/" + urllib.parse.unquote_plus(path_info(e)).strip("/ ")),
    "wsgiref, invalid bytes ignored": by_reading(lambda e: e["PATH_INFO"].encode("latin-1").decode("utf-8", "ignore")),
    "wsgiref, ASCII alone": by_reading(lambda e: e["PATH_INFO"].encode("latin-1").decode("ascii", "ignore")),
    "wsgiref, casefold": by_reading(lambda e: path_info(e).casefold()),
    "wsgiref, NFKC casefold": by_reading(lambda e: posixpath.normpath(unicodedata.normalize("NFKC", path_info(e)).casefold())),
    "wsgiref, without marks": by_reading(lambda e: posixpath.normpath(without_marks(path_info(e)).lower())),
    "wsgiref, overlong": by_reading(lambda e: posixpath.normpath(overlong(e["PATH_INFO"].encode("latin-1")))),
    "wsgiref, printable alone": by_reading(lambda e: "".join(c for c in path_info(e) if c.isprintable())),
    "werkzeug": flask_like(),
    "werkzeug.send_from_directory": werkzeug_files(),
    "bottle": bottle_routes(),
    "bottle.static_file": bottle_files(),
}


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


class Threads(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, *args):
        """A path that broke something gets no answer."""

    def server_bind(self):
        # Without the look-up of the machine's name that HTTPServer makes.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]
        self.setup_environ()


class Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


class FileServer(http.server.ThreadingHTTPServer):
    def handle_error(self, *args):
        """As above: NUL in a name."""

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]


def main():
    ServerHandler.server_software = "wsgi"
    servers = {"http.server": FileServer(("127.0.0.1", 0), functools.partial(Files, directory=ROOT))}
    for name, application in SERVERS.items():
        servers[name] = Threads(("127.0.0.1", 0), Quiet)
        servers[name].set_app(application)
    for name, server in servers.items():
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(json.dumps({"name": name, "listening": server.server_address[1], "of": len(servers)}), flush=True)
    threading.Event().wait()


main()
