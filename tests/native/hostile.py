"""hostile.py ANALYZE TRACE FILE [FLIPS]: FILE, a module of TRACE, cut at every 97th byte and with bits changed. Each
time there is a whole report, with names or without; FILE is put back."""
import json
import random
import subprocess
import sys

analyze, trace, path = sys.argv[1:4]
flips = int(sys.argv[4]) if len(sys.argv) > 4 else 100
with open(path, "rb") as file:
    good = file.read()


def look(data, what):
    with open(path, "wb") as file:
        file.write(data)
    run = subprocess.run([analyze, "--json=-", trace], capture_output=True)
    if run.returncode or b"Sanitizer" in run.stderr or b"runtime error" in run.stderr:
        sys.exit(f"{what}: exit status {run.returncode}\n{run.stderr.decode(errors='replace')[-3000:]}")
    frames = [f for s in json.loads(run.stdout)["instants"]["end"]["stacks"] for f in s["frames"]]
    if not frames:
        sys.exit(f"{what}: no stacks")
    return any(f["function"] == "plain" for f in frames)


named = 0
for cut in range(0, len(good), 97):
    named += look(good[:cut], f"cut at {cut}")
for seed in range(flips):
    random.seed(seed)
    data = bytearray(good)
    for _ in range(random.choice([1, 3, 30, 300])):
        # Half of the damage where the tables are: at the head, and at the end.
        at = random.randrange(random.choice([64, 1024, len(good)]))
        at = len(data) - 1 - at if random.random() < 0.5 else at
        data[at] ^= 1 << random.randrange(8)
    named += look(bytes(data), f"seed {seed}")
with open(path, "wb") as file:
    file.write(good)
if not named or not look(good, "control"):
    sys.exit("never a name: nothing was tested")
