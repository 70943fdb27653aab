"""Kubernetes without a cluster: Helm, schemas, and a real API server of this machine's own."""
