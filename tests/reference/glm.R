# Golden files for tests/model/test_glm.c: linear and Poisson regression by R's
# lm() and glm(), iterated to the limit of doubles, with 17 significant digits.
# Data: epil and birthwt of MASS (r-cran-mass, GPL-2 | GPL-3), and diabetes.csv,
# which tests/reference/diabetes.py writes first.
#
#     python3 tests/reference/diabetes.py tests/vectors/model
#     Rscript tests/reference/glm.R tests/vectors/model

suppressMessages(library(MASS))
dir <- commandArgs(trailingOnly = TRUE)[1]

num <- function(x) sprintf("%.17g", x)
write_data <- function(d, name)
	write.csv(format(d, digits = 17, trim = TRUE, scientific = FALSE),
	    file.path(dir, name), row.names = FALSE, quote = FALSE)

diabetes <- read.csv(file.path(dir, "diabetes.csv"))
trtp <- as.integer(epil$trt == "progabide")
lb <- log(epil$base / 4)
write_data(data.frame(y = epil$y, lb = lb, trtp = trtp, la = log(epil$age),
    V4 = epil$V4, lb_trtp = lb * trtp), "epil.csv")
# What the test reads, to the last bit.
e <- read.csv(file.path(dir, "epil.csv"))
b <- birthwt
bw <- data.frame(y = b$bwt, age = b$age, lwt = b$lwt,
    race2 = as.integer(b$race == 2), race3 = as.integer(b$race == 3),
    smoke = b$smoke, ptl = b$ptl, ht = b$ht, ui = b$ui, ftv = b$ftv)
write_data(bw, "birthweight.csv")

coefs <- "model,term,estimate,se,t,p,ci_low,ci_high"
fits <- paste0("model,n,df,null_deviance,deviance,null_loglik,loglik,aic,",
    "dispersion,r2,adjusted_r2,f,f_p")

linear <- function(name, d) {
	m <- lm(y ~ ., d)
	s <- summary(m)
	ci <- confint(m)
	f <- s$fstatistic
	m0 <- lm(y ~ 1, d)
	coefs <<- c(coefs, paste(name, names(coef(m)), num(s$coefficients[, 1]),
	    num(s$coefficients[, 2]), num(s$coefficients[, 3]),
	    num(s$coefficients[, 4]), num(ci[, 1]), num(ci[, 2]), sep = ","))
	fits <<- c(fits, paste(name, nrow(d), m$df.residual,
	    num(sum(resid(m0)^2)), num(sum(resid(m)^2)), num(logLik(m0)),
	    num(logLik(m)), num(AIC(m)), num(s$sigma^2), num(s$r.squared),
	    num(s$adj.r.squared), num(f[1]),
	    num(pf(f[1], f[2], f[3], lower.tail = FALSE)), sep = ","))
}

counts <- function(name, d, dispersed) {
	m <- NULL
	# glm's standard errors are those of the step before the last.
	for (i in 1:3)
		m <- glm(y ~ ., poisson, d, start = coef(m), epsilon = 1e-16,
		    maxit = 50)
	df <- m$df.residual
	phi <- sum(resid(m, "pearson")^2) / df
	s <- summary(m, dispersion = if (dispersed) phi else 1)
	t <- s$coefficients[, 1] / s$coefficients[, 2]
	p <- if (dispersed) 2 * pt(-abs(t), df) else 2 * pnorm(-abs(t))
	q <- if (dispersed) qt(0.975, df) else qnorm(0.975)
	m0 <- glm(y ~ 1, poisson, d, epsilon = 1e-16)
	k <- length(coef(m)) - 1
	f <- (m$null.deviance - m$deviance) / k / phi
	coefs <<- c(coefs, paste(name, names(coef(m)), num(s$coefficients[, 1]),
	    num(s$coefficients[, 2]), num(t), num(p),
	    num(s$coefficients[, 1] - q * s$coefficients[, 2]),
	    num(s$coefficients[, 1] + q * s$coefficients[, 2]), sep = ","))
	fits <<- c(fits, paste(name, nrow(d), df, num(m$null.deviance),
	    num(m$deviance), num(logLik(m0)), num(logLik(m)), num(AIC(m)),
	    num(phi), 0, 0, num(f), num(pf(f, k, df, lower.tail = FALSE)),
	    sep = ","))
}

linear("diabetes", diabetes)
linear("birthweight", bw)
counts("epil", e, FALSE)
counts("epil_quasi", e, TRUE)
writeLines(coefs, file.path(dir, "glm_coef.csv"))
writeLines(fits, file.path(dir, "glm_fit.csv"))
