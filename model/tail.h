/*
 * Upper tails of the distributions that tests refer to.
 */
#ifndef MODEL_TAIL_H
#define MODEL_TAIL_H

/* P(chi-square with df degrees of freedom > x) */
double tail_chi2(double x, unsigned df);
/* P(|Z| > |z|), P(|T| > |t|) with df degrees of freedom */
double tail_normal(double z);
double tail_t(double t, double df);
/* P(F > f) with df1 and df2 degrees of freedom */
double tail_f(double f, double df1, double df2);
/* The t with tail_t(t, df) = 0.05 */
double tail_t_95(double df);

#endif
