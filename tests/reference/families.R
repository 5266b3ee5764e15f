# Golden files for tests/model/test_families.c: families of glm(), offsets and
# prior weights, and offsets of coxph(), iterated to the limit of doubles, with
# 17 significant digits.  Data: quine and Insurance of MASS (r-cran-mass, GPL-2 |
# GPL-3), and what tests/reference/models.R and glm.R write.
#
#     Rscript tests/reference/families.R tests/vectors/model

suppressMessages({ library(MASS); library(survival) })
dir <- commandArgs(trailingOnly = TRUE)[1]

num <- function(x) ifelse(is.na(x), "0", sprintf("%.17g", x))
save <- function(d, name) {
	write.csv(format(d, digits = 17, trim = TRUE, scientific = FALSE),
	    file.path(dir, name), row.names = FALSE, quote = FALSE)
	read.csv(file.path(dir, name)) # what the test reads, to the last bit
}

# Offsets and weights that follow from the row's number; some weights are 0.
extra <- function(d) {
	i <- seq_len(nrow(d))
	d$offset <- ((i * 7) %% 11 - 5) / 8
	d$weight <- ((i * 5) %% 9) / 4
	d
}

b <- read.csv(file.path(dir, "birthweight.csv"))
birthweight <- save(extra(b), "families_birthweight.csv")
bw <- read.csv(file.path(dir, "birthwt.csv"))
birthwt <- save(extra(bw), "families_birthwt.csv")
q <- quine
days <- save(extra(data.frame(y = q$Days, eth = as.integer(q$Eth == "N"),
    sex = as.integer(q$Sex == "M"), F1 = as.integer(q$Age == "F1"),
    F2 = as.integer(q$Age == "F2"), F3 = as.integer(q$Age == "F3"),
    lrn = as.integer(q$Lrn == "SL"))), "families_quine.csv")
claims <- data.frame(y = Insurance$Claims)
for (k in 2:4) claims[paste0("d", k)] <- as.integer(Insurance$District == k)
g <- as.integer(Insurance$Group)
for (k in 2:4) claims[paste0("g", k)] <- as.integer(g == k)
a <- as.integer(Insurance$Age)
for (k in 2:4) claims[paste0("a", k)] <- as.integer(a == k)
claims$offset <- log(Insurance$Holders)
claims$weight <- ((seq_len(nrow(claims)) * 5) %% 9) / 4
claims <- save(claims, "families_insurance.csv")
l <- read.csv(file.path(dir, "lung.csv"))
lungo <- save(extra(l), "families_lung.csv")

# Cases of oesophageal cancer by age, alcohol and tobacco (esoph of R), and one
# class that nobody is in.
e <- esoph
trials <- save(rbind(data.frame(y = e$ncases, weight = e$ncases + e$ncontrols,
    age = as.integer(e$agegp), alcohol = as.integer(e$alcgp),
    tobacco = as.integer(e$tobgp)), data.frame(y = 0, weight = 0, age = 3,
    alcohol = 2, tobacco = 1)), "families_esoph.csv")
trials$y <- ifelse(trials$weight > 0, trials$y / trials$weight, 0)

coefs <- "model,term,estimate,se,t,p,ci_low,ci_high"
fits <- paste0("model,n,df,null_deviance,deviance,null_loglik,loglik,aic,",
    "dispersion,f")

fit <- function(name, d, family, dispersed, offset = FALSE, weights = FALSE) {
	o <- if (offset) d$offset else rep(0, nrow(d))
	w <- if (weights) d$weight else rep(1, nrow(d))
	x <- d[, setdiff(names(d), c("offset", "weight"))]
	names(x)[names(x) == "event"] <- "y"
	run <- function(formula) {
		m <- NULL
		for (i in 1:4)
			m <- glm(formula, family, x, weights = w, offset = o,
			    start = coef(m), epsilon = 1e-16, maxit = 200)
		m
	}
	environment(run) <- environment()
	m <- run(as.formula("y ~ .", environment()))
	m0 <- run(as.formula("y ~ 1", environment()))
	df <- m$df.residual
	phi <- sum((w * residuals(m, "response")^2 /
	    m$family$variance(fitted(m)))) / df
	s <- summary(m, dispersion = if (dispersed) phi else 1)
	b <- s$coefficients[, 1]
	se <- s$coefficients[, 2]
	t <- b / se
	p <- if (dispersed) 2 * pt(-abs(t), df) else 2 * pnorm(-abs(t))
	c <- if (dispersed) qt(0.975, df) else qnorm(0.975)
	k <- length(b) - 1
	n <- sum(w > 0)
	gaussian <- m$family$family == "gaussian"
	# glm()'s own is infinite if there are weights of 0, lm()'s is this.
	ll <- function(m) if (is.na(m$aic)) -m$deviance / 2
	    else if (gaussian) 0.5 * (sum(log(w[w > 0])) -
	    n * (log(2 * pi * m$deviance / n) + 1)) else as.numeric(logLik(m))
	aic <- if (gaussian) -2 * ll(m) + 2 * (k + 2) else m$aic
	coefs <<- c(coefs, paste(name, names(b), num(b), num(se), num(t), num(p),
	    num(b - c * se), num(b + c * se), sep = ","))
	fits <<- c(fits, paste(name, sum(w > 0), df, num(m0$deviance),
	    num(m$deviance), num(ll(m0)), num(ll(m)), num(aic), num(phi),
	    num((m0$deviance - m$deviance) / k / phi), sep = ","))
}

each <- function(name, d, family, dispersed) {
	fit(name, d, family, dispersed)
	fit(paste0(name, "_o"), d, family, dispersed, offset = TRUE)
	fit(paste0(name, "_w"), d, family, dispersed, weights = TRUE)
	fit(paste0(name, "_ow"), d, family, dispersed, TRUE, TRUE)
}

each("gaussian", birthweight, gaussian, TRUE)
each("gamma", birthweight, Gamma("log"), TRUE)
# Of the weight in grams: means are far from 1.
fit("gamma_inverse", birthweight, Gamma("inverse"), TRUE)
fit("gamma_inverse_w", birthweight, Gamma("inverse"), TRUE, weights = TRUE)
each("poisson", days, poisson, FALSE)
each("negbin", days, negative.binomial(1.5, link = "log"), FALSE)
each("quasibinomial", birthwt, quasibinomial, TRUE)
fit("insurance", claims, poisson, FALSE, offset = TRUE)
fit("insurance_quasi", claims, quasipoisson, TRUE, TRUE, TRUE)
fit("trials", trials, binomial, FALSE, weights = TRUE)
fit("binomial_o", birthwt, binomial, FALSE, offset = TRUE)

for (strata in c("", "+ strata(stratum)")) {
	m <- coxph(as.formula(paste("Surv(time, event) ~ age + sex + ph.ecog +",
	    "ph.karno + wt.loss + offset(offset)", strata)), lungo,
	    control = coxph.control(eps = 1e-12, toler.chol = 1e-13,
	    iter.max = 60))
	name <- if (strata == "") "cox_o" else "cox_strata_o"
	b <- coef(m)
	se <- sqrt(diag(vcov(m)))
	q <- qnorm(0.975)
	coefs <- c(coefs, paste(name, names(b), num(b), num(se), num(b / se),
	    num(2 * pnorm(-abs(b / se))), num(b - q * se), num(b + q * se),
	    sep = ","))
	fits <- c(fits, paste(name, m$n, 0, 0, 0, num(m$loglik[1]),
	    num(m$loglik[2]), 0, 0, 0, sep = ","))
}
writeLines(coefs, file.path(dir, "families_coef.csv"))
writeLines(fits, file.path(dir, "families_fit.csv"))
