# The checks of the machine `clusters`: many processors, of which few share a cache.
# shellcheck shell=sh

run clusters /numa/clusters 6 apart
conf clusters:off /numa/clusters 3 together
