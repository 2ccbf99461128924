"""What tests need, shipped and public: a server as a real process, faults, strategies, databases.

Boundaries: nothing in the package imports this room.
"""
