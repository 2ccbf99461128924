"""A Django application with moesifdjango, set up as its documentation says. Run by gunicorn."""

import os
import sys

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of a test",
    MIDDLEWARE=["moesifdjango.middleware.moesif_middleware"],
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"level": {"format": "%(levelname)s %(name)s %(message)s"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "level"}},
        "root": {"handlers": ["console"], "level": "INFO"},
    },
    MOESIF_MIDDLEWARE={
        "APPLICATION_ID": os.environ["MOESIF_APPLICATION_ID"],
        "BASE_URI": os.environ["MOESIF_BASE_URI"],
        "LOG_BODY": True,
        "IDENTIFY_COMPANY": lambda request, response: request.headers.get("x-company"),
        "GET_METADATA": lambda request, response: {"framework": "django"},
    },
)
sys.modules.setdefault("django_app", sys.modules[__name__])
django.setup()


def message(request, id):
    return JsonResponse({"my_object": {"my_message": "Hello World!"}})


@csrf_exempt
def echo(request):
    return HttpResponse(request.body, content_type="text/plain")


def stream(request):
    return StreamingHttpResponse((f"part {n}\n" for n in range(3)), content_type="text/plain")


urlpatterns = [
    path("accounts/<id>/message", message),
    path("echo", echo),
    path("stream", stream),
]
app = get_wsgi_application()
