"""The command `refkube`."""


def main() -> None:
    raise SystemExit("refkube: no command yet")
