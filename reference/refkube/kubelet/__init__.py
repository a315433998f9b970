"""The kubelet: the agent that registers a node, keeps its lease and status, and runs the Pods bound to it."""
