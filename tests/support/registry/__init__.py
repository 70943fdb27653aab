"""A Docker engine and an image registry of a test's own, cut off from this machine's network.

The engine starts empty, in namespaces of its own, so that neither its bridges nor its firewall
rules meet those of the engine that the other tests use. Nothing outlives the test, not even one
that is killed: see `namespace`.
"""
