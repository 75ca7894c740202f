"""Key logs: the secrets of TLS sessions as browsers and OpenSSL write them (SSLKEYLOGFILE).

In: the text of a key log. Out: the secrets of a session, by the client's random. A line is a label,
the random and the secret, in hexadecimal; comments and lines of another form are skipped, as every
reader does. draft-ietf-tls-keylogfile; for TLS 1.2 the label is CLIENT_RANDOM.
"""

from __future__ import annotations

from collections.abc import Mapping


class KeyLog:
    """Secrets by client random and label."""

    def __init__(self) -> None:
        self._sessions: dict[bytes, dict[str, bytes]] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def add(self, text: bytes) -> None:
        """Add the lines of a key log."""
        for line in text.splitlines():
            try:
                label, random, secret = line.decode("ascii").split()
                session = self._sessions.setdefault(bytes.fromhex(random), {})
                session[label] = bytes.fromhex(secret)
            except ValueError:
                continue

    def session(self, random: bytes) -> Mapping[str, bytes]:
        """Secrets by label; none if the session is not in the log."""
        return self._sessions.get(random, {})
