"""The container runtime of a node: sandboxes, containers, images, and the programs that run in them."""
