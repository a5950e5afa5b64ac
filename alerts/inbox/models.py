"""Pages of the models: every published version, and the card of one. To read only."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from alerts.inbox.access import Right
from alerts.inbox.classifier_card import classifier_card
from alerts.inbox.context import MissingError, Site
from alerts.inbox.model_card import card


def router(site: Site) -> APIRouter:
    """Return the routes of models."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/models")
    def models(request: Request) -> Response:
        site.admit(request, Right.READ)
        service = site.service
        models, classifiers = service.models(), service.classifiers()
        return site.page(request, "models.html", page="models", models=models, classifiers=classifiers)

    @routes.get("/models/{digest}")
    def model(request: Request, digest: str) -> Response:
        site.admit(request, Right.READ)
        facts = site.service.model(digest)
        if facts is None:
            own = next((one for one in site.service.classifiers() if one.version.hash == digest), None)
            if own is not None:
                card_of = classifier_card(own)
                return site.page(request, "classifier.html", page="models", card=card_of, version=own.version)
            raise MissingError(f"No model version has the hash {digest!r}.")
        shown = card(facts)
        return site.page(request, "model.html", page="models", card=shown, version=shown.version)

    return routes
