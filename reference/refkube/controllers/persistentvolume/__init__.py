"""PersistentVolumes: which claim gets which, from where new ones come and what becomes of those no longer claimed."""
