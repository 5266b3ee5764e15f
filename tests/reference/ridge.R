# Golden file for tests/model/test_robust.c: penalized likelihoods of all families
# by Fisher scoring,
#
#     b <- b + solve(X'WX + P, X's - P b),  P = lambda diag(0, 1, ..., 1),
#
# X an intercept and the terms less their mean, by their standard deviation (with
# n, not n - 1; of rows with a weight above 0), s and W what glm.fit() has; sampling
# errors are those of (X'WX + P)^-1 X'WX (X'WX + P)^-1 times the dispersion, the sum
# of squared Pearson residuals by n less the trace of (X'WX + P)^-1 X'WX.  A gaussian
# outcome is penalized in units of its own (weighted) standard deviation, which
# changes nothing in b.  Data: what tests/reference/families.R writes.
#
#     Rscript tests/reference/ridge.R tests/vectors/model

suppressMessages(library(MASS))
dir <- commandArgs(trailingOnly = TRUE)[1]
num <- function(x) sprintf("%.17g", x)
out <- "model,term,estimate,se"
fits <- "model,edf,deviance"

ridge <- function(name, file, family, lambda, dispersed, weights = FALSE) {
	d <- read.csv(file.path(dir, file))
	names(d)[names(d) == "event"] <- "y"
	w <- if (weights) d$weight else rep(1, nrow(d))
	d <- d[w > 0, ]
	w <- w[w > 0]
	x <- as.matrix(d[, setdiff(names(d), c("y", "offset", "weight"))])
	centre <- colMeans(x)
	sd <- sqrt(colMeans(sweep(x, 2, centre)^2))
	z <- cbind(1, sweep(sweep(x, 2, centre), 2, sd, "/"))
	p <- lambda * diag(c(0, rep(1, ncol(x))))
	b <- c(family$linkfun(weighted.mean(d$y, w)), rep(0, ncol(x)))
	for (i in 1:400) {
		eta <- drop(z %*% b)
		mu <- family$linkinv(eta)
		slope <- family$mu.eta(eta)
		v <- family$variance(mu)
		info <- crossprod(z, w * slope^2 / v * z)
		b <- b + solve(info + p,
		    crossprod(z, w * slope / v * (d$y - mu)) - p %*% b)
	}
	a <- solve(info + p)
	edf <- sum(diag(a %*% info))
	phi <- if (dispersed) sum(w * (d$y - mu)^2 / v) / (length(mu) - edf) else 1
	t <- rbind(c(1, -centre / sd), cbind(0, diag(1 / sd)))
	cov <- phi * t %*% a %*% info %*% a %*% t(t)
	out <<- c(out, paste(name, c("(Intercept)", colnames(x)), num(t %*% b),
	    num(sqrt(diag(cov))), sep = ","))
	fits <<- c(fits, paste(name, num(edf), num(sum(family$dev.resids(d$y, mu,
	    w))), sep = ","))
}

b <- "families_birthweight.csv"
q <- "families_quine.csv"
ridge("gaussian", b, gaussian(), 7, TRUE)
ridge("gaussian_w", b, gaussian(), 7, TRUE, TRUE)
ridge("gamma", b, Gamma("log"), 7, TRUE)
ridge("poisson", q, poisson(), 7, FALSE)
ridge("negbin", q, negative.binomial(1.5, link = "log"), 7, FALSE)
ridge("quasibinomial", "families_birthwt.csv", quasibinomial(), 7, TRUE)
ridge("logistic", "families_birthwt.csv", binomial(), 7, FALSE)
writeLines(out, file.path(dir, "ridge.csv"))
writeLines(fits, file.path(dir, "ridge_fit.csv"))
