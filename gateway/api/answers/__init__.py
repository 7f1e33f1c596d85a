"""What each action and route answers: its answer types, a file a subject, with their JSON fields in the order of writing.

The file of the same name in `gateway.api.requests` has what is asked. Commands import these, so only `rows` needs the store: it
has the answers that list what the store's queries read. A field that comes later has a default: a gateway that was not
restarted yet leaves it out.
"""
