"""How gunicorn runs the web app, for `serve` and for containers alike. One process with threads: more of them are more
containers, or more machines, each of which brings its own copy of the embedded model.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ticketclf_site.settings")

from django.conf import settings  # noqa: E402 - which have to be named first

bind = "0.0.0.0:8000"  # noqa: S104 - of a container; `serve` says where it listens
worker_class = "gthread"
threads = settings.WEB_THREADS
# What is under way when it is told to stop gets so many seconds.
graceful_timeout = 25
timeout = 60
# A proxy keeps its connections for longer than a request takes.
keepalive = 75
loglevel = "warning"
# It would be written into a home folder that containers do not have.
control_socket_disable = True
