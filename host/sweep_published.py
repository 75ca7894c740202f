"""What is published of the only NIC that does this: the curves that a sweep is compared with.

B. Pismenny, H. Eran, A. Yehezkel, L. Liss, A. Morrison, D. Tsafrir, "Autonomous NIC Offloads",
ASPLOS 2021: ConnectX-6 Dx, 128 iperf streams, TLS 1.2 AES-128-GCM, records of 16 KiB, MTU 1,500,
trimmed mean of 10 runs. Figure 17 (loss at the receiver) and figure 18 (reordering at the
receiver), read off the vector graphics of the authors' PDF (github.com/BorisPis/BorisPis.github.io,
files/2021-l5o*.pdf) to 0.3 % of the axis. The text says 24 % at 2 % reordering, the bar 19.7 %; the
point at 0.5 % loss looks out of place in the figure itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

SOURCE: Final = "Pismenny et al., ASPLOS 2021, figures 17 and 18 (ConnectX-6 Dx)"


class Records(NamedTuple):
    """Percent of the records that were decrypted by the NIC wholly, in part, not at all."""

    full: float
    partial: float
    none: float


LOSS: Final[Mapping[float, Records]] = {
    0: Records(100, 0, 0),
    0.5: Records(85.8, 0.8, 13.4),
    1: Records(89.0, 2.0, 9.0),
    1.49: Records(84.3, 3.4, 12.3),
    2: Records(79.0, 5.3, 15.7),
    2.5: Records(74.6, 7.6, 17.8),
    2.94: Records(70.7, 9.5, 19.8),
    3.57: Records(65.6, 11.9, 22.5),
    4: Records(62.9, 13.0, 24.1),
    4.55: Records(58.8, 14.2, 26.9),
    5: Records(56.4, 14.8, 28.8),
}
REORDER: Final[Mapping[float, Records]] = {
    0: Records(99.5, 0.1, 0.5),
    0.5: Records(73.4, 0.2, 26.3),
    1: Records(49.4, 0.4, 50.3),
    1.5: Records(32.6, 0.4, 67.0),
    2: Records(19.7, 0.4, 80.0),
    2.5: Records(12.4, 0.3, 87.3),
    3: Records(7.5, 0.2, 92.3),
    3.5: Records(4.2, 0.2, 95.6),
    4: Records(3.3, 0.2, 96.5),
    4.5: Records(2.4, 0.2, 97.4),
    5: Records(1.9, 0.1, 98.0),
}
