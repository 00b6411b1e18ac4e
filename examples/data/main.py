"""A DataFrame explorer: filters, a plot of plotly, a table that the server pages and sorts, and a download.

It needs what is in requirements.txt, and no network: the rides are made up, and plotly.js is in plotly's package.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import plotly
import plotly.graph_objects as go

import manyhands as mh

RIDES = 10_000
STATIONS = ["Bridge", "Harbour", "Market", "Museum", "Old Mill", "Park", "Station", "University"]
#: Of how many minutes the longest ride is.
LONGEST = 60
#: How many of a day's rides begin in each of its hours, more or less.
HOURS = [1, 1, 0, 0, 0, 1, 3, 7, 9, 5, 3, 4, 5, 5, 4, 5, 7, 10, 9, 6, 4, 3, 2, 2]


def _make_rides():
    """Make up a year of bicycle rides: the same ones in each process, so that none has to be stored."""
    rng = np.random.default_rng(6)
    hours = rng.choice(24, RIDES, p=np.array(HOURS) / sum(HOURS))
    minutes = np.minimum(rng.gamma(3, 6, RIDES) + 2, LONGEST).round(1)
    rating = rng.integers(1, 6, RIDES).astype(float)
    rating[rng.random(RIDES) < 0.4] = np.nan
    seconds = rng.integers(0, 365, RIDES) * 86_400 + hours * 3600 + rng.integers(0, 3600, RIDES)
    return pd.DataFrame({
        "Started": np.sort(np.datetime64("2025-01-01T00:00", "s") + seconds),
        "From": rng.choice(STATIONS, RIDES),
        "To": rng.choice(STATIONS, RIDES),
        "Minutes": minutes,
        "km": (minutes * rng.normal(0.22, 0.03, RIDES)).round(2),
        "Member": rng.random(RIDES) < 0.6,
        "Rating": rating,
    })


# A global is made anew in each process, and costs a session nothing. What a user has chosen belongs into the state.
FRAME = _make_rides()

mh.init_state({
    "filter": {"station": "all", "longest": LONGEST, "members": False},
    "stations": STATIONS,
    "rides": mh.table_page(FRAME, size=25),
    # Stays here: which page was asked for last, and in which order.
    "_asked": {"page": 0, "size": 25},
})


@mh.computed("filter")
def found(state):
    """Say how much was chosen; kept up to date by whatever changes the filter."""
    rides = _chosen(state)
    return f"{len(rides):,} of {RIDES:,} rides, {rides['km'].sum():,.0f} km"


@mh.computed("filter")
def plot(state):
    """Draw the rides by the hour in which they began. The template `none` leaves the colours of text to the page."""
    rides = _chosen(state)
    figure = go.Figure(layout={
        "template": "none", "barmode": "stack", "height": 320, "dragmode": False, "bargap": 0.15,
        "margin": {"l": 56, "r": 8, "t": 8, "b": 48}, "legend": {"orientation": "h", "y": 1.14},
        "xaxis": {"title": {"text": "Hour of the day"}, "range": [-0.5, 23.5], "dtick": 3},
        "yaxis": {"title": {"text": "Rides"}},
    })
    for name, colour, part in (
        ("Members", "#3f78d8", rides[rides["Member"]]),
        ("Others", "#d9822b", rides[~rides["Member"]]),
    ):
        counts = part["Started"].dt.hour.value_counts().reindex(range(24), fill_value=0)
        figure.add_bar(name=name, x=list(range(24)), y=counts.to_numpy(), marker={"color": colour})
    return figure


def show(state, payload):
    """Show another page, or the same rides in another order: the payload is what table_page takes.

    A browser may send anything. What can't be meant raises, and then everything stays as it is.
    """
    _show(state, payload)


def choose_station(state, payload):
    """Choose the station where the rides begin."""
    state["filter"]["station"] = payload if payload in STATIONS else "all"
    _show_from_the_top(state)


def set_longest(state, payload):
    """Choose how many minutes a ride may last."""
    state["filter"]["longest"] = payload if type(payload) is int and 0 < payload <= LONGEST else LONGEST
    _show_from_the_top(state)


def only_members(state, payload):
    """Choose whether only members' rides are shown."""
    state["filter"]["members"] = payload is True
    _show_from_the_top(state)


def download(state):
    """Let the user save all that was chosen, as it is sorted."""
    rides = _chosen(state)
    asked = state["_asked"]
    if asked["sort"]:
        rides = rides.sort_values(asked["sort"], ascending=not asked["descending"], kind="stable")
    state.file_download(rides.to_csv(index=False).encode(), "rides.csv")


def _chosen(state):
    """Give the rides that the filter lets through."""
    chosen = state["filter"]
    wanted = FRAME["Minutes"] <= chosen["longest"]
    if chosen["station"] != "all":
        wanted &= FRAME["From"] == chosen["station"]
    if chosen["members"]:
        wanted &= FRAME["Member"]
    return FRAME[wanted]


def _show(state, asked):
    state["rides"] = mh.table_page(_chosen(state), **asked)
    state["_asked"] = asked


def _show_from_the_top(state):
    _show(state, {**state["_asked"].to_dict(), "page": 0})


def _bring_plotly():
    """Put plotly.js, which the Python package has with it, where index.html names it.

    A gateway on another machine needs the file, too: import this module once where its image is built.
    """
    source = Path(plotly.__file__).with_name("package_data") / "plotly.min.js"
    target = Path(__file__).parent / "static" / "plotly.min.js"
    if target.exists() and target.stat().st_size == source.stat().st_size:
        return
    try:
        # Under another name first: several workers may begin at the same time, and a browser may ask meanwhile.
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
            file.write(source.read_bytes())
        Path(file.name).chmod(0o644)
        Path(file.name).replace(target)
    except OSError as error:
        print(f"There will be no plot: plotly.js can't be copied ({error}). Copy {source} to {target}.")


_bring_plotly()
