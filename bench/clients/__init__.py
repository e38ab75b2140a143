"""The rivals in Python: `python -m bench.clients.NAME COUNT` moves messages from `dead` to `orders`.

Each is a process of its own, written as its library's documentation has it, with confirms and `mandatory`.
"""
