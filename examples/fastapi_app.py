"""A FastAPI service whose calls Tollkeeper captures.

export TOLLKEEPER_APPLICATION_ID=...      # printed by `tollkeeper serve`
uvicorn fastapi_app:app
"""

from __future__ import annotations

from fastapi import FastAPI, HTTPException

from tollkeeper.capture.asgi import TollkeeperMiddleware

app = FastAPI(title="Pets")
app.add_middleware(TollkeeperMiddleware)

PETS = {1: "Rex", 2: "Mia"}


@app.get("/pets")
async def pets() -> list[dict[str, object]]:
    """All pets."""
    return [{"id": number, "name": name} for number, name in PETS.items()]


@app.get("/pets/{pet_id}")
async def pet(pet_id: int) -> dict[str, object]:
    """One pet."""
    if pet_id not in PETS:
        raise HTTPException(404, "no such pet")
    return {"id": pet_id, "name": PETS[pet_id]}
