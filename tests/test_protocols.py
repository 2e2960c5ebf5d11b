from __future__ import annotations

import pytest

from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.protocols import Protocol, load_protocol, load_protocols


@pytest.fixture
def write(tmp_path):
    def _write(text):
        path = tmp_path / "protocols.yaml"
        path.write_text(text)
        return path

    return _write


def test_the_protocols_of_this_project_are_valid_and_say_where_they_were_read():
    protocols = load_protocols()
    assert protocols
    for name, protocol in protocols.items():
        assert protocol.name == name
        assert protocol.version >= 1
        assert protocol.title
        assert protocol.source


def test_two_claims_of_one_evidence():
    ours, theirs = load_protocol("camvid-whole"), load_protocol("espnet-camvid")
    assert ours.inference == theirs.inference
    assert (ours.void, theirs.void) == ("ignore", "error")
    assert ours.digest != theirs.digest


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"window": 512}, "`window` and `stride` together"),
        ({"stride": 512}, "`window` and `stride` together"),
        ({"window": 512, "stride": 513}, "pixels would be skipped"),
        ({"window": 512, "stride": -1}, "pixels would be skipped"),
        ({"scales": ()}, "`scales` must list positive"),
        ({"scales": (1.0, 0.0)}, "`scales` must list positive"),
        ({"void": "drop"}, "`void` must be one of ignore, error"),
        ({"resize_short": 0}, "`resize_short` must be positive"),
        ({"resize_long": 2048}, "`resize_long` caps `resize_short`"),
        ({"enlarge": True}, "`enlarge` needs a `window`"),
    ],
)
def test_impossible_combinations_are_refused(fields, message):
    with pytest.raises(SegmodelsError, match=message):
        Protocol("odd", 1, **fields)


def test_replace_checks_again():
    protocol = Protocol("slide", 1, window=512, stride=480)
    assert protocol.replace(window=96, stride=64).window == 96
    with pytest.raises(SegmodelsError, match="pixels would be skipped"):
        protocol.replace(window=96)


def test_descriptions_change_neither_digest_nor_inference():
    plain = Protocol("a", 1)
    told = Protocol("b", 1, title="A title", source="Section 4")
    assert plain.digest == told.digest
    assert plain.inference == told.inference


@pytest.mark.parametrize("change", [{"version": 2}, {"void": "error"}])
def test_scoring_and_version_change_the_digest_only(change):
    plain = Protocol("a", 1)
    assert plain.replace(**change).digest != plain.digest
    assert plain.replace(**change).inference == plain.inference


@pytest.mark.parametrize(
    "change",
    [
        {"resize_short": 512},
        {"resize_multiple": 32},
        {"window": 512, "stride": 480},
        {"scales": (0.5, 1.0)},
        {"flip": True},
    ],
)
def test_whatever_moves_labels_changes_inference(change):
    plain = Protocol("a", 1)
    assert plain.replace(**change).inference != plain.inference
    assert plain.replace(**change).digest != plain.digest


def test_whole_numbers_are_welcome_as_scales(write):
    path = write(
        "a: {version: 1, title: t, scales: [1, 2]}\nb: {version: 1, title: t, scales: [1.0, 2.0]}\n"
    )
    protocols = load_protocols(path)
    assert protocols["a"].digest == protocols["b"].digest


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{version: 1}", "field 'title' is missing"),
        ("{title: t}", "field 'version' is missing"),
        ("{version: 1, title: t, windw: 3}", "unknown field 'windw'"),
        ("{version: one, title: t}", "field 'version' must be int"),
        ("{version: 1, title: t, flip: 1}", "field 'flip' must be bool"),
        ("[1]", "expected fields, found list"),
        ("{version: 1, title: t, window: 5}", "protocol 'odd': give `window`"),
    ],
)
def test_a_broken_entry_is_named(write, entry, message):
    with pytest.raises(SegmodelsError, match=message) as caught:
        load_protocols(write(f"odd: {entry}\n"))
    assert "'odd'" in str(caught.value)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'espnet-camvid'"):
        load_protocol("espnet-camvit")
