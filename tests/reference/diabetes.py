# The diabetes data of scikit-learn (BSD-3-Clause; Efron, Hastie, Johnstone and
# Tibshirani 2004), in their own units:
#
#     python3 tests/reference/diabetes.py tests/vectors/model

import csv
import os
import sys

from sklearn.datasets import load_diabetes

data = load_diabetes(scaled=False)
with open(os.path.join(sys.argv[1], "diabetes.csv"), "w", newline="") as f:
    out = csv.writer(f, lineterminator="\n")
    out.writerow(["y"] + list(data.feature_names))
    for x, y in zip(data.data, data.target):
        out.writerow(["%.17g" % v for v in [y, *x]])
