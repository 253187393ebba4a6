"""AWS's own forms of what a lab did: logs, traces, metrics, configuration, and what balancers, edges and clients saw.

Pure functions from a `Journal` and the `LabSetup` it belongs to; `files.py` writes them as users would have exported
them, `events.py` gives the log events for a publisher.
"""
