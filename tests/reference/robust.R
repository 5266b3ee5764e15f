# Golden files for tests/model/test_robust.c: robust standard errors of glm() as
# sandwich has them (vcovHC type HC0; vcovCL by site, type HC0, cadjust = FALSE), and
# vcovCL by patient where one has several rows, with 17 significant digits.  Data:
# what tests/reference/families.R writes, row i (from 0) at site i mod 6; and epil of
# MASS, four visits of each patient, which it writes as robust_epil.csv.
#
#     Rscript tests/reference/robust.R tests/vectors/model

suppressMessages({ library(MASS); library(sandwich) })
dir <- commandArgs(trailingOnly = TRUE)[1]
num <- function(x) sprintf("%.17g", x)
out <- "model,term,estimate,se"

data <- function(name, weights, offset) {
	d <- read.csv(file.path(dir, name))
	names(d)[names(d) == "event"] <- "y"
	d$site <- (seq_len(nrow(d)) - 1) %% 6
	if (!weights) d$weight <- 1
	if (!offset) d$offset <- 0
	d
}

robust <- function(name, file, family, weights = FALSE, offset = FALSE,
    d = data(file, weights, offset)) {
	x <- d[, setdiff(names(d), c("offset", "weight", "site", "patient"))]
	m <- NULL
	for (i in 1:4)
		m <- glm(y ~ ., family, x, weights = d$weight, offset = d$offset,
		    start = coef(m), epsilon = 1e-16, maxit = 200)
	f <- m$family
	xm <- model.matrix(m)
	eta <- drop(xm %*% coef(m)) + d$offset
	mu <- f$linkinv(eta)
	slope <- f$mu.eta(eta) / f$variance(mu)
	score <- d$weight * (m$y - mu) * slope * xm
	bread <- solve(crossprod(xm, d$weight * slope * f$mu.eta(eta) * xm))
	hc0 <- bread %*% crossprod(score) %*% bread
	cl <- bread %*% crossprod(rowsum(score, d$site)) %*% bread
	same <- function(a, b) stopifnot(max(abs(a / b - 1)) < 1e-7)
	if (!weights) {
		same(hc0, vcovHC(m, type = "HC0"))
		same(cl, vcovCL(m, cluster = d$site, type = "HC0",
		    cadjust = FALSE))
	}
	by <- list(rows = hc0, site = cl)
	if (!is.null(d$patient)) {
		u <- rowsum(score, d$patient)
		by <- list(patient = bread %*% crossprod(u) %*% bread)
		if (!weights)
			same(by$patient, vcovCL(m, cluster = d$patient,
			    type = "HC0", cadjust = FALSE))
	}
	for (k in names(by)) {
		v <- by[[k]]
		out <<- c(out, paste(paste0(name, "_", k), names(coef(m)),
		    num(coef(m)), num(sqrt(diag(v))), sep = ","))
	}
}

robust("gaussian", "families_birthweight.csv", gaussian)
robust("gaussian_w", "families_birthweight.csv", gaussian, TRUE)
robust("gamma", "families_birthweight.csv", Gamma("log"))
robust("gamma_ow", "families_birthweight.csv", Gamma("log"), TRUE, TRUE)
robust("gamma_inverse_w", "families_birthweight.csv", Gamma("inverse"), TRUE)
robust("poisson", "families_quine.csv", poisson)
robust("poisson_o", "families_quine.csv", poisson, FALSE, TRUE)
robust("negbin", "families_quine.csv", negative.binomial(1.5, link = "log"))
robust("negbin_w", "families_quine.csv", negative.binomial(1.5, link = "log"), TRUE)
robust("logistic", "families_birthwt.csv", binomial)
robust("quasibinomial_w", "families_birthwt.csv", quasibinomial, TRUE)

e <- MASS::epil
e <- data.frame(y = e$y, event = as.integer(e$y > 4), weight = 1 + e$period,
    offset = log(e$base / 4), patient = e$subject - 1,
    trt = as.integer(e$trt == "progabide"), lage = log(e$age), V4 = e$V4)
write.csv(e, file.path(dir, "robust_epil.csv"), row.names = FALSE, quote = FALSE)
e <- read.csv(file.path(dir, "robust_epil.csv"))
epil <- function(name, family, weights = FALSE, offset = FALSE, outcome = "y") {
	d <- e
	d$y <- d[[outcome]]
	d$event <- NULL
	d$site <- d$patient %% 6
	if (!weights) d$weight <- 1
	if (!offset) d$offset <- 0
	robust(name, NULL, family, weights, offset, d)
}
epil("epil_gaussian", gaussian)
epil("epil_poisson", poisson, FALSE, TRUE)
epil("epil_quasipoisson_w", quasipoisson, TRUE)
epil("epil_negbin_w", negative.binomial(1.5, link = "log"), TRUE, TRUE)
epil("epil_logistic", binomial, outcome = "event")
writeLines(out, file.path(dir, "robust.csv"))
