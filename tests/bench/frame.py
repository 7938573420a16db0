"""A pandas job: frames made, joined, grouped. usage: frame.py ROWS"""
import sys

import numpy
import pandas

rows = int(sys.argv[1])
random = numpy.random.default_rng(7)
left = pandas.DataFrame({"key": random.integers(0, rows // 10, rows), "value": random.random(rows)})
left["name"] = left["key"].map("name {}".format)
right = pandas.DataFrame({"key": numpy.arange(rows // 10), "weight": random.random(rows // 10)})
joined = left.merge(right, on="key")
grouped = joined.groupby("name").agg({"value": "sum", "weight": "mean"})
assert len(grouped) <= rows
