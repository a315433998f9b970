"""Real sockets: ASGI, TLS and streams of API server and kubelets, the bridge to the event loop, the way to kubelets."""
