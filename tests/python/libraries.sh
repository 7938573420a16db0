#!/bin/sh
# Puts the real libraries that tests/cli_python.sh knows where its LIBRARIES looks for them, by pip.
#
# usage: tests/python/libraries.sh DIRECTORY VERSION...      VERSION: 3.11 3.14 ...
#
# Makes DIRECTORY/VERSION, for use as PYTHONPATH. PyTorch is not among them: its wheel for Linux wants a GPU's libraries;
# Debian's python3-torch is one for the CPU. Exit status 1 if some could not be had.
set -u

[ $# -ge 2 ] || {
    sed -n '/^# usage/s/^# //p' "$0" >&2
    exit 2
}
directory=$1
shift
status=0
for version; do
    [ ! -d "$directory/$version" ] || continue
    python3 -m pip install --quiet --no-compile --target "$directory/$version" --python-version "$version" \
        --only-binary=:all: --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
        --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
        numpy pandas pyarrow scikit-learn lxml gevent joblib || status=1
done
exit $status
