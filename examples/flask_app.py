"""A Flask service whose calls Tollkeeper captures.

export TOLLKEEPER_APPLICATION_ID=...      # printed by `tollkeeper serve`
gunicorn flask_app:app
"""

from __future__ import annotations

from flask import Flask, abort

from tollkeeper.capture.wsgi import TollkeeperMiddleware

app = Flask(__name__)
app.wsgi_app = TollkeeperMiddleware(app.wsgi_app)  # type: ignore[method-assign]

PETS = {1: "Rex", 2: "Mia"}


@app.get("/pets")
def pets() -> list[dict[str, object]]:
    """All pets."""
    return [{"id": number, "name": name} for number, name in PETS.items()]


@app.get("/pets/<int:pet_id>")
def pet(pet_id: int) -> dict[str, object]:
    """One pet."""
    if pet_id not in PETS:
        abort(404)
    return {"id": pet_id, "name": PETS[pet_id]}
