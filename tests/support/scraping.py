"""Reading `/metrics`."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from support.processes import get


class Scrape:
    """One answer of `/metrics`: its samples."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def sum(self, name: str, **labels: str) -> float:
        """Add up the samples of a name that have these labels."""
        return sum(
            one.value for one in self.samples
            if one.name == name and all(one.labels.get(label) == value for label, value in labels.items())
        )  # fmt: skip

    def values(self, name: str, label: str) -> set[str]:
        """Give the values that a label of a name has."""
        return {one.labels[label] for one in self.samples if one.name == name}


def scrape(url: str) -> Scrape:
    """Ask for `/metrics` of a gateway or a worker."""
    text = get(f"{url}/metrics")
    assert text is not None, f"no /metrics at {url}"
    return Scrape(text)
