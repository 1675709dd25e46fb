# The checks of the machine `crowd`: many processors, of which few share a cache.
# shellcheck shell=sh

run crowd /numa/crowd 6 apart
conf clusters:off /numa/crowd 3 together
