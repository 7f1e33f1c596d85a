"""The routes of the HTTP interface, a file a subject; those of texts and of health are in `gateway.api.server`."""
