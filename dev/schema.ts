// Writes what is published of the configuration: the JSON Schema for editors, and the worked example as a module, since
// the bundle has no files beside it. With --check it writes nothing and fails when one of them is stale.
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { configurationJsonSchema } from '../src/config/schema.ts';

const root = new URL('../', import.meta.url);

const literal = (text: string): string => text.replaceAll(/[\\`]|\$\{/g, (sign) => `\\${sign}`);
const example = await readFile(new URL('examples/homelab.yaml', root), 'utf8');

const published = {
  'holdfast.schema.json': JSON.stringify(configurationJsonSchema()),
  'src/config/sample.ts': `/** The worked example, examples/homelab.yaml to the letter. Written by \`npm run schema\`. */
export const sampleConfiguration = (): string => \`${literal(example)}\`;
`,
};

/** As `npm run format` would leave it: one tool says how files look. */
const formatted = (name: string, input: string): string =>
  execFileSync(fileURLToPath(new URL('node_modules/.bin/biome', root)), ['format', `--stdin-file-path=${name}`], {
    cwd: fileURLToPath(root),
    encoding: 'utf8',
    input,
  });

const stale: string[] = [];
for (const [name, unformatted] of Object.entries(published)) {
  const text = formatted(name, unformatted);
  const file = new URL(name, root);
  const present = await readFile(file, 'utf8').catch(() => null);
  if (present === text) continue;
  stale.push(name);
  if (!process.argv.includes('--check')) await writeFile(file, text);
}
if (process.argv.includes('--check') && stale.length > 0) {
  console.error(`Stale: ${stale.join(', ')}. Write them again with: npm run schema`);
  process.exitCode = 1;
} else {
  for (const name of stale) console.log(`Written: ${name}`);
}
