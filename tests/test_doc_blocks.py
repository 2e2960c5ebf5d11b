"""Code blocks of a page are found as a reader of Markdown sees them."""

from __future__ import annotations

from pathlib import Path

import pytest
from doc_blocks import Block, Command, blocks, commands, prints, write_files

PAGE = """# Title

```yaml file=params/runs/mine.yaml
name: mine
```

Text with `code` and ```three ticks``` in a line.

````markdown
```python
inner
```
````

```console numbers=vary
$ segmodels show \\
    espnet
one
$ true
```

~~~
plain
~~~
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    return path


def test_the_blocks_of_a_page(page: Path) -> None:
    file, nested, console, plain = blocks(page)
    assert file == Block("yaml", {"file": "params/runs/mine.yaml"}, "name: mine\n", 4)
    assert (file.file, nested.file) == ("params/runs/mine.yaml", None)
    assert nested.code == "```python\ninner\n```\n"
    assert console.options == {"numbers": "vary"}
    assert (plain.language, plain.code) == ("", "plain\n")


def test_commands_and_what_they_print(page: Path) -> None:
    console = blocks(page)[2]
    assert commands(console) == [
        Command("segmodels show espnet", "one\n", console.line),
        Command("true", "", console.line + 3),
    ]


def test_files_are_written_where_the_page_says(page: Path, tmp_path: Path) -> None:
    (path,) = write_files(page, tmp_path / "root")
    assert path == tmp_path / "root/params/runs/mine.yaml"
    assert path.read_text() == "name: mine\n"


def test_a_block_that_is_never_closed(page: Path) -> None:
    page.write_text("\n```sh\npytest\n")
    with pytest.raises(AssertionError, match=r"page\.md:2: .*never closed"):
        blocks(page)


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("55.64 mIoU\n", "55.64 mIoU  \n", True),
        ("55.64 mIoU\n", "55.65 mIoU\n", False),
        ("took ... seconds\nend\n", "took 3.1 seconds\nend\n", True),
        ("first\n...\nlast\n", "first\n1\n2\nlast\n", True),
        ("first\n...\n", "first\n", True),
        ("first\n...\nlast\n", "first\n1\nlost\n", False),
        ("a.c\n", "abc\n", False),
    ],
)
def test_what_a_page_shows_is_what_was_printed(shown: str, printed: str, same: bool) -> None:
    assert prints(shown, printed) is same


def test_numbers_that_vary() -> None:
    assert prints("mIoU 91.2 of 3 runs", "mIoU 7.25 of 12 runs", numbers=False)
    assert not prints("mIoU 91.2 of 3 runs", "mIoU none of 12 runs", numbers=False)
