# What R makes of the data that tests/ctl/test_pooled.c fits.  Writes the data
# and the figures:
#
#     Rscript tests/reference/pooled.R tests/vectors/pooled
#
# Data: lung of the package survival (r-cran-survival, LGPL-2+), birthwt and
# epil of MASS (r-cran-mass, GPL-2 or GPL-3).
suppressMessages({ library(survival); library(MASS) })
dir <- commandArgs(TRUE)[1]
num <- function(x) formatC(x, digits = 17, format = "g")
save <- function(d, name)
	write.csv(d, file.path(dir, name), row.names = FALSE, quote = FALSE)

l <- survival::lung
l <- l[complete.cases(l[, c("inst", "time", "status", "age", "sex", "ph.ecog",
    "ph.karno", "wt.loss")]), ]
l <- data.frame(inst = l$inst, time = l$time, event = l$status - 1,
    age = l$age, sex = l$sex, ecog = l$ph.ecog, karno = l$ph.karno,
    wtloss = l$wt.loss)
save(l, "lung.csv")

b <- MASS::birthwt
b <- b[, c("low", "age", "lwt", "race", "smoke", "ht", "ui")]
save(b, "birthwt.csv")

out <- NULL
add <- function(fit, s, term, ll0, ll1)
	out <<- rbind(out, data.frame(fit = fit, term = term,
	    estimate = num(s[, 1]), se = num(s[, 2]), loglik0 = num(ll0),
	    loglik1 = num(ll1)))
cox <- function(fit, f, ties, d = l) {
	m <- coxph(f, d, ties = ties, timefix = FALSE,
	    control = coxph.control(eps = 1e-14, iter.max = 50,
		toler.chol = 1e-15, timefix = FALSE))
	add(fit, summary(m)$coefficients[, c(1, 3)], names(coef(m)),
	    m$loglik[1], m$loglik[2])
}
x <- Surv(time, event) ~ age + sex + ecog + karno + wtloss
xi <- update(x, ~ . + strata(inst))
cox("breslow", x, "breslow")
cox("efron", x, "efron")
cox("inst", xi, "efron")
# The first third of the rows is one site, the rest the other.
l$site <- seq_len(nrow(l)) <= nrow(l) %/% 3
cox("site", update(x, ~ . + strata(site)), "efron", l)
# Robust errors, clustered by institution within each of the two.
m <- coxph(x, l, cluster = interaction(site, inst, drop = TRUE),
    control = coxph.control(eps = 1e-14, iter.max = 50, toler.chol = 1e-15,
	timefix = FALSE))
add("cluster", cbind(coef(m), sqrt(diag(vcov(m)))), names(coef(m)), m$loglik[1],
    m$loglik[2])
# On a grid of 30 days from day 30 on; earlier rows are at risk nowhere.
g <- l[l$time >= 30, ]
g$time <- floor(g$time / 30) * 30
cox("grid", x, "efron", g)

# glm's standard errors are those of the step before the last: go on from there.
m <- NULL
for (i in 1:3)
	m <- glm(low ~ age + lwt + factor(race) + smoke + ht + ui, binomial, b,
	    start = coef(m), epsilon = 1e-15, maxit = 50)
add("logistic", summary(m)$coefficients[, 1:2],
    c("(Intercept)", "age", "lwt", "race2", "race3", "smoke", "ht", "ui"),
    -m$null.deviance / 2, as.numeric(logLik(m)))

# Birth weight in grams, and the seizures of the first three visits.
b <- MASS::birthwt[, c("bwt", "age", "lwt", "race", "smoke", "ht", "ui")]
save(b, "birthweight.csv")
m <- lm(bwt ~ age + lwt + factor(race) + smoke + ht + ui, b)
add("gaussian", summary(m)$coefficients[, 1:2],
    c("(Intercept)", "age", "lwt", "race2", "race3", "smoke", "ht", "ui"),
    as.numeric(logLik(lm(bwt ~ 1, b))), as.numeric(logLik(m)))

e <- MASS::epil[, c("y", "trt", "base", "age", "V4")]
e$trt <- as.integer(e$trt == "progabide")
save(e, "epil.csv")
m <- NULL
for (i in 1:3)
	m <- glm(y ~ trt + base + age + V4, poisson, e, start = coef(m),
	    epsilon = 1e-15, maxit = 50)
names <- c("(Intercept)", "trt", "base", "age", "V4")
ll <- as.numeric(logLik(m))
ll0 <- as.numeric(logLik(glm(y ~ 1, poisson, e, epsilon = 1e-15)))
add("poisson", summary(m)$coefficients[, 1:2], names, ll0, ll)
phi <- sum(resid(m, "pearson")^2) / m$df.residual
add("quasi", summary(m, dispersion = phi)$coefficients[, 1:2], names, ll0, ll)

# Formulas.  Harrell's restricted cubic spline by its truncated powers.
rcs <- function(x, t) {
	k <- length(t)
	p <- function(v) pmax(v, 0)^3
	b <- sapply(1:(k - 2), function(j) (p(x - t[j]) - p(x - t[k - 1]) *
	    (t[k] - t[j]) / (t[k] - t[k - 1]) + p(x - t[k]) *
	    (t[k - 1] - t[j]) / (t[k] - t[k - 1])) / (t[k] - t[1])^2)
	cbind(x, b)
}
named <- function(fit, m, s, ll0, ll1) {
	n <- sub("rcs\\(lwt, [^)]*\\)\\)x", "lwt", names(coef(m)))
	n <- sub("rcs\\(lwt, [^)]*\\)\\)$", "lwt'", n)
	add(fit, s, sub("factor\\(([a-z]*)\\)", "\\1", n), ll0, ll1)
}
b$race <- relevel(factor(b$race), ref = "2")
m <- lm(bwt ~ smoke + age * race + rcs(lwt, c(100, 120, 150, 180)) + ht:smoke, b)
named("formula", m, summary(m)$coefficients[, 1:2],
    as.numeric(logLik(lm(bwt ~ 1, b))), as.numeric(logLik(m)))
m <- NULL
for (i in 1:3)
	m <- glm(y ~ trt * log(base) + I(age^2) + offset(log(age)), poisson, e,
	    start = coef(m), epsilon = 1e-15, maxit = 50)
named("offset", m, summary(m)$coefficients[, 1:2],
    as.numeric(logLik(glm(y ~ 1 + offset(log(age)), poisson, e,
    epsilon = 1e-15))), as.numeric(logLik(m)))
cox("surv", Surv(time, event) ~ age + sex * karno + ecog, "efron")
save(out, "figures.csv")
