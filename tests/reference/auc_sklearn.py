# Golden files for tests/model: the breast cancer data of scikit-learn (BSD;
# Wolberg, Street and Mangasarian 1995), which a logistic model separates, and
# scikit-learn's own area under the ROC curve of an unpenalised fit on data that
# it does not separate.
#
#     /usr/bin/python3 tests/reference/auc_sklearn.py tests/vectors/model
import csv
import sys

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

folder = sys.argv[1]

d = load_breast_cancer()
names = [n.replace(" ", "_") for n in d.feature_names]
with open(f"{folder}/wdbc.csv", "w") as f:
    f.write(",".join(["event"] + names) + "\n")
    for x, y in zip(d.data, d.target):
        f.write(",".join([str(1 - y)] + [repr(float(v)) for v in x]) + "\n")


def read(name):
    with open(f"{folder}/{name}.csv") as f:
        rows = list(csv.reader(f))
    v = np.array(rows[1:], dtype=float)
    return v[:, 1:], v[:, 0]


with open(f"{folder}/auc.csv", "w") as f:
    f.write("model,auc\n")
    for name in ("birthwt", "biopsy"):
        x, y = read(name)
        x = StandardScaler().fit_transform(x)
        fit = LogisticRegression(penalty=None, tol=1e-8, max_iter=1000,
                                 solver="newton-cg").fit(x, y)
        score = fit.decision_function(x)
        f.write(f"{name},{roc_auc_score(y, score):.17g}\n")
