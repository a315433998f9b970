"""A key-value store with etcd's semantics, and its backends."""
