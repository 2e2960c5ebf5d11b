from __future__ import annotations

from typing import get_args

import pytest
import yaml

from segmodels.core.settings import project_root
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocol, load_protocols

SIX, FIVE = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75), (0.75, 0.875, 1.0, 1.125, 1.25)


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


FIRST = {
    "resize_short": None,
    "resize_long": None,
    "resize_multiple": None,
    "window": None,
    "stride": None,
    "enlarge": False,
    "scales": [1.0],
    "flip": False,
}
SEGMENTER_640 = {"resize_short": 640, "resize_long": 2560, "window": 640, "stride": 608}
SEGMENTER_768 = {"resize_short": 1024, "resize_long": 2048, "window": 768, "stride": 736}
SEGMENTER_480 = {"resize_short": 520, "resize_long": 4160, "window": 480, "stride": 448}


@pytest.mark.parametrize(
    ("name", "said", "digest"),
    [
        ("camvid-whole", {}, "6a4856c0c35343ec"),
        ("espnet-camvid", {}, "b9e668a366bdfd75"),
        ("camvid-half", {"resize_short": 180}, "cacd44aeeee0688c"),
        ("shapes-ss", {}, "6a4856c0c35343ec"),
        ("shapes-ms", {"scales": [0.75, 1.0, 1.25], "flip": True}, "0f3155f155113383"),
        ("segmenter-ade20k-640-ss", {**SEGMENTER_640, "enlarge": True}, "b53459f1a5d98e5b"),
        ("segmenter-cityscapes-768-ss", {**SEGMENTER_768, "enlarge": True}, "61c2b9c6f7a5c824"),
        ("segmenter-pascal-context-480-ss", {**SEGMENTER_480, "enlarge": True}, "2f938e38cf8d4d43"),
        ("segmenter-ade20k-640-ms", None, "b6e9a50353f231f4"),
        ("segmenter-cityscapes-768-ms", None, "84a133ee24d4c3d1"),
        ("segmenter-pascal-context-480-ms", None, "e37aa89094861bda"),
    ],
)
def test_entries_that_evidence_was_made_under_hash_as_then(name, said, digest):
    """A change here orphans committed evidence, so raise `version` or write a new entry instead."""
    protocol = load_protocol(name)
    if said is not None:
        assert protocol.inference == {**FIRST, **said}
    assert protocol.digest.startswith(digest)


@pytest.mark.parametrize("field", list(Protocol.model_fields))
def test_every_field_is_used_by_an_entry(field):
    default = Protocol.model_fields[field].default
    assert any(getattr(protocol, field) != default for protocol in load_protocols().values())


@pytest.mark.parametrize(
    "field", ["resize_library", "normalize", "average", "argmax_at", "precision", "void"]
)
def test_every_choice_is_used_by_an_entry(field):
    known = get_args(Protocol.model_fields[field].annotation)
    known = [one for one in known if not one.endswith("-compiled")]  # asked for with --precision
    assert {getattr(protocol, field) for protocol in load_protocols().values()} == set(known)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("segmenter-ade20k", {"resize_short": 512, "window": 512, "stride": 480, "enlarge": True}),
        ("segmenter-ade20k-config-stride", {"window": 512, "stride": 512}),
        ("segmenter-ade20k-640-from-512", {"resize_short": 512, "window": 640, "stride": 608}),
        ("segmenter-cityscapes", {"resize_short": 1024, "window": 768, "stride": 736}),
        ("segmenter-cityscapes-config-stride", {"window": 768, "stride": 512, "enlarge": True}),
        ("segmenter-pascal-context", {"resize_long": 4160, "window": 480, "stride": 448}),
        ("segmenter-pascal-context-config-stride", {"window": 480, "stride": 320}),
        ("mmseg-segmenter-ade20k-512", {"window": 512, "stride": 480, "enlarge": False}),
        ("mmseg-segmenter-ade20k-640", {"resize_short": 640, "resize_long": 2560, "stride": 608}),
        ("mmseg-setr-ade20k", {"window": 512, "stride": 341}),
        ("mmseg-setr-cityscapes", {"resize_short": 1025, "resize_long": 2049, "stride": 512}),
        ("mmseg-segformer-ade20k", {"resize_short": 512, "resize_multiple": None, "window": None}),
        ("mmseg-segformer-cityscapes-1024", {"window": 1024, "stride": 768, "enlarge": False}),
        ("mmseg-cityscapes-whole", {"resize_short": 1024, "window": None}),
        ("mmseg-pascal-context", {"resize_short": 520, "resize_long": 520, "stride": 320}),
        ("mmseg-pascal-context-59", {"stride": 320, "ignore_classes": ("background",)}),
    ],
)
def test_what_the_facts_say_about_pairs_with_six_scales(name, fields):
    single, multi = load_protocol(f"{name}-ss"), load_protocol(f"{name}-ms")
    for protocol in (single, multi):
        assert {field: getattr(protocol, field) for field in fields} == fields
    assert (single.scales, single.flip) == ((1.0,), False)
    assert (multi.scales, multi.flip) == (SIX, True)
    assert multi.replace(scales=(1.0,), flip=False).inference == single.inference


@pytest.mark.parametrize(
    ("name", "short", "long", "window", "stride"),
    [
        ("segformer-ade20k", 512, 2048, None, None),
        ("segformer-ade20k-640", 640, 2048, None, None),
        ("segformer-cityscapes-1024", 1024, 2048, 1024, 768),
        ("segformer-cityscapes-768", 768, 1536, 768, 768),
        ("segformer-cityscapes-640", 640, 1280, None, None),
        ("segformer-cityscapes-512", 512, 1024, None, None),
    ],
)
def test_what_the_facts_say_about_segformer(name, short, long, window, stride):
    single, multi = load_protocol(f"{name}-ss"), load_protocol(f"{name}-ms")
    for one in (single, multi):
        assert (one.resize_short, one.resize_long, one.window, one.stride, one.enlarge) == (
            *(short, long, window, stride),
            False,
        )
        assert one.resize_multiple == (32 if "ade20k" in name else None)
    assert (multi.scales, multi.flip) == (FIVE if "ade20k" in name else (*SIX, 2.0), True)


@pytest.mark.parametrize("dataset", ["ade20k", "ade20k-640", "cityscapes", "pascal-context"])
@pytest.mark.parametrize("views", ["ss", "ms"])
def test_depict_is_measured_as_segmenter_is(dataset, views):
    ours, theirs = (load_protocol(f"{who}-{dataset}-{views}") for who in ("depict", "segmenter"))
    assert ours.digest == theirs.digest


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
        (
            {"window": 512, "stride": -1},
            "field 'stride': expected a whole number or .*, 1 or more, found -1",
        ),
        ({"scales": ()}, r"field 'scales': expected at least 1 item, found \(\)"),
        ({"scales": (1.0, 0.0)}, r"field 'scales\[1\]': expected above 0, found 0.0"),
        ({"void": "drop"}, "field 'void': expected 'ignore', 'error' or 'class', found 'drop'"),
        ({"resize_short": 0}, "field 'resize_short': expected above 0, found 0"),
        ({"resize_long": 2048}, "`resize_long` caps `resize_short`"),
        ({"enlarge": True}, "`enlarge` needs a `window`"),
        ({"window": (8, 9), "stride": 8, "enlarge": True}, "a square `window` only"),
        ({"window": (512, 8), "stride": 9}, "pixels would be skipped"),
        ({"window": (8, 512), "stride": (8, 513)}, "pixels would be skipped"),
        (
            {"window": (8, 8, 8), "stride": 8},
            "expected a whole number or .height, width., 1 or more, found",
        ),
        ({"window": [8], "stride": 8}, "field 'window': expected a whole number or"),
        ({"window": True, "stride": 8}, "field 'window': expected a whole number or"),
        ({"window": "96", "stride": 8}, "field 'window': expected a whole number or"),
        ({"window": (8, 0.5), "stride": 8}, "field 'window': expected a whole number or"),
        ({"resize_short": 512.0}, "field 'resize_short': expected a whole number, found 512.0"),
        ({"resize_short": (1, 2)}, "field 'resize_short': expected a whole number"),
        ({"pad_multiple": 0}, "field 'pad_multiple': expected above 0"),
        (
            {"resize_fixed": (512, 0)},
            "field 'resize_fixed': expected a whole number or .*, 1 or more",
        ),
        ({"resize_fixed": 8, "resize_short": 8}, "`resize_fixed` decides both sides"),
        ({"resize_fixed": 8, "resize_multiple": 8}, "`resize_fixed` decides both sides"),
        ({"resize_library": "PIL"}, "expected 'opencv', 'opencv-float', 'pil.*found 'PIL'"),
        ({"normalize": "mmcv"}, "expected 'plain', 'fused' or 'rescaled', found 'mmcv'"),
        ({"average": "labels"}, "expected 'probabilities' or 'logits', found 'labels'"),
        ({"argmax_at": "output"}, "field 'argmax_at': expected 'image' or 'input'"),
        (
            {"precision": "fp16"},
            "'fp32-compiled' or 'bf16-compiled', found 'fp16'. Did you mean .*'fp32'",
        ),
        ({"argmax_at": "input", "scales": (1.0, 2.0)}, "needs one scale"),
        ({"argmax_at": "input", "pad_multiple": 8}, "`argmax_at` is for whole images"),
        ({"upsample_once": True, "window": 8, "stride": 8}, "`upsample_once` is for whole images"),
    ],
)
def test_impossible_combinations_are_refused(fields, message):
    with pytest.raises(SegmodelsError, match=message):
        Protocol(name="odd", version=1, title="odd", **fields)


def test_replace_checks_again():
    protocol = Protocol(name="slide", version=1, title="slide", window=512, stride=480)
    assert protocol.replace(window=96, stride=64).window == 96
    with pytest.raises(SegmodelsError, match="pixels would be skipped"):
        protocol.replace(window=96)


def test_replace_changes_the_hash():
    protocol = load_protocol("segmenter-ade20k-ss")
    changed = protocol.replace(window=96, stride=64)
    assert changed.digest != protocol.digest
    assert changed.inference == {**protocol.inference, "window": 96, "stride": 64}
    assert changed.replace(window=512, stride=480).digest == protocol.digest


def test_replace_knows_its_fields():
    with pytest.raises(SegmodelsError, match="protocol 'a': unknown field 'windw'"):
        Protocol(name="a", version=1, title="a").replace(windw=3)


def test_one_meaning_has_one_hash():
    square = Protocol(
        name="a", version=1, title="a", window=(96, 96), stride=[64, 64], scales=[1.0]
    )
    assert square == Protocol(name="a", version=1, title="a", window=96, stride=64)
    assert hash(square) == hash(Protocol(name="a", version=1, title="a", window=96, stride=64))
    assert square.windows == ((96, 96), (64, 64))
    assert Protocol(name="a", version=1, title="a").windows is None


def test_height_and_width_of_windows():
    protocol = Protocol(name="a", version=1, title="a", window=(48, 96), stride=[32, 96])
    assert protocol.windows == ((48, 96), (32, 96))
    assert protocol.inference["window"] == [48, 96]
    assert (
        protocol.digest
        != Protocol(name="a", version=1, title="a", window=(96, 48), stride=(96, 32)).digest
    )


def test_descriptions_change_neither_digest_nor_inference():
    plain = Protocol(name="a", version=1, title="a")
    told = Protocol(name="b", version=1, title="A title", source="Section 4")
    assert plain.digest == told.digest
    assert plain.inference == told.inference


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"void": "error"}, {"ignore_classes": ("sky",)}]
)
def test_scoring_and_version_change_the_digest_only(change):
    plain = Protocol(name="a", version=1, title="a")
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
        {"resize_fixed": 512},
        {"resize_library": "pillow"},
        {"normalize": "fused"},
        {"pad_multiple": 32},
        {"upsample_once": True},
        {"average": "logits"},
        {"argmax_at": "input"},
        {"precision": "bf16"},
    ],
)
def test_whatever_moves_labels_changes_inference(change):
    plain = Protocol(name="a", version=1, title="a")
    assert plain.replace(**change).inference != plain.inference
    assert plain.replace(**change).digest != plain.digest


def test_both_halves_are_everything_but_descriptions_and_version():
    protocol = Protocol(
        name="a", version=1, title="a", void="error", ignore_classes=("sky",), pad_multiple=32
    )
    assert protocol.scoring == {"void": "error", "ignore_classes": ["sky"]}
    assert Protocol(name="a", version=1, title="a").scoring == {"void": "ignore"}
    assert protocol.inference == {**FIRST, "pad_multiple": 32}


def test_entries_may_take_over_others(write):
    path = write(
        "a: &a {version: 1, title: t, window: [48, 96], stride: 32}\n"
        "b: {<<: *a, title: u, stride: [32, 48]}\nc: *a\n"
    )
    protocols = load_protocols(path)
    assert protocols["b"].windows == ((48, 96), (32, 48))
    assert protocols["b"].title == "u"
    assert (protocols["c"].name, protocols["c"].digest) == ("c", protocols["a"].digest)


def test_entries_are_plain_values_for_every_reader_of_yaml():
    """DVC compares an entry with what it was at the last run; it must see the merged fields."""
    text = (project_root() / "params" / "protocols.yaml").read_text()
    plain = yaml.safe_load(text)
    for name, protocol in load_protocols().items():
        fields = {k: protocol.to_dict()[k] for k in plain[name]}
        assert fields == plain[name]


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
        ("{version: 1, title: t, windw: 3}", "unknown field 'windw'. Did you mean 'window'"),
        ("{version: one, title: t}", "field 'version': expected a whole number, found 'one'"),
        ("{version: 1, title: t, flip: 1}", "field 'flip': expected true or false, found 1"),
        ("[1]", "expected fields, found list"),
        ("{version: 1, title: t, window: 5}", "protocol 'odd': give `window`"),
        ("{version: 1, title: t, window: 5}", r"protocols\.yaml, protocol"),
        (
            "{version: 1, title: t, window: big}",
            "field 'window': expected a whole number or .height, width., .* found 'big'",
        ),
        ("{version: 1, title: t, window: [a, b]}", "field 'window': expected a whole number or"),
        ("{version: 1, title: t, window: [1, 2, 3]}", "field 'window': expected a whole number or"),
        (
            "{version: 1, title: t, resize_short: [1, 2]}",
            "field 'resize_short': expected a whole number",
        ),
        (
            "{version: 1, title: t, scales: [big]}",
            r"field 'scales\[0\]': expected a number, found 'big'",
        ),
        (
            "{version: 1, title: t, ignore_classes: [1]}",
            r"field 'ignore_classes\[0\]': expected text, found 1",
        ),
    ],
)
def test_a_broken_entry_is_named(write, entry, message):
    with pytest.raises(SegmodelsError, match=message) as caught:
        load_protocols(write(f"odd: {entry}\n"))
    assert "'odd'" in str(caught.value)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'espnet-camvid'"):
        load_protocol("espnet-camvit")
