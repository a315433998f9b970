"""The vocabulary of the Kubernetes API that knows no particular kind: selectors, quantities, patches, errors."""
