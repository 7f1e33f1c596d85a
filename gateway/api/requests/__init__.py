"""What each action takes: its request types, a file a subject, with the bounds that `gateway.api.conversion` holds a client to.

The file of the same name in `gateway.api.answers` has the answer types. A field with a default may be left out. An empty text
says as much as none where a text may be left out, and so does a `limit` of 0. A field that no type here has is ignored where
nothing else is said.
"""
