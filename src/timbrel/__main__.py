"""`python -m timbrel` is `timbrel`."""

import signal


def main() -> None:
    """Run the program; Ctrl-C while it is being imported ends it without a traceback."""
    usual = signal.getsignal(signal.SIGINT)
    # Anything else is somebody else's, or ignored on purpose.
    if usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from timbrel.cli.main import main as program

    signal.signal(signal.SIGINT, usual)
    program()


if __name__ == "__main__":
    main()
