# Golden file for tests/model/test_robust.c: coefficients with a ridge penalty, as
# scikit-learn has them: StandardScaler, then Ridge(alpha = lambda) or
# LogisticRegression(C = 1 / lambda), back in the columns' own units.  Data: what
# tests/reference/families.R writes.
#
#     python3 tests/reference/ridge.py tests/vectors/model

import sys

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

folder = sys.argv[1]


def read(name, outcome):
    with open(f"{folder}/{name}") as f:
        names = f.readline().strip().split(",")
    d = np.loadtxt(f"{folder}/{name}", delimiter=",", skiprows=1)
    keep = [i for i, n in enumerate(names)
            if n not in (outcome, "offset", "weight", "stratum", "site")]
    return [names[i] for i in keep], d[:, keep], d[:, names.index(outcome)]


def lines(model, names, scaler, intercept, coef):
    coef = coef / scaler.scale_
    intercept -= coef @ scaler.mean_
    for name, b in zip(["(Intercept)"] + names, [intercept] + list(coef)):
        yield f"{model},{name},{b:.17g},0"


out = ["model,term,estimate,se"]
for penalty in (0.5, 40):
    names, x, y = read("families_birthweight.csv", "y")
    s = StandardScaler().fit(x)
    m = Ridge(alpha=penalty, solver="cholesky").fit(s.transform(x), y)
    out += lines(f"gaussian_{penalty:g}", names, s, m.intercept_, m.coef_)
    names, x, y = read("families_birthwt.csv", "event")
    s = StandardScaler().fit(x)
    m = LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=1e-15,
                           max_iter=1000).fit(s.transform(x), y)
    out += lines(f"logistic_{penalty:g}", names, s, m.intercept_[0], m.coef_[0])
with open(f"{folder}/ridge_sklearn.csv", "w") as f:
    f.write("\n".join(out) + "\n")
