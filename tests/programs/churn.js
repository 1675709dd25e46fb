// JSON, buffers and worker threads; prints sums.
const { Worker, isMainThread, parentPort, workerData } = require("worker_threads");
const { createHash } = require("crypto");
const zlib = require("zlib");

function churn(seed) {
  let x = seed;
  const next = () => (x = (x * 1103515245 + 12345) % 2147483648);
  const hash = createHash("sha256");
  for (let round = 0; round < 15; round++) {
    const rows = Array.from({ length: 3000 }, (_, i) => ({ id: i, name: "n" + next(), tags: Array(next() % 9).fill(next()) }));
    const text = JSON.stringify(rows);
    const packed = zlib.deflateSync(Buffer.from(text));
    if (zlib.inflateSync(packed).toString() !== text) throw new Error("zlib");
    const buffers = Array.from({ length: 200 }, () => Buffer.alloc(1 + (next() % 50000), round));
    hash.update(JSON.stringify(JSON.parse(text))).update(Buffer.concat(buffers));
  }
  return hash.digest("hex");
}

if (isMainThread) {
  const seeds = [1, 2, 3, 4];
  Promise.all(
    seeds.map((seed) => new Promise((resolve, reject) => {
      const worker = new Worker(__filename, { workerData: seed });
      worker.on("message", resolve).on("error", reject);
    }))
  ).then((sums) => console.log(sums.join("\n"), churn(9)));
} else {
  parentPort.postMessage(churn(workerData));
}
