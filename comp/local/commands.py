"""The four processes of Comp, spelled once: `make run` uses these, and a test holds docker-compose.yml to them."""

from __future__ import annotations

WEB = (
    "gunicorn",
    "comp.wsgi",
    *("--worker-class", "comp.web.serving.Worker", "--workers", "2", "--threads", "4"),
    "--no-control-socket",  # else gunicorn writes below the user's home folder
)
_CELERY = ("celery", "-A", "comp", "worker", "--loglevel", "INFO")
_ALONE = ("--without-mingle", "--without-gossip")  # workers have nothing to tell each other
WORKER = (*_CELERY, *_ALONE, "--queues", "work", "--concurrency", "2")
#: Large recomputations, a chunk at a time: never in the way of a single deal. Two processes do one company's together.
JOBS = (*_CELERY, *_ALONE, "--queues", "jobs", "--concurrency", "2", "--hostname", "jobs@%h")
BEAT = ("celery", "-A", "comp", "beat", "--loglevel", "INFO")
