"""The ledger's data: complete, consistent, and found by id."""

from typing import get_args

import pytest

from kerasreg.claims import CLAIMS, ERRATA, SOURCES, errata_of, find_claim
from kerasreg.claims._types import Family
from kerasreg.errors import UserError


def test_claims_are_consistent():
    ids = [claim.id for claim in CLAIMS]
    assert len(ids) == len(set(ids))
    for family in get_args(Family):
        of_family = [claim.id for claim in CLAIMS if claim.family == family]
        assert of_family == sorted(of_family)
    assert {claim.family for claim in CLAIMS} == set(get_args(Family))
    for claim in CLAIMS:
        assert claim.sources
        assert set(claim.sources) <= set(SOURCES)
        assert claim.statement.endswith(".")
        assert claim.literature == "" or claim.literature.endswith(".")


def test_errata_stand_beside_claims_that_exist():
    ids = [erratum.id for erratum in ERRATA]
    assert ids == sorted(set(ids))
    known = {claim.id for claim in CLAIMS}
    for erratum in ERRATA:
        assert erratum.source in SOURCES
        assert erratum.claims
        assert set(erratum.claims) <= known
        assert erratum.says != erratum.correct
        if erratum.repeats:
            first = next(one for one in ERRATA if one.id == erratum.repeats)
            assert set(erratum.claims) <= set(first.claims)
            assert not first.repeats


def test_errata_of_a_claim():
    assert [erratum.id for erratum in errata_of(find_claim("C06"))] == ["E65", "E67"]
    assert errata_of(find_claim("C49")) == ()


@pytest.mark.parametrize("name", ["C01", "c1", " c01 "])
def test_claims_are_found_by_id(name):
    assert find_claim(name).id == "C01"


@pytest.mark.parametrize(
    ("name", "near"), [("C99", "C49"), ("C98", "C58"), ("dropout", "C"), ("", "C")]
)
def test_an_unknown_claim_names_the_nearest(name, near):
    with pytest.raises(UserError, match=f"near: .*{near}") as caught:
        find_claim(name)
    assert repr(name) in str(caught.value)
