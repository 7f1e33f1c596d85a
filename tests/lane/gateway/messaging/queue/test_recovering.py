"""Texts that the store has and nobody knows of: committed by a batch whose outcome stayed unknown."""

import asyncio

import pytest
from support.querying_smsc import QueryingSmsc, inquiring

from gateway.messaging.submit import AcceptTexts
from gateway.store.async_submit import submit
from gateway.store.errors import OutcomeUnknown, StoreUnavailable


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/texts.db"


@pytest.fixture
def lose_commits(monkeypatch):
    """Make commits go through and say that they failed, until the block's function is called again."""

    def lose(place):
        original = type(place.writer.dialect).do_commit

        def vanish(self, connection):
            original(self, connection)
            raise self.dbapi.OperationalError("the connection went away during COMMIT")

        monkeypatch.setattr(type(place.writer.dialect), "do_commit", vanish)

    return lose


async def test_a_text_whose_commit_was_lost_is_sent_once_and_not_before_the_store_is_read_again(
    url, lose_commits, monkeypatch
):
    async with QueryingSmsc() as smsc, inquiring(url, smsc) as inquirer:
        place, smsc_client = inquirer.place, inquirer.smsc_client
        await inquirer.send(place.draft("before"))
        lose_commits(place)
        with pytest.raises(OutcomeUnknown):
            await smsc_client.accept("shop", [place.draft("lost", reference="one")])
        monkeypatch.undo()
        await inquirer.send(place.draft("after"))
        assert smsc.words() == ["before", "after"]
        await smsc_client.recover()
        await smsc.has(3)
        await smsc_client.recover()
        await smsc_client.accept("shop", [place.draft("last")])
        await smsc.has(4)
        assert smsc.words() == ["before", "after", "lost", "last"]


async def test_the_store_is_read_again_only_after_an_unknown_outcome_and_until_it_can_be(
    url, lose_commits, monkeypatch
):
    async with QueryingSmsc() as smsc, inquiring(url, smsc) as inquirer:
        smsc_client, reads, stored = inquirer.smsc_client, [], inquirer.read

        def read(look):
            reads.append(look)
            if len(reads) == 1:
                raise StoreUnavailable("unable to open database file")
            return stored(look)

        inquirer.read = read
        await smsc_client.recover()
        assert reads == []
        lose_commits(inquirer.place)
        with pytest.raises(OutcomeUnknown):
            await smsc_client.accept("shop", [inquirer.place.draft("lost")])
        monkeypatch.undo()
        with pytest.raises(StoreUnavailable):
            await smsc_client.recover()
        await smsc_client.recover()
        await smsc.has(1)
        await asyncio.sleep(0)
        assert smsc.words() == ["lost"]


async def test_texts_are_queued_in_the_order_of_their_commits_whoever_waits_for_them(url):
    """A task that waits for its unit goes on after the batch's callbacks: its texts would come after newer ones."""
    async with QueryingSmsc() as smsc, inquiring(url, smsc) as inquirer:
        place, smsc_client = inquirer.place, inquirer.smsc_client
        unit = AcceptTexts("gateway", [place.draft("of an order")])
        by_order = asyncio.create_task(submit(place.lane, unit, then=lambda taken: smsc_client.enqueue(taken.new)))
        by_client = asyncio.create_task(smsc_client.accept("shop", [place.draft("of a client")]))
        await asyncio.gather(by_order, by_client)
        await smsc.has(2)
        assert sorted(smsc.words()) == ["of a client", "of an order"]
