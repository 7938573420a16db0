"""Daemon threads that allocate while the interpreter is taken apart: nobody states, nobody may crash."""
import sys
import threading
import time


def busy():
    while True:
        [bytearray(n) for n in range(400, 700, 7)]
        {str(n): n for n in range(20)}


for _ in range(6):
    threading.Thread(target=busy, daemon=True).start()
time.sleep(float(sys.argv[1]))
