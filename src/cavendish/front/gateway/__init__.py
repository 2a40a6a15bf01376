"""The gateway: one door to every image model, for applications that speak Google's or OpenAI's API.

A request comes in at a door (``doors``), in the wire format of a dialect, and is read by it. The desk makes a job of it
and has the engine buy its pictures; the answer goes out through the same dialect.
"""
