"""The web server's door."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "comp.settings")
site = get_wsgi_application()

from crediting.api.door import HooksAtOnce  # noqa: E402  (what it uses wants Django set up)

application = HooksAtOnce(site)
