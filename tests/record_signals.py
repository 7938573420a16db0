"""Signals, stopping and the terminal through fil4prod-record. usage: record_signals.py RECORD DIRECTORY"""

import os
import pty
import select
import signal
import subprocess
import sys
import time

RECORD, DIRECTORY = sys.argv[1:]
LIMIT = 30  # seconds until something that should happen counts as missing

# counts signals; says "ready", then each count; ends on SIGUSR2
COUNTER = """
import os, signal, sys, time
counts = {}
def count(number, frame):
    counts[number] = counts.get(number, 0) + 1
    os.write(1, b"%d:%d\\n" % (number, counts[number]))
for s in SIGNALS: signal.signal(s, count)
def leave(number, frame): os._exit(11)
signal.signal(signal.SIGUSR2, leave)
os.write(1, b"ready %d\\n" % os.getpid())
while True: time.sleep(0.01)
"""


def counter(*signals):
    return ["python3", "-c", COUNTER.replace("SIGNALS", "(%s)" % "".join("%d," % s for s in signals))]


class Output:
    """Text of a descriptor, with a limit on waiting."""

    def __init__(self, fd):
        self.fd, self.text = fd, ""

    def wait(self, wanted):
        end = time.monotonic() + LIMIT
        while wanted not in self.text:
            left = end - time.monotonic()
            assert left > 0, "no %r in %r" % (wanted, self.text)
            if select.select([self.fd], [], [], left)[0]:
                part = os.read(self.fd, 4096)
                assert part, "ended without %r: %r" % (wanted, self.text)
                self.text += part.decode()
        return self.text

    def rest(self):
        try:
            while select.select([self.fd], [], [], 0.3)[0]:
                part = os.read(self.fd, 4096)
                if not part:
                    break
                self.text += part.decode()
        except OSError:  # the other end of a terminal is gone
            pass
        return self.text


def state(pid):
    with open("/proc/%d/stat" % pid) as file:
        return file.read().rpartition(")")[2].split()[0]


def wait_state(pid, wanted):
    end = time.monotonic() + LIMIT
    while state(pid) not in wanted:
        assert time.monotonic() < end, "process %d is %s, not %s" % (pid, state(pid), wanted)
        time.sleep(0.01)


def record(command, **options):
    return subprocess.Popen([RECORD, "-q", "--size=1M", "--"] + command, stdout=subprocess.PIPE, **options)


def ready(output):
    return int(output.wait("\n").split()[1])


def test_forwarding():
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGWINCH,
               signal.SIGALRM, signal.SIGRTMIN + 3)
    process = record(counter(*numbers))
    output = Output(process.stdout.fileno())
    ready(output)
    for number in numbers:
        process.send_signal(number)
        output.wait("%d:1\n" % number)
    process.send_signal(signal.SIGUSR2)
    assert process.wait(LIMIT) == 11
    assert ":2" not in output.rest(), output.text


def test_group_signal_of_the_command_comes_once():
    body = "import os, signal, time\nn = [0]\ndef f(*a): n[0] += 1\nsignal.signal(15, f)\nos.kill(0, 15)\n" \
           "time.sleep(0.5)\nprint(n[0])"
    process = record(["python3", "-c", body], start_new_session=True)
    assert process.communicate(timeout=LIMIT)[0] == b"1\n"
    assert process.returncode == 0


def test_stop_and_continue_of_the_launcher():
    # In an orphaned process group, as a test runner's may be, SIGTSTP stops nothing.
    process = record(counter(signal.SIGTERM), preexec_fn=os.setpgrp)
    output = Output(process.stdout.fileno())
    pid = ready(output)
    process.send_signal(signal.SIGTSTP)
    wait_state(pid, "T")
    wait_state(process.pid, "T")
    process.send_signal(signal.SIGCONT)
    wait_state(pid, "SR")
    wait_state(process.pid, "SR")
    process.send_signal(signal.SIGTERM)
    output.wait("15:1\n")
    process.send_signal(signal.SIGUSR2)
    assert process.wait(LIMIT) == 11


def test_command_stopped_alone():
    process = record(counter(signal.SIGTERM))
    output = Output(process.stdout.fileno())
    pid = ready(output)
    os.kill(pid, signal.SIGSTOP)
    wait_state(pid, "T")
    time.sleep(0.3)
    assert state(process.pid) != "T"  # its SIGCONT would never come
    os.kill(pid, signal.SIGCONT)
    process.send_signal(signal.SIGTERM)
    output.wait("15:1\n")
    process.send_signal(signal.SIGUSR2)
    assert process.wait(LIMIT) == 11


def on_terminal(body):
    """Runs body(start) as the session leader of a terminal; returns the terminal's master and the leader's pid."""
    pid, master = pty.fork()
    if pid == 0:
        status = 99
        try:
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            status = body()
        finally:
            os._exit(status)
    return Output(master), pid


def start_job(command):
    """What a shell with job control does."""
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execv(RECORD, [RECORD, "-q", "--size=1M", "--"] + command)
    try:
        os.setpgid(pid, pid)
    except PermissionError:  # it has run its exec already
        pass
    return pid


def test_terminal_interrupt_comes_once():
    def shell():
        pid = start_job(counter(signal.SIGINT))
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    output, leader = on_terminal(shell)
    output.wait("ready")
    os.write(output.fd, b"\x03")
    output.wait("2:1")
    time.sleep(0.3)
    os.write(output.fd, b"\x03")
    text = output.wait("2:2")
    time.sleep(0.3)
    assert "2:3" not in output.rest(), text
    pid = int(text.split("ready ")[1].split()[0])
    os.kill(pid, signal.SIGUSR2)
    assert os.waitstatus_to_exitcode(os.waitpid(leader, 0)[1]) == 11


def test_terminal_interrupt_is_visible_to_shells():
    def shell():
        pid = start_job(["sh", "-c", "echo ready; sleep 60"])
        status = os.waitpid(pid, 0)[1]
        return 21 if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT else 22

    output, leader = on_terminal(shell)
    output.wait("ready")
    os.write(output.fd, b"\x03")
    output.rest()
    assert os.waitstatus_to_exitcode(os.waitpid(leader, 0)[1]) == 21


def test_terminal_stop_and_continue():
    def shell():
        pid = start_job(counter(signal.SIGINT))
        _, status = os.waitpid(pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status) or os.WSTOPSIG(status) != signal.SIGTSTP:
            return 31
        os.write(1, b"stopped\n")
        os.tcsetpgrp(0, pid)
        os.kill(-pid, signal.SIGCONT)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    output, leader = on_terminal(shell)
    text = output.wait("ready")
    output.wait("\n")
    pid = int(output.text.split("ready ")[1].split()[0])
    os.write(output.fd, b"\x1a")
    output.wait("stopped")
    wait_state(pid, "SR")
    os.write(output.fd, b"\x03")
    output.wait("2:1")
    os.kill(pid, signal.SIGUSR2)
    assert os.waitstatus_to_exitcode(os.waitpid(leader, 0)[1]) == 11, text


os.chdir(DIRECTORY)
for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print("passed", name)
