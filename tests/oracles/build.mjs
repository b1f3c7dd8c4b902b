// Bundles DevTools' own reader of heap snapshots, as it is in its npm package, into one file that node can run.

import {build} from 'esbuild';

const frontEnd = './node_modules/chrome-devtools-frontend/front_end';

const locales = {
  name: 'locales',
  setup(bundle) {
    // The package is published without this file, which its own build generates.
    bundle.onResolve({filter: /\/locales\.js$/}, () => ({path: 'locales', namespace: 'generated'}));
    bundle.onLoad({filter: /.*/, namespace: 'generated'}, () => ({
      contents: `
        export const LOCALES = ['en-US'];
        export const BUNDLED_LOCALES = ['en-US'];
        export const DEFAULT_LOCALE = 'en-US';
        export const REMOTE_FETCH_PATTERN = '';
        export const LOCAL_FETCH_PATTERN = '';`,
    }));
  },
};

await build({
  stdin: {
    contents: `
      export * as HeapSnapshot from '${frontEnd}/entrypoints/heap_snapshot_worker/HeapSnapshot.ts';
      export * as Loader from '${frontEnd}/entrypoints/heap_snapshot_worker/HeapSnapshotLoader.ts';
      export * as Model from '${frontEnd}/models/heap_snapshot/HeapSnapshotModel.ts';`,
    resolveDir: process.cwd(),
  },
  outfile: 'devtools-heap.mjs',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  plugins: [locales],
  logLevel: 'warning',
});
