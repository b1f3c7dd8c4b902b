// Asks memlab about one .heapsnapshot file; the answer is one JSON object.
//
//   node memlab.mjs FILE [SIZES]   how many nodes; the retained size and the dominator of each go into SIZES, as doubles

import {writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';

const require = createRequire(new URL('../../.oracles/package.json', import.meta.url));
const {getFullHeapFromFile, PluginUtils} = require('@memlab/heap-analysis');

const [file, sizes] = process.argv.slice(2);
process.stdout.write = process.stderr.write.bind(process.stderr); // memlab's progress is no part of the answer
const began = performance.now();
const heap = await (getFullHeapFromFile ?? PluginUtils.getFullHeapFromFile)(file);
const seconds = (performance.now() - began) / 1000;
const peakBytes = process.resourceUsage().maxRSS * 1024;
const ordinals = new Map();
heap.nodes.forEach((node, ordinal) => void ordinals.set(node.id, ordinal));
if (sizes) {
  const numbers = new Float64Array(2 * heap.nodes.length);
  heap.nodes.forEach((node, ordinal) => {
    numbers[ordinal] = node.retainedSize;
    numbers[heap.nodes.length + ordinal] = ordinals.get(node.dominatorNode.id);
  });
  writeFileSync(sizes, numbers);
}
delete process.stdout.write;
console.log(JSON.stringify({nodes: heap.nodes.length, distinctIds: ordinals.size, seconds, peakBytes}));
