"""Storage of API objects: generic REST storage, strategies, managed fields, tables."""
