"""Run the program on a terminal, and read what it shows."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

_PARTS = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|(.)", flags=re.DOTALL)


def on_a_terminal(arguments, *, columns=160, python=("-m", "timbrel"), **streams):
    """Run `timbrel` with stdout and stderr on one terminal; return the status and the raw bytes.

    Other streams may be given, as to `subprocess.Popen`.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    streams = {"stdin": subprocess.DEVNULL, "stdout": theirs, "stderr": theirs} | streams
    command = [sys.executable, *python, *map(str, arguments)]
    environment = os.environ | {"TERM": "xterm-256color"}
    with subprocess.Popen(command, env=environment, **streams) as process:
        os.close(theirs)
        raw = b""
        while True:
            try:
                more = os.read(ours, 1 << 16)
            except OSError:  # On Linux, when the other end is closed.
                break
            if not more:
                break
            raw += more
    os.close(ours)
    return process.returncode, raw


def shown(raw):
    """The lines that stay on a terminal, for the few sequences by which rich moves the cursor."""
    lines, row, column = [[]], 0, 0
    for numbers, command, letter in _PARTS.findall(raw.decode()):
        count = int(numbers) if numbers.isdigit() else 1
        if command == "A":
            row = max(row - count, 0)
        elif command == "K":
            lines[row] = [] if count == 2 else lines[row][:column]
        elif letter == "\r":
            column = 0
        elif letter == "\n":
            row += 1
            lines += [[]] * (row == len(lines))
        elif letter:
            line = lines[row]
            line += [" "] * (column + 1 - len(line))
            line[column] = letter
            column += 1
    return ["".join(line).rstrip() for line in lines]
