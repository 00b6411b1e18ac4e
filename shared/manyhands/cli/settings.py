"""Show every variable of the environment: its value here, its default, what it expects and what it means."""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import textwrap
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from manyhands.content_security import name_policy
from manyhands.setting_parsers import SIZE_UNITS
from manyhands.settings import Settings

#: The widest that a line gets, also on a wider terminal: longer ones are hard to read.
WIDEST = 110


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare nothing: the command has no flags."""


def run(arguments: argparse.Namespace) -> int:
    """Print the table. A bad value raises `SettingError`, as it would in a gateway or a worker."""
    import shutil

    width = min(shutil.get_terminal_size((100, 24)).columns, WIDEST)
    print("\n".join(table(Settings.from_environ(os.environ), width)))
    return 0


def table(settings: Settings, width: int) -> Iterator[str]:
    """Write three lines or more per variable: name and value, meaning, then what is expected and the default."""
    fields = dataclasses.fields(settings)
    longest = max(len(field.metadata["variable"]) for field in fields)
    for field in fields:
        name, value = field.metadata["variable"], getattr(settings, field.name)
        yield f"{name:<{longest}}  {show(field.name, value)}"
        meaning = field.metadata["meaning"]
        details = f"Expects {field.metadata['expected']}. Default: {show(field.name, field.default)}."
        for text in (meaning[0].upper() + meaning[1:] + ".", details):
            yield from textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ")
        yield ""


def show(name: str, value: Any) -> str:
    """Write a value as it is set in the environment, without any secret in it."""
    if value is None or value == ():
        return "not set"
    match name:
        case "secret_keys":
            return "set (" + ", ".join(f"{len(key)} characters" for key in value) + ")"
        case "metrics_token":
            return f"set ({len(value)} characters)"
        case "metrics_address":
            host, port = value
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case "redis_url" | "broker_url_or_none":
            return mask(value)
        case "content_security_policy":
            return name_policy(value)
        case "session_cookie":
            return "on" if value else "off"
        case "max_payload":
            return _size(value)
    match value:
        case bool():
            return "1" if value else "0"
        case float():
            return f"{value:.12g}"
        case tuple():
            return ",".join(map(str, value))
    return str(value)


def mask(url: str) -> str:
    """Hide a URL's passwords: the one before the host and those in its query."""
    parts = urlsplit(url)
    credentials, at, host = parts.netloc.rpartition("@")
    user, colon, _ = credentials.partition(":")
    netloc = f"{user}{colon}***@{host}" if colon else credentials + at + host
    query = re.sub(r"(?i)\b([^&=]*password)=[^&]*", r"\1=***", parts.query)
    hidden = parts._replace(netloc=netloc, query=query)
    return url if hidden == parts else urlunsplit(hidden)


def _size(number: int) -> str:
    for unit in ("GiB", "MiB", "KiB"):
        if number % SIZE_UNITS[unit.upper()] == 0:
            return f"{number // SIZE_UNITS[unit.upper()]}{unit}"
    return str(number)
