"""A Flask application with moesifwsgi, set up as its documentation says. Run by gunicorn."""

import os

from flask import Flask, Response, jsonify, request
from moesifwsgi import MoesifMiddleware


def identify_company(app, environ, response_headers=()):
    return environ.get("HTTP_X_COMPANY")


settings = {
    "APPLICATION_ID": os.environ["MOESIF_APPLICATION_ID"],
    "BASE_URI": os.environ["MOESIF_BASE_URI"],
    "DEBUG": True,
    "LOG_BODY": True,
    "IDENTIFY_COMPANY": identify_company,
    "GET_METADATA": lambda app, environ: {"framework": "flask"},
}

app = Flask(__name__)


@app.get("/accounts/<id>/message")
def message(id):
    return jsonify({"my_object": {"my_message": "Hello World!"}})


@app.post("/echo")
def echo():
    return Response(request.get_data(), mimetype="text/plain")


@app.get("/stream")
def stream():
    return Response((f"part {number}\n" for number in range(3)), mimetype="text/plain")


app.wsgi_app = MoesifMiddleware(app.wsgi_app, settings)
