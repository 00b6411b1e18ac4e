"""The load test: sessions that fire events at a deployment, and hold it to its promises while they measure.

`session` decides without I/O what a client sends and checks what it gets; `framing` is the client's half of a
WebSocket, without I/O as well; `client` puts both on a socket of asyncio, `locust_user` on one of Locust's. `runner`
plays a `plan`, `tally` counts, `report`, `progress` and `plot` show.
"""
