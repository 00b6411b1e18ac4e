"""What a worker announces of the app that it has loaded."""

from __future__ import annotations

from manyhands.loaded_app import LoadedApp
from manyhands.store.contract import Announcement


def announcement_of(app: LoadedApp) -> Announcement:
    """Describe an app for gateways."""
    described = {
        name: {"parameters": list(one.parameters), "doc": one.doc or "", "is_async": one.is_async}
        for name, one in app.handlers.items()
    }
    return Announcement(app.version, described, app.defaults_hash)
