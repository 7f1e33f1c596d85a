"""Values of the API's own formats for schemathesis: numbers in their numbering plans, plans, causes, money."""

import schemathesis
from hypothesis import strategies as st

GB = st.from_regex(r"447400[0-9]{6}", fullmatch=True)
NUMBERS = st.one_of(GB, GB.map("+{}".format), GB.map("00{}".format), GB.map(lambda number: "0" + number[2:]))
SHORT_CODES = st.from_regex(r"[1-35-9][0-9]{4,7}", fullmatch=True)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9 &.-]{0,9}[A-Za-z]", fullmatch=True)

schemathesis.openapi.format("msisdn", NUMBERS)
schemathesis.openapi.format("recipient", st.one_of(NUMBERS, SHORT_CODES))
schemathesis.openapi.format("sender", st.one_of(NUMBERS, SHORT_CODES, NAMES))
schemathesis.openapi.format("plan", st.just("payg-gb"))
schemathesis.openapi.format("cause", st.sampled_from(["wateraid", "wwf"]))
schemathesis.openapi.format("currency", st.sampled_from(["GBP", "USD"]))
schemathesis.openapi.format("amount", st.integers(1, 50_000).map(lambda pence: f"{pence // 100}.{pence % 100:02}"))
