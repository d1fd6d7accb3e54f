"""The sweep on several devices."""

import os
import subprocess
import sys
from pathlib import Path


def test_sweep_under_mirrored_strategy_on_two_logical_devices():
    script = Path(__file__).with_name("mirrored.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().endswith("same curve, same state")
