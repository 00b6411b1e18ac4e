"""Visitors who click about once a second, for Locust: `locust -f deploy/locustfile.py --host https://example.org`.

Needs `pip install 'manyhands[locust]'`. It fires the handler `increment`, as `manyhands load` does; copy it, and let
the tasks do what your visitors do.
"""

from locust import between, task

from manyhands.load.locust_user import ManyHandsUser


class Visitor(ManyHandsUser):
    """One session that clicks and waits for what it sees."""

    wait_time = between(0.5, 1.5)
    key = "counter"  # where the state counts the session's events; checked when the user stops

    @task
    def click(self) -> None:
        self.fire("increment")
