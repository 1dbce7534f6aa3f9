import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Bytes, lend } from '../src/ports/bytes.ts';
import { aHeader, aManifest, aRow, aStream, aTree, collect, noise } from './contracts/captured-items.ts';
import { archiveFixture, storedPath } from './services/archive.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-lent-'));
const tree = join(folder, 'tree');
beforeAll(() => {
  mkdirSync(tree);
  for (let file = 0; file < 200; file++) writeFileSync(join(tree, `${file}`), noise(file * 333, file));
  writeFileSync(join(tree, 'large'), noise(9_000_000, 1000));
});
afterAll(() => rmSync(folder, { recursive: true }));

const CHUNK = 256 * 1024;

/** The same bytes in chunks that are lent; what is given back is spoilt, as a producer that fills it again would. */
function lending(bytes: () => Bytes) {
  const seen = { lent: 0, most: 0 };
  async function* read(): Bytes {
    const whole = await collect(bytes());
    for (let at = 0; at < whole.length; at += CHUNK) {
      const chunk = Uint8Array.from(whole.subarray(at, at + CHUNK));
      seen.lent += 1;
      seen.most = Math.max(seen.most, seen.lent);
      yield lend(chunk, () => {
        chunk.fill(0xff);
        seen.lent -= 1;
      });
    }
  }
  return { seen, read };
}

const shell = (line: string, ...args: string[]): string => execFileSync('sh', ['-c', line, ...args]).toString();
const HASHES = 'find . -type f -exec sha256sum {} + | sort';

describe.each(['folder', 'single'] as const)('layout %s', (layout) => {
  test('gives the chunks of a tree back soon, and never too soon', async ({ signal }) => {
    await using made = await archiveFixture({ layout, compression: { format: 'gzip', level: 1 } });
    const header = aHeader();
    await using draft = await made.repository.begin(header, 0, signal);
    const plain = aTree('files_data', 'data', tree);
    const { seen, read } = lending(() => plain.tar({ style: 'prefixed', prefix: 'backup/data/' }, signal));
    const row = aRow(plain, await draft.putTree({ ...plain, tar: read }, signal));
    expect(seen).toEqual({ lent: 0, most: expect.toSatisfy((most: number) => most > 0 && most <= 8) });
    const point = await draft.commit(aManifest(header, [row]), null, signal);
    const target = mkdtempSync(join(folder, 'restored-'));
    execFileSync('tar', ['-xzf', storedPath(made.path, point, 'files_data'), '-C', target]);
    expect(shell(`cd "$0/backup/data" && ${HASHES}`, target)).toBe(shell(`cd "$0" && ${HASHES}`, tree));
  });

  test('gives the chunks of a dump back soon, and never too soon', async ({ signal }) => {
    await using made = await archiveFixture({ layout, compression: { format: 'none' } });
    const header = aHeader();
    await using draft = await made.repository.begin(header, 0, signal);
    const dump = noise(7_000_001, 3);
    const { seen, read } = lending(async function* () {
      yield dump;
    });
    const item = aStream('ldap', read);
    const row = aRow(item, await draft.putStream(item, signal));
    expect(seen).toEqual({ lent: 0, most: expect.toSatisfy((most: number) => most > 0 && most <= 8) });
    const point = await draft.commit(aManifest(header, [row]), null, signal);
    const path = storedPath(made.path, point, 'ldap');
    const print = layout === 'single' ? 'tar -xOf "$0" backup/directory/ldap.ldif' : 'cat "$0"';
    const expected = execFileSync('sha256sum', { input: dump }).toString();
    expect(shell(`${print} | sha256sum`, path)).toBe(expected);
  });
});
