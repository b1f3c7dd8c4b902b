// Asks the code of Chrome DevTools about .heapsnapshot files; the answer is one JSON object.
//
//   node devtools.mjs load FILE SIZES [ORDINAL…]   counts, classes, and the retainers of some nodes; the retained size
//                                                  and the dominator of each node go into SIZES, as doubles
//   node devtools.mjs compare BEFORE AFTER         what the Comparison view shows, by class

import {createReadStream, writeFileSync} from 'node:fs';
import {MessageChannel} from 'node:worker_threads';

Promise.withResolvers ??= function() { // node 20 has none
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, {resolve, reject}));
  return made;
};

const {HeapSnapshot, Loader, Model} = await import('../../.oracles/devtools-heap.mjs');
const problems = [];
console.warn = (...words) => problems.push(words.join(' '));

async function load(path) {
  const began = performance.now();
  const loader = new Loader.HeapSnapshotLoader({sendEvent() {}});
  for await (const chunk of createReadStream(path, {encoding: 'utf8', highWaterMark: 1 << 20})) {
    loader.write(chunk);
    await null; // so that it is read as it comes, as in the browser
  }
  loader.close();
  await loader.parsingComplete;
  const parsed = performance.now();
  const channel = new MessageChannel();
  new HeapSnapshot.SecondaryInitManager(channel.port2);
  const snapshot = await loader.buildSnapshot(channel.port1);
  channel.port1.close();
  return {snapshot, seconds: [(parsed - began) / 1000, (performance.now() - parsed) / 1000]};
}

function sizesAndDominators(snapshot) {
  const numbers = new Float64Array(2 * snapshot.nodeCount);
  const node = snapshot.createNode(0);
  for (let ordinal = 0; ordinal < snapshot.nodeCount; ordinal++) {
    node.nodeIndex = ordinal * snapshot.nodeFieldCount;
    numbers[ordinal] = node.retainedSize();
    numbers[snapshot.nodeCount + ordinal] = node.dominatorIndex() / snapshot.nodeFieldCount;
  }
  return numbers;
}

function retainers(snapshot, ordinal) {
  const provider = snapshot.createRetainingEdgesProvider(ordinal * snapshot.nodeFieldCount);
  return provider.serializeItemsRange(0, 1000).items.map(
      edge => [edge.type, edge.name, edge.node.nodeIndex / snapshot.nodeFieldCount, edge.node.name]);
}

async function loaded(path, sizes, ...ordinals) {
  const {snapshot, seconds} = await load(path);
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  if (sizes) {
    writeFileSync(sizes, sizesAndDominators(snapshot));
  }
  const classes = snapshot.aggregatesWithFilter(new Model.NodeFilter());
  return {
    nodes: snapshot.nodeCount,
    edges: snapshot.containmentEdges.length / 3,
    total: snapshot.totalSize,
    seconds,
    peakBytes,
    problems,
    classes: Object.values(classes).map(row => [row.name, row.count, row.self, row.maxRet]),
    retainers: Object.fromEntries(ordinals.map(ordinal => [ordinal, retainers(snapshot, Number(ordinal))])),
  };
}

async function compared(beforePath, afterPath) {
  const {snapshot: before} = await load(beforePath);
  const {snapshot: after} = await load(afterPath);
  const base = before.aggregatesForDiff(after.interfaceDefinitions());
  const rows = Object.values(after.calculateSnapshotDiff(1, base));
  return {problems, classes: rows.map(row => [row.name, row.addedCount, row.removedCount, row.sizeDelta])};
}

const [verb, ...words] = process.argv.slice(2);
console.log(JSON.stringify(await {load: loaded, compare: compared}[verb](...words)));
