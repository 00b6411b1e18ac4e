"""An app's own module of this name."""

NAME = "the app's own shared"
