"""The log events, a file a subject: how bad each is, what it means, what to do; gateway.logs.catalogue joins them."""
