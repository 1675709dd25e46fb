"""Objects, text, worker processes by fork, and threads; prints sums."""
import hashlib, json, multiprocessing, queue, random, re, threading, zlib

def work(seed):
    r = random.Random(seed)
    rows = [{"id": i, "name": "n%d" % r.randrange(5000), "tags": [r.randrange(99) for _ in range(i % 20)]} for i in range(8000)]
    text = json.dumps(rows, sort_keys=True)
    names = sorted(set(re.findall(r'"name": "(n\d+)"', text)))
    packed = zlib.compress(text.encode() * 3, 6)
    assert zlib.decompress(packed) == text.encode() * 3
    return len(text), len(names), hashlib.sha256(text.encode()).hexdigest()

def threaded():
    todo, done = queue.Queue(), queue.Queue()
    def loop():
        while (n := todo.get()) is not None:
            done.put((n, hashlib.md5(bytes(bytearray(range(256)) * n)).hexdigest()))
    threads = [threading.Thread(target=loop) for _ in range(6)]
    for t in threads: t.start()
    for n in range(600): todo.put(n)
    for _ in threads: todo.put(None)
    for t in threads: t.join()
    return sorted(done.get() for _ in range(600))[-1]

if __name__ == "__main__":
    print(work(0))
    print(threaded())
    with multiprocessing.get_context("fork").Pool(3) as pool:
        print(pool.map(work, range(6)))
    print(sum(len(str(3 ** n)) for n in range(2500)))
    matrix = [[i * k % 17 for k in range(120)] for i in range(120)]
    print(sum(sum(a * b for a, b in zip(row, column)) for row in matrix for column in zip(*matrix)))
