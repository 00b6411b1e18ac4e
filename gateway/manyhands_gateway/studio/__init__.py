"""The studio: where an author builds and understands an app. Served by `manyhands dev` alone, to this machine alone."""
