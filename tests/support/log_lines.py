"""Lines of tegrastats of several releases, and what people's tools put before and around them."""

from __future__ import annotations

import re
from collections.abc import Callable

R36 = (
    "RAM 6982/7620MB (lfb 5x1MB) SWAP 2640/16384MB (cached 202MB) CPU [97%@1984,95%@1984,off] EMC_FREQ 18%@3199 "
    "GR3D_FREQ 84%@[713] NVENC 1%@115 NVDEC 40%@115 NVJPG off VIC 31%@115 OFA off PVA0_FREQ off APE 174 cv0@-256C "
    "cpu@65.562C VDD_IN 17946mW/15710mW VDD_CPU_GPU_CV 8896mW/7585mW VDD_SOC 3923mW/3515mW"
)
LINES = (
    "RAM 714/1876MB (lfb 139x4MB) SWAP 0/2048MB (cached 0MB) cpu [25%,7%,1%,1%]@2218 EMC 3%@924 AVP 0%@81 VDE 120 GR3D 0%@252 "
    "EDP limit 0",
    "RAM 1923/3964MB (lfb 2x2MB) SWAP 191/1982MB (cached 6MB) IRAM 0/252kB(lfb 252kB) CPU [5%@1224,4%@1224] EMC_FREQ 0%@1600 "
    "GR3D_FREQ 0%@76 APE 25 PLL@37C PMIC@50C POM_5V_IN 1750/1628 POM_5V_GPU 0/0 POM_5V_CPU 366/406",
    "RAM 2586/7846MB (lfb 1x1MB) CPU [49%@806,off] EMC_FREQ 10%@665 GR3D_FREQ @0 APE 150 MTS fg 0% bg 3% GPU@39C thermal@40.2C "
    "VDD_IN 3177/3177 VDD_CPU 536/536",
    "RAM 5246/7771MB (lfb 7x4MB) CPU [47%@1420,23%@1420] EMC_FREQ 0% GR3D_FREQ 0% GPU@31.5C GPU 216/216 CPU 864/864 "
    "SOC 311/311 CV 0/0 VDDRQ 144/144 SYS5V 1889/1889",
    f"05-15-2025 18:30:28 {R36}",
    "08-08-2026 20:58:23 RAM 3429/125749MB (lfb 120x4MB) CPU [0%,5%,off]@2601 EMC_FREQ @4266 GR3D_FREQ @[1574,1574,1574] "
    "NVENC0_FREQ @0 cpu@49.75C/51.25C VDD_GPU 6330mW/6330mW/6331mW VDDQ -3mW/0mW VIN 28906mW/14453mW/28906mW",
)

PREFIXES: dict[str, Callable[[int], str]] = {
    "ts": lambda k: f"May 15 18:30:{k:02} ",
    "ts -s": lambda k: f"00:00:{k:02} ",
    "ts -i": lambda k: "00:00:01 ",
    "ts %.s": lambda k: f"{1747333800 + k}.123456 ",
    "ts %.T": lambda k: f"18:30:{k:02}.123456 ",
    "journald short": lambda k: f"May 15 18:30:{k:02} jetson tegrastats[1234]: ",
    "journald short-precise": lambda k: f"May 15 18:30:{k:02}.123456 jetson tegrastats[1234]: ",
    "journald short-iso": lambda k: f"2025-05-15T18:30:{k:02}+0200 jetson tegrastats[1234]: ",
    "journald short-full": lambda k: f"Thu 2025-05-15 18:30:{k:02} CEST jetson tegrastats[1234]: ",
    "journald short-unix": lambda k: f"{1747333800 + k}.123456 jetson tegrastats[1234]: ",
    "journald short-monotonic": lambda k: f"[{70 + k:5}.345678] jetson tegrastats[1234]: ",
    "journald with-unit": lambda k: f"Thu 2025-05-15 18:30:{k:02} UTC jetson tegrastats.service[1234]: ",
    "docker -t": lambda k: f"2025-05-15T18:30:{k:02}.123456789Z ",
    "docker compose": lambda k: f"tegra-1  | 2025-05-15T18:30:{k:02}.123456789Z ",
    "kubernetes": lambda k: f"2025-05-15T18:30:{k:02}.1Z stdout F ",
    "RFC 3164": lambda k: f"<30>May 15 18:30:{k:02} host app[12]: ",
    "RFC 5424": lambda k: f"<30>1 2025-05-15T18:30:{k:02}.003Z host app 123 ID47 - ",
    "seconds": lambda k: f"{1747333800 + k} ",
    "milliseconds": lambda k: f"{1747333800123 + 1000 * k} ",
    "microseconds": lambda k: f"{1747333800123456 + 1000000 * k},",
    "logging": lambda k: f"2025-05-15 18:30:{k:02},123 - root - INFO - ",
    "brackets": lambda k: f"[2025-05-15 18:30:{k:02}.326] Tegrastats: ",
    "no blank": lambda k: f"2025-05-15 18:30:{k:02} tegrastats:",
    "ROS": lambda k: f"[INFO] [{1747333800 + k}.123456789] [node]: ",
    "logfmt": lambda k: f'time="2025-05-15T18:30:{k:02}Z" level=info msg=',
    "glog": lambda k: f"I0515 18:30:{k:02}.123456  1234 x.cc:12] ",
    "logcat": lambda k: f"05-15 18:30:{k:02}.123  1234  1234 I tegra: ",
    "date": lambda k: f"Thu May 15 18:30:{k:02} UTC 2025: ",
    "date, other locale": lambda k: f"Thu 15 May 2025 06:30:{k:02} PM UTC ",
    "colon": lambda k: f"2025-05-15 18:30:{k:02}: ",
    "PowerShell": lambda k: f"5/15/2025 6:30:{k:02} PM ",
    "day first": lambda k: f"15/05/2025 18:30:{k:02} ",
    "dots": lambda k: f"15.05.2025 18:30:{k:02} ",
    "nginx": lambda k: f"[15/May/2025:18:30:{k:02} +0000] ",
    "compact": lambda k: f"20250515T1830{k:02}.123Z ",
}
"""One second apart, by second."""
UNTIMED = {
    "nothing": "",
    "cat": "tegrastats: ",
    "prompt": "user@jetson:~$ ",
    "quote": "> ",
    "grep -n": "log.txt:12:",
    "cat -n": "    12\t",
    "counter": "GPU 1/8 epoch 3/10 ",
}

DECORATIONS: dict[str, Callable[[str], str]] = {
    "bare": str,
    "bytes": lambda s: f"b'{s}\\n'",
    "bytes, CR": lambda s: f"b'{s}\\r\\n'",
    "double quotes": lambda s: f'"{s}"',
    "typographic quotes": lambda s: f"\u201c{s}\u201d",
    "list": lambda s: f"['{s}\\n'],",
    "call": lambda s: f"('{s}',)",
    "parentheses": lambda s: f"({s})",
    "brackets": lambda s: f"[{s}]",
    "backticks": lambda s: f"`{s}`",
    "table": lambda s: f"| {s} |",
    "HTML": lambda s: f"<td>{s}</td><br>",
    "comma": lambda s: f"{s},",
    "colour": lambda s: f"\x1b[32m{s}\x1b[0m",
    "colour, cleared": lambda s: f"\x1b[1;32m{s}\x1b[K\x1b[m",
    "grep --color": lambda s: re.sub("VDD|RAM|mW", "\x1b[01;31m\x1b[K\\g<0>\x1b[m\x1b[K", s),
    "cat -v": lambda s: f"^[[32m{s}^[[0m",
    "escape lost": lambda s: f"[32m{s}[0m",
    "escape written": lambda s: f"\\x1b[32m{s}\\033[0m",
    "title": lambda s: f"\x1b]0;jetson\x07{s}",
    "escape of rsyslog": lambda s: f"x: #033[32m{s}#033[0m#015",
    "escape as less shows it": lambda s: f"ESC[1m{s}ESC[0m",
    "escape replaced": lambda s: f"\ufffd[32m{s}?[0m",
    "escape lost, cleared": lambda s: f"[1;32m{s}[K[m",
    "cat -A": lambda s: f"{s}^M$",
    "markup": lambda s: f"[b]{s}[/b]",
    "XML": lambda s: f"<line>{s}</line>",
    "entities": lambda s: s.replace(" ", "&nbsp;"),
    "bytes of a serial console": lambda s: f"b'\\x00{s}'",
    "guillemets": lambda s: f"\xab{s}\xbb",
    "wide brackets": lambda s: f"\u300c{s}\u300d\u2026",
    "wide blanks": lambda s: s.replace(" ", "\u3000"),
    "words behind": lambda s: f"{s}, fps: 30",
    "a mark behind": lambda s: f"{s} <-- peak!",
    "newline written": lambda s: f"{s}\\n",
    "NUL": lambda s: f"\0\0{s}\0",
    "BOM": lambda s: f"\ufeff{s}",
    "CR": lambda s: f"{s}\r",
    "no-break blanks": lambda s: s.replace(" ", "\xa0"),
    "tabs": lambda s: s.replace(" ", "\t"),
    "padded": lambda s: s.replace(" ", "   "),
    "PHP's JSON": lambda s: s.replace("/", "\\/"),
    "docker's JSON": lambda s: f'{{"log":"{s}\\n","stream":"stdout"}}',
}
