"""A WSGI application that answers with its environ, as JSON.

Servers of their own import "application"; wsgiref and waitress are run by

    python3 environ.py wsgiref|waitress
"""

import json
import signal
import sys


def application(environ, start_response):
    if environ.get("wsgi.input_terminated"):  # else reading a chunked body might never end
        environ["wsgi.input"].read()
    strings = {name: value for name, value in environ.items() if isinstance(value, str)}
    body = json.dumps(strings).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def wsgiref():
    from wsgiref.simple_server import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log_message(self, *arguments):
            pass

    server = make_server("127.0.0.1", 0, application, handler_class=Quiet)
    return server.server_port, server.serve_forever


def waitress():
    from waitress import create_server

    server = create_server(application, listen="127.0.0.1:0", threads=1)
    return int(server.effective_port), server.run


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    port, run = {"wsgiref": wsgiref, "waitress": waitress}[sys.argv[1]]()
    print("listening at port %d" % port, flush=True)
    run()
