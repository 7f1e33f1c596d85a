"""The checks of what no section of gateway.yaml can know alone; each message names both keys.

A check looks only at sections that are valid in themselves, so that one run tells everything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.settings.checks.amounts import check_amounts
from gateway.settings.checks.charging import (
    check_fraud_plans,
    check_free_numbers,
    check_grants,
    check_paid_services,
    check_taxes,
    check_top_ups,
)
from gateway.settings.checks.charity import check_accounts, check_matching, check_register_numbers, check_successors
from gateway.settings.checks.found import Found
from gateway.settings.checks.hosts import check_hosts
from gateway.settings.checks.network import check_broker, check_listeners, check_paths, check_peers, check_reach
from gateway.settings.checks.secrets import check_secrets, check_tokens
from gateway.settings.checks.texts import check_links, check_routes, check_short_codes
from gateway.settings.error_messages import Report

CHECKS: Final[tuple[Callable[[Found, Report], None], ...]] = (
    check_listeners,
    check_peers,
    check_reach,
    check_tokens,
    check_links,
    check_routes,
    check_short_codes,
    check_grants,
    check_top_ups,
    check_free_numbers,
    check_fraud_plans,
    check_paid_services,
    check_matching,
    check_taxes,
    check_hosts,
    check_broker,
    check_paths,
    check_secrets,
    check_successors,
    check_accounts,
    check_register_numbers,
    check_amounts,
)
