from __future__ import annotations

import pytest

from segmodels.assets.addresses import at_revision, is_commit, names_branch

COMMIT = "0123456789" * 4


@pytest.mark.parametrize(
    ("url", "pinned"),
    [
        ("https://huggingface.co/a/b/resolve/main/c.bin", f"resolve/{COMMIT}/c.bin"),
        ("https://mirror.example/a/b/resolve/refs/heads/main/c.bin", f"resolve/{COMMIT}/c.bin"),
        ("https://github.com/a/b/raw/master/main/c.pth", f"raw/{COMMIT}/main/c.pth"),
        ("https://raw.githubusercontent.com/a/b/master/d/c.pth", f"/a/b/{COMMIT}/d/c.pth"),
        ("https://raw.githubusercontent.com/a/b/refs/heads/x/c.pth", f"/a/b/{COMMIT}/c.pth"),
    ],
)
def test_a_branch_is_replaced_by_a_commit(url, pinned):
    assert names_branch(url)
    found = at_revision(url, COMMIT)
    assert found.endswith(pinned)
    assert not names_branch(found)


@pytest.mark.parametrize(
    "url",
    [
        f"https://raw.githubusercontent.com/a/b/{COMMIT}/master/c.pth",
        "https://github.com/a/b/releases/download/v1/main/c.pth",
        "https://huggingface.co/a/b/resolve/v1.0/c.bin",
        "https://example.org/main/c.pth",
    ],
)
def test_other_addresses_stay(url):
    assert not names_branch(url)
    assert at_revision(url, COMMIT) == url


def test_commits():
    assert is_commit(COMMIT)
    assert not any(map(is_commit, (COMMIT[1:], COMMIT + "0", "g" * 40, COMMIT.upper() + "A", "")))
