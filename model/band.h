/*
 * Critical values of simultaneous 95% bands of Kaplan and Meier's curve (Klein and
 * Moeschberger 2003, section 4.4), computed and not from a table.
 *
 * Of a Brownian bridge W, between u = low and high: a = n s / (1 + n s) at the
 * band's ends, s Greenwood's sum, n all patients.  0 < low <= high < 1.
 */
#ifndef MODEL_BAND_H
#define MODEL_BAND_H

/* Hall and Wellner 1980: |W(u)| is below it throughout. */
double band_hall_wellner(double low, double high);
/* Nair 1984, of equal precision: |W(u)| / sqrt(u (1 - u)) is. */
double band_equal_precision(double low, double high);

#endif
