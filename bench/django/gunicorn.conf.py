import os

wsgi_app = "peer.wsgi"
bind = f"127.0.0.1:{os.environ.get('PORT', '8000')}"

# A process for each of two cores; threads, since sync workers close every connection.
worker_class = "gthread"
workers = 2
threads = 4

loglevel = "warning"
