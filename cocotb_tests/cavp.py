"""NIST CAVP GCM files as Wycheproof AEAD groups, so that one runner takes both.

The files (gcmEncryptExtIV128.rsp and its like) come with the `cryptography-vectors` package:
https://csrc.nist.gov/projects/cryptographic-algorithm-validation-program, CAVS 14.0.
"""

from __future__ import annotations

import re
from typing import Any

import cryptography_vectors

FILES = (
    "gcmEncryptExtIV128.rsp",
    "gcmEncryptExtIV256.rsp",
    "gcmDecrypt128.rsp",
    "gcmDecrypt256.rsp",
)


def wycheproof(name: str) -> dict[str, Any]:
    """One CAVP file in Wycheproof's schema; only 96-bit IVs and 128-bit tags, as TLS has them.

    A CAVP case that must FAIL has no plaintext: its `msg` is None.
    """
    with cryptography_vectors.open_vector_file(f"ciphers/AES/GCM/{name}", "r") as file:
        text: str = file.read()
    tests: list[dict[str, Any]] = []
    shape: dict[str, int] = {}
    # a section gives the sizes, then come its cases
    for chunk in re.split(r"\n\s*\n", text):
        sizes = re.findall(r"^\[(\w+) = (\d+)\]", chunk, re.M)
        shape.update({k: int(v) for k, v in sizes})
        case = dict(re.findall(r"^(\w+) = ?(\w*)", chunk, re.M))
        if "Key" not in case or shape["IVlen"] != 96 or shape["Taglen"] != 128:
            continue
        failing = bool(re.search(r"^FAIL", chunk, re.M))
        tests.append(
            {
                "tcId": len(tests) + 1,
                "comment": f"{name}, {shape}, Count {case['Count']}",
                "flags": [],
                "key": case["Key"],
                "iv": case["IV"],
                "aad": case["AAD"],
                "msg": None if failing else case["PT"],
                "ct": case["CT"],
                "tag": case["Tag"],
                "result": "invalid" if failing else "valid",
            }
        )
    size = len(tests[0]["key"]) * 4
    group = {"type": "AeadTest", "ivSize": 96, "keySize": size, "tagSize": 128, "tests": tests}
    return {"algorithm": "AES-GCM", "numberOfTests": len(tests), "testGroups": [group]}
