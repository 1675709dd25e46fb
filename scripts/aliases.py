"""Counts loads that meet a store of the last few with the same place in another page.

Reads what valgrind's lackey prints with --trace-mem=yes on standard input. Processors tell addresses of loads and
stores in flight apart by their lower twelve bits at first: a load that has them in common with an earlier store waits,
or is done again.
"""

import collections
import sys

PAGE = 4096
# As many stores a processor holds back.
IN_FLIGHT = 48


def accesses(lines):
    """Kind, address and length of each access; "I" for an instruction."""
    for line in lines:
        kind = line[:3].strip()
        if kind in ("I", "L", "S", "M") and line[0] in "I ":
            address, length = line[3:].split(",")
            yield kind, int(address, 16), int(length)


def overlap(one, length, other, other_length):
    return one < other + other_length and other < one + length


def count(lines, first):
    """Instructions, loads that alias, and the pairs of pages, all from the instruction of number `first` on."""
    stores = collections.deque(maxlen=IN_FLIGHT)
    instructions, aliases, pairs = 0, 0, collections.Counter()
    for kind, address, length in accesses(lines):
        if kind == "I":
            instructions += 1
            continue
        if instructions >= first and kind != "S":
            place = address % PAGE
            for store, stored in reversed(stores):
                if overlap(address, length, store, stored):
                    break
                if overlap(place, length, store % PAGE, stored):
                    aliases += 1
                    pairs[(store // PAGE, address // PAGE)] += 1
                    break
        if kind != "L":
            stores.append((address, length))
    return instructions - first, aliases, pairs


def main():
    name, path = sys.argv[1:]
    with open(path, encoding="ascii", errors="replace") as lines:
        total = sum(1 for line in lines if line.startswith("I"))
    # The first half is the start, and what is warmed up in it.
    with open(path, encoding="ascii", errors="replace") as lines:
        instructions, aliases, pairs = count(lines, total // 2)
    worst = "".join(f"  {stored:#x} {loaded:#x} {times}" for (stored, loaded), times in pairs.most_common(2))
    print(f"{name:20} {instructions:12} {1000 * aliases / max(instructions, 1):8.2f}{worst}")


main()
