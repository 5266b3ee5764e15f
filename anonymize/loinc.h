/*
 * LOINC codes by the classes of LOINC's own table, which its licence lets nobody
 * pass on: a hospital has its Loinc.csv from loinc.org.
 */
#ifndef ANONYMIZE_LOINC_H
#define ANONYMIZE_LOINC_H

struct err;

/*
 * Make a hierarchy's file (hierarchy.h) of a list of codes, one per line: code,
 * class ("laboratory CHEM"), type of class ("laboratory", "clinical", "claims", "survey"), *.
 * table: Loinc.csv, of which the columns LOINC_NUM, CLASS and CLASSTYPE are read.
 * ERR_FORMAT with name:line:column if a code is none or not in the table, or if
 * the table is not LOINC's.
 */
int loinc_hierarchy(int codes, const char *codes_name, int table,
    const char *table_name, int out, struct err *err);

#endif
