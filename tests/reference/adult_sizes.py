#!/usr/bin/python3
"""Class sizes of a table: adult_sizes.py adult.csv >adult_sizes.csv"""
import collections
import csv
import sys

with open(sys.argv[1], newline="") as f:
    rows = [tuple(row) for row in csv.reader(f, delimiter=";")][1:]
sizes = collections.Counter(collections.Counter(rows).values())
print("size,classes")
for size in sorted(sizes):
    print(f"{size},{sizes[size]}")
