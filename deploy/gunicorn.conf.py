"""gunicorn settings, for `serve` and for containers: one process with threads.

To scale, add containers or machines; each process loads its own copy of the embedded model.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ticketclf_site.settings")

from django.conf import settings  # noqa: E402 - needs the variable

bind = "0.0.0.0:8000"  # noqa: S104 - inside a container; `serve` overrides it
worker_class = "gthread"
threads = settings.WEB_THREADS
# Seconds for running requests to finish when it stops.
graceful_timeout = 25
timeout = 60
# Longer than the idle timeout of usual proxies, so that the proxy closes first.
keepalive = 75
loglevel = "warning"
# It would be created in a home folder, which containers lack.
control_socket_disable = True
