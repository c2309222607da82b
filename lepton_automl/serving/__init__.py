"""The server of models: an ASGI application over finished models, and the process that runs it.

`server.serve` starts it; `app.ServingApp` is the application. What a watcher, a store of feedback or an explainer must offer
stands in `protocols`. A modality or a task is never named here: requests go through its own preprocessing and decoder.
"""
