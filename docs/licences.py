"""Write docs/licences.md: under which licence each package of requirements.lock stands.

python docs/licences.py
"""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCK = HERE.parent / "requirements.lock"

HEAD = """# Licences of dependencies

Written by `python docs/licences.py` from what the packages of `requirements.lock` say of
themselves; a test keeps it true. segmodels itself stands under Apache-2.0 and holds no code of
others; its pages carry DataTables (MIT) with its notice, taken from the package itables when a page
is written. CamVid, released checkpoints and other files that are fetched keep the licences of their
authors (`segmodels show camvid`).

What the library needs by itself (`pip install segmodels`) stands under permissive licences and
MPL-2.0, with one exception: on Linux PyTorch's usual builds bring NVIDIA's CUDA libraries, whose
licence is NVIDIA's own; its CPU builds bring none. Other copyleft comes with the extras alone, and
none of it is changed or linked into files of this project:

| package | licence | who brings it |
|---|---|---|
| asyncssh | EPL-2.0 OR GPL-2.0-or-later | DVC |
| docutils | public domain, BSD-2-Clause, parts GPL-3.0 | Sphinx, for the documentation |
| dulwich | Apache-2.0 OR GPL-2.0-or-later | DVC |
| grandalf | GPL-2.0 or EPL-1.0 | DVC |
| psycopg2-binary | LGPL with exceptions | the extra `team` |
| pygit2 | GPL-2.0 with linking exception | DVC |
| text-unidecode | Artistic or GPL-2.0-or-later | Prefect |

## All of them

| package | licence |
|---|---|
"""

#: What packages say that is no identifier of SPDX.
WORDS = {
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD License": "BSD",
    "GPLv2 with linking exception": "GPL-2.0 with linking exception",
    "GPLv2 | EPLv1": "GPL-2.0 or EPL-1.0",
    "ISC License": "ISC",
    "LGPL with exceptions": "LGPL with exceptions",
    "LicenseRef-NVIDIA-Proprietary": "NVIDIA, proprietary",
    "MIT License": "MIT",
    "MIT license": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "New BSD": "BSD",
    "NVIDIA Proprietary Software": "NVIDIA, proprietary",
    "Python Software Foundation License": "PSF-2.0",
}

#: Packages whose metadata say nothing usable (their licence file does), and those that only
#: another platform, another Python or the extra `s3` installs (the package index says it).
BY_HAND = {
    "aiobotocore": "Apache-2.0",
    "aioitertools": "MIT",
    "async-timeout": "Apache-2.0",
    "cuda-toolkit": "NVIDIA, proprietary",
    "docutils": "public domain, BSD-2-Clause, parts GPL-3.0",
    "dvc-s3": "Apache-2.0",
    "httpx2-jsfetch": "BSD-3-Clause",
    "huey": "MIT",
    "python-dateutil": "Apache-2.0 or BSD-3-Clause",
    "pywin32": "PSF-2.0",
    "s3fs": "BSD",
    "skops": "MIT",
    "text-unidecode": "Artistic or GPL-2.0-or-later",
    "waitress": "ZPL-2.1",
    "whenever": "MIT",
    "wrapt": "BSD-2-Clause",
}

#: A licence that is longer is the text of one, and the classifier says which.
_SHORT = 40


def page() -> str:
    """The page as text."""
    lines = [f"| {name} | {licence(name)} |" for name in locked()]
    return HEAD + "\n".join(lines) + "\n"


def locked() -> list[str]:
    """Names in `requirements.lock`, each once."""
    text = LOCK.read_text(encoding="utf-8")
    return sorted(set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE)))


def licence(name: str) -> str:
    """The licence of a package, as an identifier of SPDX where that is known."""
    if name in BY_HAND:
        return BY_HAND[name]
    try:
        about = distribution(name).metadata
    except PackageNotFoundError:
        raise SystemExit(f"{name}: not installed here; its licence is for BY_HAND.") from None
    stated = about.get("License-Expression") or _stated(about.get("License"))
    kinds = [
        c.split(" :: ")[-1] for c in about.get_all("Classifier") or () if c[:10] == "License ::"
    ]
    found = stated or " AND ".join(kinds)
    if not found:
        raise SystemExit(f"{name}: it says no licence; look into its files.")
    return WORDS.get(found, found)


def _stated(text: str | None) -> str:
    line = " ".join((text or "").split())
    return line if len(line) <= _SHORT else ""


if __name__ == "__main__":
    (HERE / "licences.md").write_text(page(), encoding="utf-8")
