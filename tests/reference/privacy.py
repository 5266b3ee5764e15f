#!/usr/bin/python3
"""What tests of privacy are held against, from the papers' formulas.

    privacy.py DIR    write DIR/rho.csv, DIR/gauss.csv

rho.csv: sensitivity, rho and epsilon of the distributed discrete Gaussian in
50 digits (Kairouz, Liu and Steinke 2021, theorem 1 and proposition 14; Canonne,
Kamath and Steinke 2020, proposition 12).  rho_high is rho with tau 6.3% larger,
which is how far our bound of exp() may be above it.

gauss.csv: probabilities of the discrete Gaussian for small variances.  exp() of
a rational is summed in exact fractions until the rest is below 2^-200.
"""
import os
import sys
from decimal import Decimal as D, getcontext
from fractions import Fraction as F

getcontext().prec = 50
PI = D("3.14159265358979323846264338327950288419716939937510582")
BETA = D(2) ** -80


def sensitivity(norm, dim):
    norm, dim = D(norm), D(dim)
    tail = (2 * (1 / BETA).ln()).sqrt()
    square = norm**2 + dim / 4 + tail * (norm + dim.sqrt() / 2)
    return min(norm + dim.sqrt(), square.sqrt())


def rho(delta2, dim, variance, n, more=D(1)):
    s2 = D(variance) / n
    tau = more * 10 * sum((-2 * PI**2 * s2 * k / (k + 1)).exp()
                          for k in range(1, n))
    sd, dim = D(variance).sqrt(), D(dim)
    l2 = delta2 / sd
    l1 = min(dim.sqrt() * delta2, delta2**2) / sd
    return min(l2**2 + 2 * l1 * tau + tau**2 * dim,
               (l2 + dim.sqrt() * tau)**2) / 2


def epsilon(r, delta):
    """The best order, by golden section over its logarithm."""
    def at(u):
        x = u.exp()
        a = 1 + x
        return r * a + (x / a).ln() - (D(delta).ln() + a.ln()) / x

    lo, hi, g = D(-20), D(20), (D(5).sqrt() - 1) / 2
    for _ in range(150):
        a, b = hi - g * (hi - lo), lo + g * (hi - lo)
        if at(a) < at(b):
            hi = b
        else:
            lo = a
    return max(at(lo), D(0))


def write_rho(path):
    rows = []
    for norm, dim, variance, n, sums, delta in [
            (1, 1, 1, 2, 1, "1e-5"), (1, 1, 2, 2, 1, "1e-5"),
            (64, 10, 4096, 4, 1, "1e-5"), (64, 10, 40960, 4, 30, "1e-5"),
            (1024, 11, 40000000, 2, 30, "1e-6"),
            (1024, 66, 40000000, 1000, 100, "1e-6"),
            (8, 66, 100, 10, 20, "1e-5"), (8, 66, 10, 10, 20, "1e-5"),
            (64, 40, 3000, 900, 5, "1e-5"), (64, 40, 500, 900, 5, "1e-5"),
            (1048576, 20, 1 << 40, 5, 50, "1e-8"),
            (100, 3, 1000000000, 3, 1, "1e-9")]:
        s = sensitivity(norm, dim)
        r = rho(s, dim, variance, n)
        high = rho(s, dim, variance, n, D("1.063"))
        rows.append((norm, dim, variance, n, sums, delta, s, r, high,
                     epsilon(sums * r, delta)))
    with open(path, "w") as f:
        f.write("norm,dim,variance,contributors,sums,delta,sensitivity,rho,"
                "rho_high,epsilon\n")
        for row in rows:
            f.write(",".join(
                "%.20e" % v if isinstance(v, D) else str(v) for v in row)
                + "\n")


def exp_minus(x):
    """exp(-x) of a fraction x >= 0, exactly but for 2^-200."""
    n = x.numerator // x.denominator + 1
    term = total = F(1)
    k = 0
    while term > F(1, 2**210):  # exp(x / n), x / n <= 1
        k += 1
        term = term * (x / n) / k
        total += term
    return 1 / F(round(total * 2**220), 2**220)**n


def write_gauss(path):
    with open(path, "w") as f:
        f.write("num,den,z,probability\n")
        for num, den in [(1, 4), (1, 1), (7, 3), (30, 1), (1000, 9)]:
            reach = int((40 * num / den)**0.5 * 3) + 12
            weight = [exp_minus(F(z * z * den, 2 * num))
                      for z in range(reach)]
            total = weight[0] + 2 * sum(weight[1:])
            for z in range(reach):
                p = weight[z] / total
                if p < F(1, 10**14):
                    break
                f.write("%d,%d,%d,%.17e\n" % (num, den, z, float(p)))


if __name__ == "__main__":
    out = sys.argv[1]
    write_rho(os.path.join(out, "rho.csv"))
    write_gauss(os.path.join(out, "gauss.csv"))
