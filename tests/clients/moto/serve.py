"""moto's S3 on a free port of this machine; prints its address.

Key decision: moto looks at a condition and writes in two steps, so that two of its threads may both find it to hold. A
lock around each request makes it one step, as it is in S3; nothing else of moto is changed.
"""

import logging
import threading

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

logging.getLogger("werkzeug").setLevel(logging.ERROR)
app = DomainDispatcherApplication(create_backend_app)
lock = threading.Lock()


def one_by_one(environ, start_response):
    """Answers a request while no other is answered."""
    with lock:
        return list(app(environ, start_response))


server = make_server("127.0.0.1", 0, one_by_one, threaded=True)
print(f"http://127.0.0.1:{server.port}", flush=True)
server.serve_forever()
