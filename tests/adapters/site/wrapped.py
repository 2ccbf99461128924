"""The Django site behind the ASGI middleware, for a server to run."""

from __future__ import annotations

from django.conf import settings
from django.core.asgi import get_asgi_application

from tollkeeper.capture.asgi import TollkeeperMiddleware

settings.configure(ROOT_URLCONF="django_site", ALLOWED_HOSTS=["*"], SECRET_KEY="of-the-tests")
app = TollkeeperMiddleware(get_asgi_application())
