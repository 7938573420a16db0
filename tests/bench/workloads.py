"""What is run. A workload's argv is made for a scale: 1 takes some tenths of a second bare."""
import os
import shutil
import subprocess
import sys


class Workload:
    def __init__(self, name, what, argv, *, native=True, stdin=None, callgrind=True, absent=None):
        self.name = name
        self.what = what
        self.make = argv  # scale -> list of words
        self.native = native
        self.stdin = stdin
        self.callgrind = callgrind  # counts make sense: one process, few threads
        self.absent = absent  # why it cannot be run here

    def argv(self, scale, copy=""):
        """Copies of a command that run at the same time write files of their own."""
        return [word + copy if word.endswith(".o") else word for word in self.make(scale)]


def write_source(path, functions):
    """A C file that keeps a compiler busy."""
    with open(path, "w", encoding="ascii") as file:
        file.write("struct node { struct node *next; int key, value; char text[24]; };\nextern int use(const char *, int);\n")
        for i in range(functions):
            file.write(
                f"""
static int step_{i}(struct node *list, int n, const int *table)
{{
    int sum = {i};
    for (struct node *p = list; p; p = p->next) {{
        switch ((p->key + n) % 7) {{
        case 0: sum += table[p->key & 15]; break;
        case 1: sum -= p->value * {i % 13 + 1}; break;
        case 2: sum ^= use(p->text, n); break;
        case 3: for (int j = 0; j < n; j++) sum += table[j & 15] * p->value + j; break;
        default: p->value += sum > {i * 3} ? sum >> 2 : n; break;
        }}
        if (sum < 0)
            sum = use("function {i}", p->key) + n;
    }}
    return sum;
}}
int function_{i}(struct node *list, const int *table) {{ return step_{i}(list, {i % 31}, table) + step_{i}(list->next, 3, table); }}
"""
            )


def python_with(module, candidates):
    for python in candidates:
        if os.path.exists(python) and subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0:
            return python
    return None


def all_workloads(here, programs, scratch, python):
    compiler = shutil.which("gcc")
    sqlite = shutil.which("sqlite3")
    pandas = python_with("pandas", [python, "/usr/bin/python3", sys.executable])

    def source(scale):
        path = os.path.join(scratch, f"large-{scale:g}.c")
        if not os.path.exists(path):
            write_source(path, max(int(250 * scale), 3))
        return path

    def script(name, count):
        return lambda scale: [python, os.path.join(here, name), str(max(int(count * scale), 10))]

    def program(name, *words):
        return lambda scale: [os.path.join(programs, name)] + [w if isinstance(w, str) else str(max(int(w * scale), 1)) for w in words]

    return [
        Workload("containers", "C++ map, unordered_map, string, shared_ptr", program("containers", 16)),
        Workload("churn-2", "mixed sizes, 2 threads", program("churn", "2", 4_000_000)),
        Workload("churn-16", "mixed sizes, 16 threads", program("churn", "16", 4_000_000), callgrind=False),
        Workload("churn-16-long", "the same, ten times as long", program("churn", "16", 40_000_000), callgrind=False),
        Workload("sqlite", "inserts, indices, queries in memory", lambda scale: [sqlite, ":memory:"],
                 stdin=os.path.join(here, "sqlite.sql"), absent=None if sqlite else "no sqlite3 command"),
        Workload("gcc", "gcc -O1 of a large file", lambda scale: [compiler, "-O1", "-c", source(scale), "-o", os.path.join(scratch, "large.o")],
                 callgrind=False, absent=None if compiler else "no gcc"),
        Workload("json", "Python: build records, json.dumps, json.loads", script("json_records.py", 50_000), native=False),
        Workload("objects", "Python: small objects that come and go", script("objects.py", 450_000), native=False),
        Workload("pandas", "DataFrames made, merged, grouped", lambda scale: [pandas, os.path.join(here, "frame.py"), str(int(150_000 * scale))],
                 native=False, callgrind=False, absent=None if pandas else "pandas is not importable"),
    ]
