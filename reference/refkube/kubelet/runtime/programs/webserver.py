"""nginx and httpd: serve files, tell of each request on their output, end when they are told to."""

from __future__ import annotations

from refkube.hostnet import AddressInUse, http
from refkube.kubelet.runtime.process import SIGINT, SIGQUIT, SIGTERM, Body, Main, Process, forever
from refkube.volumes.files import File

NGINX_PAGE = (
    b"<!DOCTYPE html>\n<html>\n<head>\n<title>Welcome to nginx!</title>\n</head>\n"
    b"<body>\n<h1>Welcome to nginx!</h1>\n</body>\n</html>\n"
)
HTTPD_PAGE = b"<html><body><h1>It works!</h1></body></html>\n"


def server(name: str, root: str, memory: int) -> Main:
    """A web server of the files below `root`, on port 80."""

    def main(process: Process) -> Body:
        process.use(memory=memory)
        for number in (SIGINT, SIGQUIT, SIGTERM):
            process.handlers[number] = lambda: process.exit(0)

        def handle(asked: http.Asked) -> None:
            path = root + (asked.path + "index.html" if asked.path.endswith("/") else asked.path)
            node = process.files.find(path)
            if isinstance(node, File):
                kind = "text/html" if path.endswith(".html") else "text/plain"
                answer = http.Answer(200, node.data, [("Server", name), ("content-type", kind)])
            else:
                answer = http.Answer(
                    404,
                    f"<html><head><title>404 Not Found</title></head><body><hr>{name}</body></html>\n".encode(),
                    [("Server", name), ("content-type", "text/html")],
                )
            agent = asked.headers.get("user-agent", "-")
            told = f'"{asked.method} {asked.target} HTTP/1.1" {answer.code} {len(answer.body)}'
            process.say(f'{asked.client[0]} - - {told} "-" "{agent}" "-"')
            asked.answer(answer)

        try:
            process.closing.append(http.serve(process.net, ("0.0.0.0", 80), handle).close)
        except AddressInUse:
            process.complain(f"{name}: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)")
            return 1
        yield forever
        return 0

    return main
