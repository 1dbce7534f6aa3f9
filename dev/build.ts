// Bundles the command line into build/: one file per verb and one for what they share, so that a verb is read when it
// is called. Two builds at once, and a program that runs from an older build, do not disturb each other: files are named
// after their content and renamed into place, the entry last.
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { type BuildFailure, build } from 'esbuild';

const root = join(import.meta.dirname, '..');
/** Where to; tests build into a folder of their own. */
const folder = resolve(process.argv[2] ?? join(root, 'build'));
const ENTRY = 'holdfast.js';
/** How long files of older builds stay, for programs that still run from them. */
const KEEP_MS = 7 * 24 * 60 * 60 * 1000;

// The entry gets this time: a source that changes while the build runs is newer, and the next start builds again.
const started = new Date();
const { outputFiles } = await build({
  entryPoints: { holdfast: join(root, 'src/start.ts') },
  absWorkingDir: root,
  outdir: folder,
  write: false,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node26',
  chunkNames: '[name]-[hash]',
  // Read and hashed at every start; names stay, so that a stack trace can be read.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'inline',
  logLevel: 'warning',
  // Libraries that are CommonJS ask for built-in modules by `require`, which a module does not have.
  banner: {
    js: "import { createRequire as holdfastRequire } from 'node:module';\nconst require = holdfastRequire(import.meta.url);",
  },
}).catch((failure: BuildFailure) => {
  console.error(`holdfast: the sources cannot be bundled: ${failure.errors.length} errors, see above.`);
  process.exit(1);
});

await mkdir(folder, { recursive: true });
const entryLast = outputFiles.toSorted((a, b) => Number(a.path.endsWith(ENTRY)) - Number(b.path.endsWith(ENTRY)));
for (const { path, contents } of entryLast) {
  const provisional = `${path}.${process.pid}`;
  await writeFile(provisional, contents, { flush: true });
  await utimes(provisional, started, started);
  await rename(provisional, path);
}

const current = new Set(outputFiles.map(({ path }) => basename(path)));
for (const name of await readdir(folder)) {
  if (current.has(name) || !/\.js(\.\d+)?$/.test(name)) continue;
  const path = join(folder, name);
  if (started.getTime() - (await stat(path)).mtimeMs > KEEP_MS) await rm(path, { force: true });
}
