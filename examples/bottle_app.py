"""A Bottle service whose calls Tollkeeper captures; any other WSGI framework is wrapped alike.

export TOLLKEEPER_APPLICATION_ID=...      # printed by `tollkeeper serve`
gunicorn bottle_app:app
"""

from __future__ import annotations

import bottle

from tollkeeper.capture.wsgi import TollkeeperMiddleware

pets_api = bottle.Bottle()
app = TollkeeperMiddleware(pets_api)

PETS = {1: "Rex", 2: "Mia"}


@pets_api.get("/pets")
def pets() -> dict[str, object]:
    """All pets."""
    return {"pets": [{"id": number, "name": name} for number, name in PETS.items()]}


@pets_api.get("/pets/<pet_id:int>")
def pet(pet_id: int) -> dict[str, object]:
    """One pet."""
    if pet_id not in PETS:
        bottle.abort(404)
    return {"id": pet_id, "name": PETS[pet_id]}
