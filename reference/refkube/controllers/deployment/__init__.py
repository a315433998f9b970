"""Deployments: pkg/controller/deployment."""
