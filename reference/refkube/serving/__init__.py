"""The API server on a real socket: ASGI, TLS, streams, and the bridge to the event loop."""
