# Golden files for tests/model/test_effects.c: Wald tests of effects, each given
# all others, and generalized variance inflation factors (Fox and Monette 1992),
# to the power of 1 / df, from what R estimates.
#
#     Rscript tests/reference/effects.R tests/vectors/model

suppressMessages(library(survival))
dir <- commandArgs(trailingOnly = TRUE)[1]
num <- function(x) sprintf("%.17g", x)
out <- "model,effect,chi2,df,p,vif"

effects <- function(name, beta, v, df) {
	if (names(beta)[1] == "(Intercept)") {
		beta <- beta[-1]
		v <- v[-1, -1]
	}
	groups <- sub("[23]$", "", names(beta)) # race2, race3 are one effect
	for (g in unique(groups)) {
		i <- which(groups == g)
		k <- length(i)
		w <- drop(beta[i] %*% solve(v[i, i], beta[i]))
		p <- if (df > 0) pf(w / k, k, df, lower.tail = FALSE)
		    else pchisq(w, k, lower.tail = FALSE)
		r <- cov2cor(v)
		gvif <- det(r[i, i, drop = FALSE]) *
		    det(r[-i, -i, drop = FALSE]) / det(r)
		out <<- c(out, paste(name, g, num(w), k, num(p),
		    num(gvif^(1 / k)), sep = ","))
	}
}

d <- read.csv(file.path(dir, "birthweight.csv"))
m <- lm(y ~ ., d)
effects("gaussian", coef(m), vcov(m), m$df.residual)
d <- read.csv(file.path(dir, "birthwt.csv"))
m <- NULL
for (i in 1:3)
	m <- glm(event ~ ., binomial, d, start = coef(m), epsilon = 1e-16,
	    maxit = 100)
effects("logistic", coef(m), vcov(m), 0)
d <- read.csv(file.path(dir, "lung.csv"))
m <- coxph(Surv(time, event) ~ age + sex + ph.ecog + ph.karno + wt.loss, d,
    control = coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 60))
effects("cox", coef(m), vcov(m), 0)
writeLines(out, file.path(dir, "effects.csv"))
