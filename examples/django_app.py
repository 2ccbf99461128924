"""A Django service in one file, for WSGI and ASGI, whose calls Tollkeeper captures.

export TOLLKEEPER_APPLICATION_ID=...      # printed by `tollkeeper serve`
gunicorn django_app:wsgi                  # or: uvicorn django_app:asgi
"""

from __future__ import annotations

import secrets

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_hex(),
    MIDDLEWARE=[
        "tollkeeper.capture.django.TollkeeperMiddleware",  # first, to see what really leaves
        "django.middleware.common.CommonMiddleware",
    ],
    # Options may be set here too, by the same names: {"log_body": True}
    TOLLKEEPER={},
)

PETS = {1: "Rex", 2: "Mia"}


def pets(request: HttpRequest) -> JsonResponse:
    """All pets."""
    return JsonResponse([{"id": number, "name": name} for number, name in PETS.items()], safe=False)


def pet(request: HttpRequest, pet_id: int) -> JsonResponse:
    """One pet."""
    if pet_id not in PETS:
        raise Http404
    return JsonResponse({"id": pet_id, "name": PETS[pet_id]})


urlpatterns = [path("pets", pets), path("pets/<int:pet_id>", pet)]

wsgi = get_wsgi_application()
asgi = get_asgi_application()
