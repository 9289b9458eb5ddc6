"""The three processes of Comp, spelled once: `make run` uses these, and a test holds docker-compose.yml to them."""

from __future__ import annotations

WEB = (
    "gunicorn",
    "comp.wsgi",
    *("--worker-class", "gthread", "--workers", "2", "--threads", "4"),
    "--no-control-socket",  # else gunicorn writes below the user's home folder
)
WORKER = (
    *("celery", "-A", "comp", "worker", "--concurrency", "2", "--loglevel", "INFO"),
    *("--without-mingle", "--without-gossip"),  # workers have nothing to tell each other
)
BEAT = ("celery", "-A", "comp", "beat", "--loglevel", "INFO")
