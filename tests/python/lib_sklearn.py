"""scikit-learn: what a model makes stands at the line that called it."""
import numpy as np
from sklearn.cluster import KMeans
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler

from truth import finish, mark, mark_array


def called_back(rows):
    return mark_array(rows * 3.5)


def fit(model, rows):
    return model.fit(rows)


def main():
    rows = mark_array(np.random.default_rng(1).normal(size=(2000, 7)))
    mark_array(StandardScaler().fit_transform(rows))
    mark_array(PolynomialFeatures(2).fit_transform(rows))
    mark_array(FunctionTransformer(called_back).fit_transform(rows) + 1)
    model = fit(KMeans(300, n_init=1, max_iter=3, random_state=1), rows)
    mark_array(model.transform(rows))
    mark(bytes(5000))


main()
finish()
