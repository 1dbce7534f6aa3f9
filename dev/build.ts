// Bundles the command line into build/: one file with what costs little, and one for each thing that costs more, read
// when it is needed. Two builds at once, and a program that runs from an older build, do not disturb each other: files are named
// after their content and renamed into place, the entry last.
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { type BuildFailure, type BuildOptions, build, type Metafile, type Plugin } from 'esbuild';

const root = join(import.meta.dirname, '..');
/** Where to; tests build into a folder of their own. */
const folder = resolve(process.argv[2] ?? join(root, 'build'));
const ENTRY = 'holdfast.js';
/** How long files of older builds stay, for programs that still run from them. */
const KEEP_MS = 7 * 24 * 60 * 60 * 1000;

const options = {
  entryPoints: { holdfast: join(root, 'src/start.ts') },
  absWorkingDir: root,
  outdir: folder,
  write: false,
  bundle: true,
  splitting: true,
  metafile: true,
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
} as const satisfies BuildOptions;

/** Libraries that every verb needs. */
const EVERYWHERE = /node_modules\/(?:commander|kysely)\//;
/** Built-in modules that every start loads, or that cost it next to nothing. */
const CHEAP = new Set(
  ['child_process', 'events', 'fs', 'fs/promises', 'module', 'os', 'path', 'process', 'sqlite', 'string_decoder']
    .concat(['timers/promises', 'tty', 'url', 'util'])
    .map((name) => `node:${name}`),
);

/** Files of src that others import when they need them, but which cost so little that they may as well be there: their
 *  static imports lead to no other library and to no expensive built-in module. */
function cheapImports({ inputs }: Metafile): readonly string[] {
  const costs = new Map<string, boolean>();
  function isCheap(path: string): boolean {
    const known = costs.get(path);
    if (known !== undefined) return known;
    costs.set(path, true); // a circle, which only libraries have, is judged by its other members
    const imports = inputs[path]?.imports.filter(({ kind }) => kind !== 'dynamic-import') ?? [];
    const cheap =
      EVERYWHERE.test(path) ||
      (!path.includes('node_modules/') &&
        imports.every(({ path: next, external }) => (external ? CHEAP.has(next) : isCheap(next))));
    costs.set(path, cheap);
    return cheap;
  }
  const called = Object.values(inputs).flatMap(({ imports }) =>
    imports.filter(({ kind }) => kind === 'dynamic-import'),
  );
  return [...new Set(called.map(({ path }) => path))].filter((path) => path.startsWith('src/') && isCheap(path));
}

/** Puts what is cheap into one file. The bundler makes a file of its own for each set of modules that some imports reach
 *  and others do not, dozens for one verb, and each costs a start half a millisecond. So each import is led through a
 *  module that reaches all that is cheap: then it is one set. The first import is left alone, for `--version`. */
const together = (cheap: readonly string[], first: string): Plugin => ({
  name: 'together',
  setup(bundler) {
    const importing = (names: readonly string[]): string =>
      names.map((name) => `import ${JSON.stringify(name)};\n`).join('');
    bundler.onResolve({ filter: /^\.\.?\// }, ({ path, kind, resolveDir }) => {
      const file = join(resolveDir, path);
      return kind === 'dynamic-import' && file !== first ? { path: file, namespace: 'called' } : null;
    });
    bundler.onLoad({ filter: /./, namespace: 'called' }, ({ path }) => ({
      contents: `import 'holdfast:cheap';\nexport * from ${JSON.stringify(path)};`,
      resolveDir: root,
    }));
    bundler.onResolve({ filter: /^holdfast:cheap$/ }, ({ path }) => ({ path, namespace: 'cheap' }));
    bundler.onLoad({ filter: /./, namespace: 'cheap' }, () => ({
      contents: importing(cheap.map((path) => join(root, path))),
      resolveDir: root,
    }));
  },
});

// The entry gets this time: a source that changes while the build runs is newer, and the next start builds again.
const started = new Date();
const main = join(root, 'src/main.ts');
const { outputFiles } = await build(options)
  .then(({ metafile }) => cheapImports(metafile).filter((path) => join(root, path) !== main))
  .then((cheap) => build({ ...options, plugins: [together(cheap, main)] }))
  .catch((failure: BuildFailure) => {
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
