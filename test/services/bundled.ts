import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { afterAll } from 'vitest';

/** One file of a script and all that it imports, for a test that starts it again and again: sources take four times as
 *  long to start. Gone after the tests of the file. */
export function bundled(url: URL): string {
  const script = fileURLToPath(url);
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bundled-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const outfile = join(folder, `${basename(script, '.ts')}.mjs`);
  const banner = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
  buildSync({
    ...{ entryPoints: [script], outfile, bundle: true, platform: 'node', format: 'esm', target: 'node26' },
    external: ['vitest'],
    banner: { js: banner }, // for libraries that are CommonJS
  });
  return outfile;
}
