"""What the server does, free of HTTP and WebSocket. Each method is one transaction with its audit events.

Services write records. What connected people must be told goes through ``server/live/hub.py: LiveSessions``
(``end_session``, ``remove_participant``, ``waiting_changed``, ``session_changed``), which calls back into the services
for the record: a caller that ends a session, removes somebody or changes the waiting list goes through the hub.
"""
