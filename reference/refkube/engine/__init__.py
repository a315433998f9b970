"""Clock, event loop, ids and trace: what everything else is driven by."""
