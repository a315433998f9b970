"""Admission plugins, one a file; none knows another."""
