"""What a streamed text costs: bytes to the browsers and out of Redis, where they are told what was added and where not.

    python benchmarks/growing_text.py [--kilobytes 8] [--streams 20] [--seconds 10]

So many sessions at a time, each of one browser, hear a text of that size word by word from an async handler. First all
browsers read additions, then none does.
"""

from __future__ import annotations

import argparse
import threading
from typing import Any

import redis
from deployment import Deployment

from support.browser import Tab

#: Letters of a word, with the space behind it.
WORD = "answers "


class Listener(Tab):
    """A tab that counts the bytes of the frames which it gets."""

    received = 0

    def _decode(self, opcode: int, data: bytes) -> dict[str, Any]:
        self.received += len(data)
        return super()._decode(opcode, data)


def main() -> None:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kilobytes", type=int, default=8)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    size = 1000 * arguments.kilobytes
    with Deployment(workers=1) as deployment:
        for add in (True, False):
            point = measure(deployment, arguments.streams, size // len(WORD), arguments.seconds, add=add)
            print(f"told {'what was added' if add else 'the whole text'}; text {size / 1000:g} KB; "
                  + "; ".join(f"{name} {figure:.3g}" for name, figure in point.items()))  # fmt: skip


def measure(deployment: Deployment, streams: int, words: int, seconds: float, *, add: bool) -> dict[str, float]:
    """Let all streams run at once; gives KB and ms of CPU for one of them."""
    client = redis.Redis.from_url(deployment.redis.url)
    tabs = [deployment.enter_context(Listener(deployment.url, add=add)) for _ in range(streams)]
    before, cpu = client.info("stats"), deployment.cpu()
    threads = [threading.Thread(target=stream, args=(tab, words, seconds)) for tab in tabs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after, taken = client.info("stats"), deployment.cpu()
    client.close()
    assert all(tab.state["text"] == WORD * words for tab in tabs)
    sent = {f"Redis {way}, KB": after[key] - before[key]
            for way, key in (("out", "total_net_output_bytes"), ("in", "total_net_input_bytes"))}  # fmt: skip
    point = {"updates": sum(len(tab.updates) for tab in tabs) / streams}
    point |= {name: count / 1000 / streams for name, count in sent.items()}
    point["browser, KB"] = sum(tab.received for tab in tabs) / 1000 / streams
    return point | {f"{kind}, ms": 1000 * (taken[kind] - cpu[kind]) / streams for kind in cpu}


def stream(tab: Tab, words: int, seconds: float) -> None:
    """Hear one text to its end."""
    assert tab.call("speak", [["text"], [WORD] * words, seconds / words], timeout=10 * seconds + 60)["ok"]


if __name__ == "__main__":
    main()
