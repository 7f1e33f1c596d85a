"""Stores as earlier versions of the gateway left them."""

from alembic import command

from gateway.store import schema
from gateway.store.engine import open_writer


def store_at(url, revision):
    """Make the tables of a revision in an empty store and give its writing engine."""
    writer = open_writer(url)
    config = schema._config()
    with writer.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return writer
