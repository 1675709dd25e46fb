"""Objects, strings, containers and JSON, as scripts make them. Prints one number that must not change."""

import json
import sys


def words(count):
    state = 1
    for _ in range(count):
        state = (state * 1103515245 + 12345) % 2**31
        yield f"w{state % 5000}"


class Node:
    def __init__(self, key, children):
        self.key = key
        self.children = children


def tree(depth):
    return Node(depth, [tree(depth - 1), tree(depth - 1)] if depth else [])


def total(node):
    return node.key + sum(map(total, node.children))


def run():
    check = 0
    for _ in range(4):
        counts = {}
        for word in words(100_000):
            counts[word] = counts.get(word, 0) + 1
        records = [{"name": name, "count": count, "tags": [name[:2], name[2:]]} for name, count in counts.items()]
        check += sum(record["count"] for record in json.loads(json.dumps(records)))
        check += total(tree(14))
        text = "".join(f"{number:>8},{number * number}\n" for number in range(50_000))
        check += len(sorted(text.splitlines(), key=lambda line: line[::-1]))
    return check


for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
    print(run())
