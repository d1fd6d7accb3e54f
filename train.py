"""Find learning rates for MiniGoogLeNet on Fashion-MNIST, then train with them: `python train.py --help`."""

import os
import signal
import sys


def stop(number, frame):
    """End before anything is loaded: there is nothing to keep yet."""
    os.write(2, f"\n[INFO] stopped by {signal.Signals(number).name} at the start\n".encode())
    os._exit(128 + number)


if __name__ == "__main__":
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) != signal.SIG_IGN:
            signal.signal(getattr(signal, name), stop)

    from pyimagesearch_lr.pipeline import console

    sys.exit(console(os.path.dirname(os.path.abspath(__file__))))
