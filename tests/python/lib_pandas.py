"""pandas: columns stand at the user's line, below it pandas' own frames; its Cython calls back into the user's code."""
import io

import numpy as np
import pandas as pd

from truth import finish, mark, mark_array

SIZE = 12007


def column(series):
    """What a column of numbers holds."""
    return series.to_numpy()


def called_back(value):
    mark(bytes(5000))
    return value * 2


def main():
    frame = pd.DataFrame({"a": np.arange(SIZE), "b": np.arange(SIZE) * 0.5})
    mark_array(column(frame["a"] + 1))
    mark_array(column((frame["b"] * frame["a"]).cumsum()))
    mark_array(column(frame.sort_values("b", ascending=False)["b"]))
    mark_array(column(pd.concat([frame, frame])["a"]))
    mark_array(column(frame.groupby(frame["a"] // 3)["b"].sum()))
    mark_array(column(frame.merge(frame[::-1], on="a", how="right")["b_x"]))
    text = "a,b\n" + "".join("%d,%d.5\n" % (n, n) for n in range(SIZE))
    mark_array(column(pd.read_csv(io.StringIO(text))["b"]))
    mark_array(column(frame["a"].iloc[:300].apply(called_back)))
    mark_array(column(frame["a"].iloc[:300].map(called_back)))
    mark_array(column(frame.iloc[:200].apply(lambda row: len(mark(bytes(5000))) + row["a"], axis=1)))
    mark(bytes(5000))


main()
finish()
