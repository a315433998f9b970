"""The reference implementation of the specification in ``features/``: a Kubernetes control plane and data path to read.

Each component is one package ("room"); rooms meet only in `refkube.cluster`. Everything runs on one
deterministic event loop (`refkube.engine`), in virtual or in real time.
"""
