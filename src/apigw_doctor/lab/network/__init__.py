"""What lies between a lab's gateway, functions and callers, and what they depend on: servers on the lab's own clock.

All of it runs in the gateway's process and event loop, so that its timers are virtual. A function reaches a service
only through a `Relay`, which tells the function's clock before anything becomes visible to it.
"""
