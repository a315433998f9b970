"""coredns with its kubernetes plugin: `records` knows the names of Services and Pods, `server` answers for them."""
