"""Runs an app's handlers in one process, without Redis, for the tests of whoever wrote them.

```python
with TestApp("my_app") as app:
    tab = app.open()
    tab.fire("increment")
    assert tab.state["counter"] == 1
```

The handlers run in a real worker, and tabs talk to a real gateway's protocol; only Redis, Celery and the sockets are
not there. What `tab.state` shows went the whole way: encoded, committed, sent as an update, decoded and applied.
"""

from manyhands.testing.app import TestApp
from manyhands.testing.ends import End, Error, Update
from manyhands.testing.tab import Fired, Tab

__all__ = ["End", "Error", "Fired", "Tab", "TestApp", "Update"]
