"""usage: oom_job.py KIND: takes memory at the line marked with KIND until the OOM killer comes."""

import sys


def bystander():
    return [bytes(3000) for _ in range(1000)]


def grow():
    data = bytearray(b"x" * 1000000)
    while True:
        data.extend(data)  # grow
        bystander()


def hoard():
    kept = []
    while True:
        kept.append(bytearray(b"y" * 300000))  # hoard
        bystander()


def crumbs():
    kept = {}
    while True:
        kept[len(kept)] = [len(kept), str(len(kept))]  # crumbs


{"grow": grow, "hoard": hoard, "crumbs": crumbs}[sys.argv[1]]()
