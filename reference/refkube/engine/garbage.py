"""Python's collector of garbage, told how a cluster's objects come and go: in great numbers, few of them in circles.

Called once by whoever runs a cluster or a component for long. As it is by default it takes a third of a large rollout.
"""

import gc


def leave_alone() -> None:
    """What is there now stays; for garbage it is looked seldom, and not among that."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
