"""Images per second belong to a device, and never meet those of another one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from segmodels import cli
from segmodels.core.environment import machine
from segmodels.efficiency import load_latency_protocols
from segmodels.efficiency.latency import (
    find_latency,
    latency_file,
    load_latency_protocol,
    read_latency,
    write_latency,
)
from segmodels.efficiency.stopwatch import measure_latency
from segmodels.errors import SegmodelsError, UnknownNameError

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = REPOSITORY / "params" / "efficiency.yaml"
HERE = machine("cpu")["device"]


@pytest.fixture
def root(tmp_path, monkeypatch):
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "protocols.yaml").touch()
    (tmp_path / "params" / "efficiency.yaml").write_text(SOURCE.read_text())
    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def protocol(root):
    return load_latency_protocol("latency-network").replace(warm_up=1, iterations=5)


def test_a_record_says_what_made_it(protocol):
    protocol = protocol.replace(batch=2, labels=True)
    found = measure_latency("segformer_nano", protocol, size=(32, 64), overrides={"num_classes": 5})
    assert (found.model, found.overrides) == ("segformer_nano", {"num_classes": 5})
    assert (found.height, found.width, found.batch, found.iterations) == (32, 64, 2, 5)
    assert (found.device, found.precision, found.digest) == (HERE, "fp32", protocol.digest)
    assert found.threads >= 1
    assert 0 < found.lower <= found.median <= found.upper
    assert found.images_per_second == 2 / found.median


def test_passes_are_as_many_as_the_protocol_says(protocol, monkeypatch):
    from segmodels.efficiency import stopwatch

    built, calls = stopwatch.create_model, []

    def watched(*args, **kwargs):
        model = built(*args, **kwargs)
        model.register_forward_hook(lambda *_: calls.append(model.training))
        return model

    monkeypatch.setattr(stopwatch, "create_model", watched)
    measure_latency("segformer_nano", protocol, size=(32, 32))
    assert calls == [False] * 6


def test_bfloat16_is_run_in_bfloat16(protocol):
    half = protocol.replace(precision="bf16", iterations=1)
    assert measure_latency("segformer_nano", half, size=(32, 32)).precision == "bf16"


def test_a_record_is_found_on_its_own_device_only(protocol):
    record = measure_latency("segformer_nano", protocol, size=(32, 32))
    path = write_latency(record)
    assert path == latency_file(HERE, "segformer_nano")
    asked = ("segformer_nano", {}, (32, 32), protocol)
    assert find_latency(*asked, HERE) == record
    assert find_latency(*asked, "Tesla V100") is None
    assert find_latency(*asked, "") is None
    assert find_latency(*asked, HERE.upper() + "!") is None  # the same folder, another name
    assert find_latency("segformer_nano", {"num_classes": 3}, (32, 32), protocol, HERE) is None
    assert find_latency("segformer_nano", {}, (32, 64), protocol, HERE) is None
    newer = protocol.replace(version=2)
    assert find_latency("segformer_nano", {}, (32, 32), newer, HERE) is None


def test_a_later_measurement_replaces_only_its_own(protocol):
    first = measure_latency("segformer_nano", protocol, size=(32, 32))
    other = first.replace(width=64)
    later = first.replace(median=1.0)
    for record in (first, other, later):
        path = write_latency(record)
    assert sorted(read_latency(path), key=lambda r: r.width) == [later, other]


def test_a_file_with_two_devices_is_refused(protocol):
    path = write_latency(measure_latency("segformer_nano", protocol, size=(32, 32)))
    values = json.loads(path.read_text())
    values["records"].append({**values["records"][0], "device": "Tesla V100"})
    path.write_text(json.dumps(values))
    with pytest.raises(SegmodelsError, match=r"holds records of .* one per file"):
        read_latency(path)
    values["records"][0]["median"] = "fast"
    path.write_text(json.dumps(values))
    with pytest.raises(
        SegmodelsError, match=r"field 'records.0..median': expected a number, found 'fast'"
    ):
        read_latency(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"iterations": 0},
            "latency protocol 'x': field 'iterations': expected above 0, found 0",
        ),
        ({"batch": 0}, "field 'batch': expected above 0"),
        ({"warm_up": -1}, "field 'warm_up': expected at least 0"),
        ({"precision": "int8"}, "field 'precision': expected 'fp32' or 'bf16', found 'int8'"),
        ({"labels": None}, "field 'labels': expected true or false, found nothing"),
        ({"size": 512}, "unknown field 'size'"),
    ],
)
def test_mistakes_in_a_protocol_are_named(tmp_path, changes, message):
    entry = {**yaml.safe_load(SOURCE.read_text())["latency-network"], **changes}
    path = tmp_path / "efficiency.yaml"
    path.write_text(yaml.dump({"x": entry}))
    with pytest.raises(SegmodelsError, match=message):
        load_latency_protocols(path)


def test_an_unknown_protocol_suggests_the_nearest(root):
    with pytest.raises(UnknownNameError, match="Did you mean 'latency-network'"):
        load_latency_protocol("latency-netwerk")


def test_the_command_keeps_a_record(root, capsys):
    (root / "params" / "efficiency.yaml").write_text(
        SOURCE.read_text().replace("iterations: 20", "iterations: 2")
    )
    command = ["bench", "segformer_nano", "--latency", "latency-network"]
    assert cli.main([*command, "--size", "32x64"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("segformer_nano: ")
    assert HERE in out
    (record,) = read_latency(latency_file(HERE, "segformer_nano"))
    assert (record.height, record.width, record.iterations) == (32, 64, 2)
    assert cli.main([*command, "--size", "32x64x3"]) == 1
    assert "there is no size '32x64x3'" in capsys.readouterr().err
    assert cli.main([*command, "--device", "abacus"]) == 1
    assert "abacus" in capsys.readouterr().err
