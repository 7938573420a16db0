"""usage: wrap_job.py CHURN: 200 MB at one line, freed; CHURN allocations; death with 20 MB at another line."""

import os
import signal
import sys


def early():
    return [bytearray(1 << 20) for _ in range(200)]  # A


def late():
    return [bytearray(1 << 20) for _ in range(20)]  # B


kept = early()
del kept
for i in range(int(sys.argv[1])):
    block = bytearray(700 + i % 900)
kept = late()
os.kill(os.getpid(), signal.SIGKILL)
