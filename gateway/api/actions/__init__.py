"""What commands and the HTTP interface ask for: a file a subject, each action a function of its request type.

`table` names those that need the open store alone. `orders`, `sessions`, `spending`, `texts` and `traces` have classes for what
needs the running gateway. Request and answer types are in the files of the same names in `gateway.api.requests` and `answers`.
"""
