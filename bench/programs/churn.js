// Objects, strings, buffers and JSON, as servers make them. Prints one number that must not change.
'use strict';

let check = 0;
for (let round = 0; round < 30; round++) {
  const records = [];
  for (let index = 0; index < 10000; index++) {
    records.push({ id: index, name: `record ${index * round}`, tags: [index % 7, index % 11] });
  }
  const parsed = JSON.parse(JSON.stringify(records));
  check += parsed.reduce((sum, record) => sum + record.id, 0);
  const buffers = [];
  for (let index = 0; index < 3000; index++) {
    buffers.push(Buffer.alloc(1 + ((index * 37) % 20000), index & 255));
  }
  check += Buffer.concat(buffers).length;
}
console.log(check);
