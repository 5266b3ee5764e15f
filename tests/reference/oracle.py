#!/usr/bin/python3
"""An independent consilium-1: golden transcripts from docs/PROTOCOL.md.

Python integers, hashlib and hmac only; curve, ciphers, layouts and messages
are written here a second time and share nothing with the C code.  Slow, and
not for use: secrets are handled in variable time.

    oracle.py DIR     check the published answers, write DIR/*.txt
"""
import hashlib
import hmac
import math
import os
import sys

# ---------------------------------------------------------------- the curve

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
ZERO = (0, 1, 1, 0)


def add(a, b):
    """Extended coordinates (X, Y, Z, T), a = -1 (RFC 8032, 5.1.4)."""
    m = (a[1] - a[0]) * (b[1] - b[0]) % P
    n = (a[1] + a[0]) * (b[1] + b[0]) % P
    c = 2 * a[3] * b[3] * D % P
    d = 2 * a[2] * b[2] % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def mul(s, a):
    r = ZERO
    while s:
        if s & 1:
            r = add(r, a)
        a = add(a, a)
        s >>= 1
    return r


def recover_x(y, sign):
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_M1 % P
    assert (x * x - x2) % P == 0
    return P - x if x & 1 != sign else x


BY = 4 * pow(5, P - 2, P) % P
BX = recover_x(BY, 0)
BASE = (BX, BY, 1, BX * BY % P)

# ------------------------------------------------- Ed25519 (RFC 8032, 5.1)


def ed_encode(a):
    z = pow(a[2], P - 2, P)
    x, y = a[0] * z % P, a[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


class Signer:
    def __init__(self, seed):
        h = hashlib.sha512(seed).digest()
        a = int.from_bytes(h[:32], "little")
        self.a = (a & (1 << 254) - 8) | 1 << 254
        self.prefix = h[32:]
        self.pk = ed_encode(mul(self.a, BASE))

    def sign(self, msg):
        h = hashlib.sha512(self.prefix + msg).digest()
        r = int.from_bytes(h, "little") % L
        rb = ed_encode(mul(r, BASE))
        h = hashlib.sha512(rb + self.pk + msg).digest()
        k = int.from_bytes(h, "little") % L
        return rb + ((r + k * self.a) % L).to_bytes(32, "little")


# ------------------------------------------------- ristretto255 (RFC 9496)


def sqrt_ratio(u, v):
    r = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * r * r % P
    square = check in (u % P, -u % P)
    if check in (-u % P, -u * SQRT_M1 % P):
        r = r * SQRT_M1 % P
    return square, P - r if r & 1 else r


INVSQRT_A_MINUS_D = sqrt_ratio(1, (-1 - D) % P)[1]


def encode(a):
    x, y, z, t = a
    u1 = (z + y) * (z - y) % P
    u2 = x * y % P
    inv = sqrt_ratio(1, u1 * u2 * u2)[1]
    d1, d2 = inv * u1 % P, inv * u2 % P
    zinv = d1 * d2 * t % P
    if t * zinv % P & 1:
        x, y = y * SQRT_M1 % P, x * SQRT_M1 % P
        d = d1 * INVSQRT_A_MINUS_D % P
    else:
        d = d2
    if x * zinv % P & 1:
        y = -y % P
    s = d * (z - y) % P
    return (P - s if s & 1 else s).to_bytes(32, "little")


def decode(b):
    s = int.from_bytes(b, "little")
    assert s < P and not s & 1
    ss = s * s % P
    u1, u2 = (1 - ss) % P, (1 + ss) % P
    v = (-(D * u1 * u1) - u2 * u2) % P
    ok, inv = sqrt_ratio(1, v * u2 * u2)
    dx = inv * u2 % P
    dy = inv * dx * v % P
    x = 2 * s * dx % P
    x = P - x if x & 1 else x
    y = u1 * dy % P
    t = x * y % P
    assert ok and not t & 1 and y
    return (x, y, 1, t)


def base(s):
    return encode(mul(s, BASE))


def scalar(s):
    return s.to_bytes(32, "little")


# ------------------------------------------------------- AES-256 (FIPS 197)


def xtime(a):
    return (a << 1 ^ (0x11B if a & 0x80 else 0)) & 0xFF


def gf_mul(a, b):
    r = 0
    while b:
        if b & 1:
            r ^= a
        a, b = xtime(a), b >> 1
    return r


def make_sbox():
    box = []
    for a in range(256):
        inv = next((b for b in range(256) if gf_mul(a, b) == 1), 0)
        r = 0x63
        for k in range(5):
            r ^= (inv << k | inv >> (8 - k)) & 0xFF
        box.append(r)
    return box


SBOX = make_sbox()
# SubBytes, ShiftRows and MixColumns of one byte, as a column.
T0 = [xtime(s) << 24 | s << 16 | s << 8 | xtime(s) ^ s for s in SBOX]
T1 = [t >> 8 | (t & 0xFF) << 24 for t in T0]
T2 = [t >> 8 | (t & 0xFF) << 24 for t in T1]
T3 = [t >> 8 | (t & 0xFF) << 24 for t in T2]


def aes_expand(key):
    w = [int.from_bytes(key[i:i + 4], "big") for i in range(0, 32, 4)]
    rcon = 1
    for i in range(8, 60):
        t = w[i - 1]
        if i % 8 == 0:
            t = (t << 8 | t >> 24) & 0xFFFFFFFF
        if i % 4 == 0:
            t = sum(SBOX[t >> s & 0xFF] << s for s in (0, 8, 16, 24))
        if i % 8 == 0:
            t ^= rcon << 24
            rcon = xtime(rcon)
        w.append(w[i - 8] ^ t)
    return w


def aes_block(w, block):
    s = [int.from_bytes(block[4 * i:4 * i + 4], "big") ^ w[i]
         for i in range(4)]
    for r in range(1, 14):
        s = [T0[s[i] >> 24] ^ T1[s[(i + 1) % 4] >> 16 & 0xFF]
             ^ T2[s[(i + 2) % 4] >> 8 & 0xFF] ^ T3[s[(i + 3) % 4] & 0xFF]
             ^ w[4 * r + i] for i in range(4)]
    out = b""
    for i in range(4):
        v = (SBOX[s[i] >> 24] << 24 | SBOX[s[(i + 1) % 4] >> 16 & 0xFF] << 16
             | SBOX[s[(i + 2) % 4] >> 8 & 0xFF] << 8
             | SBOX[s[(i + 3) % 4] & 0xFF])
        out += (v ^ w[56 + i]).to_bytes(4, "big")
    return out


def aes_ctr(key, n, counter=0):
    w = aes_expand(key)
    blocks = [aes_block(w, (counter + i).to_bytes(16, "big"))
              for i in range((n + 15) // 16)]
    return b"".join(blocks)[:n]


# ------------------------------------- ChaCha20 and Poly1305 (RFC 8439)

M32 = 0xFFFFFFFF


def quarter(x, a, b, c, d):
    for i, j, k, r in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8),
                       (c, d, b, 7)):
        x[i] = (x[i] + x[j]) & M32
        x[k] ^= x[i]
        x[k] = (x[k] << r | x[k] >> (32 - r)) & M32


def chacha_block(key, counter, nonce):
    s = [int.from_bytes(b"expand 32-byte k"[i:i + 4], "little")
         for i in range(0, 16, 4)]
    s += [int.from_bytes(key[i:i + 4], "little") for i in range(0, 32, 4)]
    s += [counter]
    s += [int.from_bytes(nonce[i:i + 4], "little") for i in range(0, 12, 4)]
    x = s[:]
    for _ in range(10):
        for i in range(4):
            quarter(x, i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return b"".join(((a + b) & M32).to_bytes(4, "little")
                    for a, b in zip(x, s))


def chacha(key, n, counter=0, nonce=bytes(12)):
    blocks = [chacha_block(key, counter + i, nonce)
              for i in range((n + 63) // 64)]
    return b"".join(blocks)[:n]


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def poly1305(key, msg):
    r = int.from_bytes(key[:16], "little")
    r &= 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    acc = 0
    for i in range(0, len(msg), 16):
        acc = (acc + int.from_bytes(msg[i:i + 16] + b"\1", "little")) * r
        acc %= 2**130 - 5
    acc += int.from_bytes(key[16:], "little")
    return (acc & 2**128 - 1).to_bytes(16, "little")


def aead_seal(key, ad, plain, nonce=bytes(12)):
    ct = xor(plain, chacha(key, len(plain), 1, nonce))

    def pad(b):
        return b + bytes(-len(b) % 16)

    msg = pad(ad) + pad(ct) + len(ad).to_bytes(8, "little")
    msg += len(ct).to_bytes(8, "little")
    return ct + poly1305(chacha(key, 32, 0, nonce), msg)


# ------------------------------------------------------ hashes and layouts


def sha(b):
    return hashlib.sha256(b).digest()


def u8(v):
    return v.to_bytes(1, "big")


def u16(v):
    return v.to_bytes(2, "big")


def u32(v):
    return v.to_bytes(4, "big")


def u64(v):
    return v.to_bytes(8, "big")


def lp(b):
    """A byte string with its length."""
    return u32(len(b)) + b


def label(s):
    return lp(b"consilium-1/" + s.encode())


def H(name, *fields):
    return sha(label(name) + b"".join(fields))


def hkdf(salt, ikm, info, n=32):
    prk = hmac.new(salt, ikm, "sha256").digest()
    out, t, i = b"", b"", 1
    while len(out) < n:
        t = hmac.new(prk, t + info + u8(i), "sha256").digest()
        out += t
        i += 1
    return out[:n]


def merkle(leaves):
    """Levels from the leaves to the root."""
    levels = [leaves]
    while len(leaves) > 1:
        up = [H("node", leaves[i], leaves[i + 1])
              for i in range(0, len(leaves) - 1, 2)]
        if len(leaves) % 2:
            up.append(leaves[-1])
        leaves = up
        levels.append(leaves)
    return levels


def merkle_path(levels, index):
    path = []
    for level in levels[:-1]:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        index //= 2
    return path


def words_root(words, bits=64):
    raw = b"".join(w.to_bytes(bits // 8, "little") for w in words)
    step = 256 * 1024
    return merkle([H("chunk", lp(raw[i:i + step]))
                   for i in range(0, len(raw), step)])[-1][0]


class Random:
    """tests/crypto/random_fixed.c"""

    def __init__(self, seed):
        self.seed, self.block, self.buf = seed, 0, b""

    def bytes(self, n):
        while len(self.buf) < n:
            self.buf += sha(("%s:%d" % (self.seed, self.block)).encode())
            self.block += 1
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def scalar(self):
        return int.from_bytes(self.bytes(64), "little") % L


# ---------------------------------------------- noise (docs/PRIVACY.md, 2)


class Noise:
    """Canonne, Kamath and Steinke (2020), algorithms 1 to 3, as the text of
    docs/PRIVACY.md says in which order they draw."""

    def __init__(self, random):
        self.random = random

    def uniform(self, n):
        while True:
            r = int.from_bytes(self.random.bytes(16), "little")
            r %= 1 << (n - 1).bit_length()
            if r < n:
                return r

    def exp_small(self, p, q):
        """True with probability exp(-p/q), p <= q."""
        k = 1
        while self.uniform(q * k) < p:
            k += 1
        return k % 2 == 1

    def exp(self, p, q):
        while p > q:
            if not self.exp_small(1, 1):
                return False
            p -= q
        return self.exp_small(p, q)

    def laplace(self, t):
        while True:
            u = self.uniform(t)
            if not self.exp_small(u, t):
                continue
            v = 0
            while self.exp_small(1, 1):
                v += 1
            negative = self.uniform(2) == 0
            if not (negative and u == v == 0):
                return -(u + t * v) if negative else u + t * v

    def gauss(self, num, den):
        t = math.isqrt(num // den) + 1
        while True:
            y = self.laplace(t)
            if self.exp((abs(y) * den * t - num)**2, 2 * num * den * t * t):
                return y

    def round(self, v, bits):
        return (v >> bits) + (self.uniform(1 << bits) < v % (1 << bits))


# ---------------------------------------------------------------- the round


def signed(signer, name, content):
    part = label(name) + lp(content)
    return part + signer.sign(part)


def digest(msg):
    """Of a signed message: what is signed."""
    return sha(msg[:-64])


def evaluate(coefficients, x):
    return sum(c * x**k for k, c in enumerate(coefficients)) % L


def interpolate(points):
    total = 0
    for i, (xi, yi) in enumerate(points):
        num = den = 1
        for j, (xj, _) in enumerate(points):
            if i != j:
                num, den = num * xj % L, den * (xj - xi) % L
        total += yi * num * pow(den, L - 2, L)
    return total % L


def value(site, k):
    x = (site * 0x9E3779B97F4A7C15 + k * 0xBF58476D1CE4E5B9) % 2**64
    return x ^ x >> 29


class Round:
    """A study of N sites, of which ready are there, all honest."""

    def __init__(self, n_study, ready, words, suite=1, rnd=1, step=0,
                 kind="counts", state=None, c=1, verify=1, cohort=2, bits=64,
                 variance=0):
        self.coordinator = Signer(sha(b"coordinator"))
        self.consortium, self.study = sha(b"consortium"), sha(b"study")
        self.epoch, self.suite, self.words = 7, suite, words
        self.ids = [10 * (i + 1) for i in ready]
        self.n, self.n_study = len(ready), n_study
        self.signers = {i: Signer(sha(b"site %d" % i)) for i in self.ids}
        self.rnd, self.step, self.kind = rnd, step, kind
        self.bits, self.variance = bits, variance
        self.c, self.verify, self.cohort = c, verify, cohort
        self.state = state or H("first-state", self.study)
        self.transcript = []

    def emit(self, what, site, data):
        self.transcript.append((what, site, data))
        return data

    def vector(self, site):
        """With variance: rounded, and its part of the noise added."""
        v = [value(site, k) for k in range(self.words)]
        if self.variance:
            noise = Noise(Random("noise %d" % site))
            v = [noise.round((x >> 34) - 2**29, 8)
                 + noise.gauss(self.variance, self.u_min - self.c) for x in v]
        return [x % 2**self.bits for x in v]

    def stream(self, key, n):
        size = self.bits // 8
        raw = (aes_ctr if self.suite == 1 else chacha)(key, size * n)
        return [int.from_bytes(raw[i:i + size], "little")
                for i in range(0, size * n, size)]

    def salt(self, name):
        return H(name, u8(self.suite), self.consortium, u32(self.epoch))

    def pair_key(self, i, j, info):
        """Of the sites at places i and j."""
        lo, hi = min(i, j), max(i, j)
        dh = encode(mul(self.a[i], decode(self.pk[j])))
        return hkdf(self.salt("pair"), dh + self.pk[lo] + self.pk[hi], info)

    def announce(self):
        self.t0 = self.emit("announce", 0, signed(
            self.coordinator, "announce",
            self.consortium + u32(self.epoch) + self.study + u64(self.rnd)
            + u32(self.step) + lp(self.kind.encode()) + u64(self.words)
            + self.state))

    def ready(self):
        self.a, self.pk, self.prekeys = [], [], []
        for site in self.ids:
            a = Random("prekey %d round %d" % (site, self.rnd)).scalar()
            pk, expiry = base(a), u64(1900000000)
            part = label("prekey") + lp(
                self.consortium + u32(self.epoch) + u16(site) + u32(self.rnd)
                + pk + expiry)
            self.a.append(a)
            self.pk.append(pk)
            self.prekeys.append(u32(self.rnd) + pk + expiry
                                + self.signers[site].sign(part))
            self.emit("ready", site, signed(
                self.signers[site], "ready",
                digest(self.t0) + u16(site) + self.prekeys[-1]))

    def roster(self):
        n, big, c, h_min = self.n, self.n_study, self.c, 2
        q, t = (big + c) // 2 + 1, -(-(big + c) // 2)
        u_min = max(c + h_min, -(-3 * n // 4), q)
        assert u_min <= n and c + n - u_min < t
        self.t, self.q, self.u_min = t, q, u_min
        params = b"".join(map(u16, (big, n, c, h_min))) + u32(750000)
        params += b"".join(map(u16, (q, t, u_min, n - u_min, n - 1)))
        params += u8(self.suite) + u8(self.bits)
        params += u8(self.verify) + u8(self.cohort)
        entries = b"".join(u16(s) + p for s, p in zip(self.ids, self.prekeys))
        self.m0 = self.emit("roster", 0, signed(
            self.coordinator, "roster", digest(self.t0) + params + entries))
        self.r_hash = digest(self.m0)

    def shares(self, gone=(), spoil=None):
        """Those at the places in gone have left.  spoil: (from, to) by place:
        a bit of that sealed share is wrong."""
        self.u2 = [i for i in range(self.n) if i not in gone]
        assert len(self.u2) >= self.u_min
        self.beta, self.f, self.g = [], [], []
        self.headers, self.points, self.sealed, self.trees = [], [], [], []
        for i, site in enumerate(self.ids):
            rand = Random("shares %d round %d" % (site, self.rnd))
            beta = rand.scalar()
            f = [self.a[i]] + [rand.scalar() for _ in range(self.t - 1)]
            g = [beta] + [rand.scalar() for _ in range(self.t - 1)]
            sealed = []
            for j, to in enumerate(self.ids):
                if i == j:
                    sealed.append(b"")
                    continue
                key = self.pair_key(i, j, H(
                    "share", self.r_hash, u16(site), u16(to)))
                plain = scalar(evaluate(f, j + 1)) + scalar(evaluate(g, j + 1))
                ad = self.r_hash + u16(site) + u16(to)
                ct = aead_seal(key, ad, plain)
                if spoil == (i, j):
                    ct = bytes([ct[0] ^ 1]) + ct[1:]
                sealed.append(ct)
            tree = merkle([H("sealed", u16(site), u16(to), lp(ct))
                           for to, ct in zip(self.ids, sealed)])
            points = b"".join(map(base, f + g))
            header = signed(
                self.signers[site], "dealing", self.r_hash + u16(site)
                + base(beta) + tree[-1][0]
                + H("commitments", u16(self.t), points))
            if i in self.u2:
                self.emit("shares", site, label("shares") + lp(header)
                          + u16(self.t) + points + u16(self.n - 1)
                          + b"".join(sealed))
            self.beta.append(beta)
            self.f.append(f)
            self.g.append(g)
            self.headers.append(header)
            self.points.append(points)
            self.sealed.append(sealed)
            self.trees.append(tree)
        self.u2_hash = H("u2", self.r_hash, u16(len(self.u2)), *[
            u16(self.ids[i]) + digest(self.headers[i]) for i in self.u2])

    def dealt(self, i, j):
        """What j is shown of i's dealing."""
        path = [] if i == j else merkle_path(self.trees[i], j)
        return (lp(self.headers[i]) + self.points[i] + lp(self.sealed[i][j])
                + u8(len(path)) + b"".join(path))

    def sharesets(self):
        for j in self.u2:
            site = self.ids[j]
            self.emit("shareset", site, signed(
                self.coordinator, "shareset", self.r_hash + u16(site)
                + u16(len(self.u2))
                + b"".join(self.dealt(i, j) for i in self.u2)))

    def complaint(self, dealer, j):
        """The site at j complains about dealer; the coordinator gives up."""
        p = decode(self.pk[dealer])
        q = encode(mul(self.a[j], p))
        context = H("complaint-proof", self.r_hash, u16(self.ids[j]),
                    u16(self.ids[dealer]))
        r = Random("complaint").scalar()
        c = int.from_bytes(H("proof", context, self.pk[j], self.pk[dealer], q,
                             base(r), encode(mul(r, p))), "little") % L
        s = (r + c * self.a[j]) % L
        complaint = self.emit("complaint", self.ids[j], signed(
            self.signers[self.ids[j]], "complaint",
            self.r_hash + u16(self.ids[j]) + u16(self.ids[dealer])
            + self.dealt(dealer, j) + q + scalar(c) + scalar(s)))
        self.emit("abort", 0, signed(
            self.coordinator, "abort",
            digest(self.t0) + lp(b"a site has complained") + lp(complaint)))

    def mask_key(self, i, j):
        lo, hi = sorted((self.ids[i], self.ids[j]))
        return self.pair_key(i, j, H("mask", self.r_hash, self.u2_hash,
                                     u16(lo), u16(hi), u32(0)))

    def uploads(self, gone):
        """Those at the places in gone have left."""
        self.alive = [i for i in self.u2 if i not in gone]
        assert len(self.alive) >= self.u_min
        self.z, self.y, self.trailers, roots = {}, {}, {}, {}
        for i in self.alive:
            site = self.ids[i]
            y = self.z[i] = self.vector(site)
            key = hkdf(self.salt("self-salt"), scalar(self.beta[i]), H(
                "self", self.r_hash, self.u2_hash, u16(site), u32(0)))
            masks = [(1, key)]
            masks += [(1 if i < j else -1, self.mask_key(i, j))
                      for j in self.u2 if j != i]
            for sign, key in masks:
                stream = self.stream(key, self.words)
                y = [(v + sign * s) % 2**self.bits for v, s in zip(y, stream)]
            self.y[i], roots[i] = y, words_root(y, self.bits)
            self.trailers[i] = self.emit("upload", site, signed(
                self.signers[site], "upload", self.r_hash + self.u2_hash
                + u16(site) + u64(self.words) + roots[i]))
        self.list = self.emit("list", 0, signed(
            self.coordinator, "list", self.r_hash + self.u2_hash
            + u16(len(self.alive))
            + b"".join(u16(self.ids[i]) + roots[i] for i in self.alive)))
        self.hashes = self.r_hash + self.u2_hash + digest(self.list)

    def confirms(self, gone=()):
        sigs = b""
        self.confirmed = [i for i in self.alive if i not in gone]
        assert len(self.confirmed) >= self.q
        for i in self.confirmed:
            site = self.ids[i]
            sigs += u16(site) + self.emit("confirm", site, signed(
                self.signers[site], "confirm",
                self.hashes + u16(site)))[-64:]
        self.certificate = self.emit("certificate", 0, signed(
            self.coordinator, "certificate",
            self.hashes + u16(len(self.confirmed)) + sigs))

    def unmasks(self, silent):
        self.answers = []
        for i in self.confirmed:
            if i in silent:
                continue
            content = self.hashes + u16(self.ids[i]) + u16(len(self.u2))
            got = {}
            for j in self.u2:
                poly = self.g[j] if j in self.alive else self.f[j]
                got[j] = evaluate(poly, i + 1)
                content += (u16(self.ids[j])
                            + u8(1 if j in self.alive else 2)
                            + scalar(got[j]))
            self.emit("unmask", self.ids[i], signed(
                self.signers[self.ids[i]], "unmask", content))
            self.answers.append((i + 1, got))

    def kept(self):
        """What the coordinator asks when it was restored, each wish of another
        site; and what those who have uploaded hand back."""
        for wish, site in enumerate(self.ids[:3]):
            self.emit("behind", site, signed(
                self.coordinator, "behind", self.study + u8(wish)
                + u32(self.step) + self.state + u64(self.rnd)))
        said = {(what, site): data for what, site, data in self.transcript}
        for i in self.alive:
            site = self.ids[i]
            listed = i in self.confirmed
            marks = [(1 if j in self.u2 else 0)
                     + (2 if listed and j in self.alive else 0)
                     for j in range(self.n)]
            self.emit("kept", site, label("kept") + lp(self.t0) + lp(self.m0)
                      + b"".join(lp(said.get((what, site), b"")) for what in
                                 ("shares", "upload", "confirm", "unmask"))
                      + u16(self.n) + b"".join(map(u8, marks)))

    def result(self):
        secrets = {j: interpolate([(x, got[j]) for x, got in
                                   self.answers[-self.t:]])
                   for j in self.u2}
        total = [sum(self.z[i][k] for i in self.alive) % 2**self.bits
                 for k in range(self.words)]
        self.check_unmasking(secrets, total)
        opened = b""
        for j in self.u2:
            opened += lp(self.headers[j]) + u8(1 if j in self.alive else 2)
            opened += scalar(secrets[j])
        trailers = b"".join(lp(self.trailers[i]) for i in self.alive)
        self.sum = words_root(total, self.bits)
        self.m8 = self.emit("result", 0, signed(
            self.coordinator, "result", lp(self.t0) + lp(self.m0)
            + u16(len(self.u2)) + opened + lp(self.list) + lp(self.certificate)
            + u16(len(self.alive)) + trailers + u64(self.words)
            + self.sum))
        self.next = self.emit("state", 0, H(
            "state", self.study, u32(self.step + 1), lp(b"moments"),
            self.state, self.sum, lp(b"model")))

    def checked(self, late):
        """All that have confirmed sign the sum; c + 1 of them vouch for it."""
        sigs = []
        for i in self.confirmed:
            site = self.ids[i]
            if i != late:
                sigs.append(u16(site) + self.emit("checked", site, signed(
                    self.signers[site], "checked", self.r_hash + u16(site)
                    + self.sum + self.next))[-64:])
        n = self.c + 1
        self.emit("vouched", self.ids[late], signed(
            self.coordinator, "vouched", lp(self.m8) + self.next + u16(n)
            + b"".join(sigs[:n])))

    def check_unmasking(self, secrets, total):
        """The sum by the uploads and the opened secrets, as M8 lets it."""
        acc = [0] * self.words
        for j in self.u2:
            if j in self.alive:
                assert secrets[j] == self.beta[j]
                key = hkdf(self.salt("self-salt"), scalar(secrets[j]), H(
                    "self", self.r_hash, self.u2_hash, u16(self.ids[j]),
                    u32(0)))
                masks = [(-1, key)]
                acc = [a + y for a, y in zip(acc, self.y[j])]
            else:
                assert secrets[j] == self.a[j]
                masks = [(-1 if i < j else 1, self.mask_key(i, j))
                         for i in self.alive]
            for sign, key in masks:
                acc = [a + sign * s
                       for a, s in zip(acc, self.stream(key, self.words))]
        assert [a % 2**self.bits for a in acc] == total

    def run(self, before_shares=(), gone=(), before_confirm=(), silent=()):
        self.announce()
        self.ready()
        self.roster()
        self.shares(before_shares)
        self.sharesets()
        self.uploads(gone)
        self.confirms(before_confirm)
        self.unmasks(silent)
        self.kept()
        self.result()
        self.checked((tuple(gone) + tuple(silent))[0])

    def write(self, path, comment, whole):
        """A line for each message: type, site (0: the coordinator), bytes.
        Long ones by their SHA-256, unless whole."""
        with open(path, "w") as f:
            f.write("# %s\n# Made by tests/reference/oracle.py.\n" % comment)
            for what, site, data in self.transcript:
                if whole or len(data) <= 400:
                    text = data.hex()
                else:
                    text = "sha256:" + sha(data).hex()
                f.write("%s %d %s\n" % (what, site, text))


# -------------------------------------------------------- published answers


def check_published():
    x = bytes.fromhex
    # RFC 5869, test case 1
    assert hkdf(x("000102030405060708090a0b0c"), b"\x0b" * 22,
                x("f0f1f2f3f4f5f6f7f8f9"), 42) == x(
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
        "34007208d5b887185865")
    # SP 800-38A, F.5.5, first and last block
    key = x("603deb1015ca71be2b73aef0857d7781"
            "1f352c073b6108d72d9810a30914dff4")
    ctr = int("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", 16)
    assert xor(aes_ctr(key, 64, ctr),
               x("6bc1bee22e409f96e93d7e117393172a"
                 "ae2d8a571e03ac9c9eb76fac45af8e51"
                 "30c81c46a35ce411e5fbc1191a0a52ef"
                 "f69f2445df4f9b17ad2b417be66c3710")) == x(
        "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
        "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6")
    # RFC 8439, 2.4.2 (beginning) and 2.8.2 (tag)
    key = bytes(range(32))
    assert xor(chacha(key, 16, 1, x("000000000000004a00000000")),
               b"Ladies and Gentl") == x("6e2e359a2568f98041ba0728dd0d6981")
    text = (b"Ladies and Gentlemen of the class of '99: If I could offer you "
            b"only one tip for the future, sunscreen would be it.")
    assert aead_seal(bytes(range(0x80, 0xA0)), x("50515253c0c1c2c3c4c5c6c7"),
                     text, x("070000004041424344454647"))[-16:] == x(
        "1ae10b594f09e26a7e902ecbd0600691")
    # RFC 9496, A.1: B and 2 B
    assert base(1) == x(
        "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76")
    assert base(2) == x(
        "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919")
    assert encode(decode(base(7))) == base(7)
    # RFC 8032, 7.1, test 1
    s = Signer(x("9d61b19deffd5a60ba844af492ec2cc4"
                 "4449c5697b326919703bac031cae7f60"))
    assert s.pk == x(
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert s.sign(b"") == x(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b")


def main():
    check_published()
    out = sys.argv[1]
    r = Round(3, range(3), 5)
    r.run(silent=[2])
    r.write(os.path.join(out, "n3.txt"),
            "N = n = 3, 5 words; site 30 gone before its unmask", True)
    r = Round(4, range(4), 33000)
    r.run(gone=[2])
    r.write(os.path.join(out, "n4.txt"),
            "N = n = 4, 33000 words; site 30 gone before its upload", False)
    r = Round(6, range(5), 100, suite=2, rnd=9, step=3, kind="newton",
              state=sha(b"some state"))
    r.run(gone=[1])
    r.write(os.path.join(out, "n5.txt"),
            "N = 6, n = 5, 100 words, suite 2; site 20 gone before its upload",
            False)
    r = Round(3, range(3), 5, bits=32)
    r.run(silent=[2])
    r.write(os.path.join(out, "n3-b32.txt"),
            "N = n = 3, 5 words of 32 bits; site 30 gone before its unmask",
            True)
    r = Round(5, range(5), 65541, suite=2, bits=32)
    r.run(gone=[1])
    r.write(os.path.join(out, "n5-b32.txt"),
            "N = n = 5, 65541 words of 32 bits, suite 2; site 20 gone before "
            "its upload", False)
    r = Round(10, range(10), 40, verify=2)
    r.run(before_shares=[1], gone=[9], before_confirm=[3], silent=[6])
    r.write(os.path.join(out, "n10.txt"),
            "N = n = 10, 40 words, verify sample; one gone in each phase",
            False)
    r = Round(10, [0, 1, 2, 3, 5, 6, 7, 8, 9], 7, suite=2, rnd=3, step=2,
              kind="evaluation", state=sha(b"some state"), c=3, verify=3,
              cohort=1)
    r.run(gone=[0], silent=[5])
    r.write(os.path.join(out, "n10-chacha20.txt"),
            "N = 10, n = 9, c = 3, 7 words, suite 2, verify trust, cohort "
            "fixed", False)
    r = Round(3, range(3), 5, variance=3)
    r.run(silent=[2])
    r.write(os.path.join(out, "n3-noise.txt"),
            "n3.txt with noise of variance 3/2 at each site", True)
    r = Round(5, range(5), 300, suite=2, bits=32, variance=2**20)
    r.run(gone=[1])
    r.write(os.path.join(out, "n5-noise.txt"),
            "N = n = 5, 300 words of 32 bits, suite 2, noise of variance "
            "2^20/3 at each site; site 20 gone before its upload", False)
    r = Round(10, range(10), 40, bits=32, variance=123456789)
    r.run(before_shares=[1], gone=[9], before_confirm=[3], silent=[6])
    r.write(os.path.join(out, "n10-noise.txt"),
            "N = n = 10, 40 words of 32 bits, noise of variance 123456789/7 "
            "at each site; one gone in each phase", False)
    r = Round(3, range(3), 5)
    r.announce()
    r.ready()
    r.roster()
    r.shares(spoil=(0, 2))
    r.sharesets()
    r.complaint(0, 2)
    r.write(os.path.join(out, "complaint.txt"),
            "site 10 deals site 30 a wrong share", False)


if __name__ == "__main__":
    main()
