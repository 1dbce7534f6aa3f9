import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatPaxHeader, parsePaxRecords } from '../../src/streams/pax-records.ts';
import { tarFileMember } from '../../src/streams/tar-file-member.ts';
import { parseTarHeader } from '../../src/streams/tar-header.ts';
import { END_BLOCKS, withoutEndBlocks } from '../../src/streams/tar-rewrite.ts';
import { tarScanner } from '../../src/streams/tar-scanner.ts';
import { aFolder, aTar, chunksOf, collect, run, someBytes } from './sample.ts';

const file = (name: string, size: number) => ({ name, size, mode: 0o640, mtime: 1_764_640_800, uid: 1000, gid: 100 });

test('tars and files that are joined are one tar for GNU tar', async () => {
  using own = aFolder();
  mkdirSync(join(own.path, 'tree'));
  writeFileSync(join(own.path, 'tree/one'), someBytes(3000));
  const tar = aTar(own.path);
  const long = `backup/${'n'.repeat(150)}`;
  const parts = [
    await collect(tarFileMember(file('backup/manifest.json', 5), chunksOf(Buffer.from('hello')))),
    await collect(withoutEndBlocks(chunksOf(tar, 1000), 'one')),
    await collect(tarFileMember(file(long, 512), chunksOf(Buffer.alloc(512, 'x')))),
    await collect(withoutEndBlocks(chunksOf(tar, 512), 'two')),
    END_BLOCKS,
  ];
  const joined = Buffer.concat(parts);
  const names = run('tar', ['--list', '-f', '-'], joined).toString().trim().split('\n');
  expect(names).toEqual(['backup/manifest.json', 'tree/', 'tree/one', long, 'tree/', 'tree/one']);
  expect(run('tar', ['-xOf', '-', 'backup/manifest.json'], joined).toString()).toBe('hello');
  const [listed] = run('tar', ['--utc', '--numeric-owner', '-tvf', '-'], joined).toString().split('\n');
  expect(listed).toBe('-rw-r----- 1000/100          5 2025-12-02 02:00 backup/manifest.json');
});

test('a file that is not as long as its header says is refused', async () => {
  for (const size of [4, 6])
    await expect(collect(tarFileMember(file('a', size), chunksOf(Buffer.from('hello'))))).rejects.toMatchObject({
      code: 'Internal',
    });
});

test('any pax records are read back', () => {
  const word = fc.string({
    unit: fc.constantFrom('a', 'Z', '.', '\n', ' ', '\xff', '0'),
    minLength: 1,
    maxLength: 200,
  });
  const keyword = word.filter((text) => !text.includes('='));
  const records = fc.array(fc.tuple(keyword, word), { minLength: 1, maxLength: 12 });
  const same = fc.property(records, (wanted) => {
    const bytes = formatPaxHeader(wanted);
    const size = parseTarHeader(bytes.subarray(0, 512))?.size ?? 0;
    expect(parsePaxRecords(bytes.subarray(512, 512 + size))).toEqual(wanted);
    expect(bytes.length % 512).toBe(0);
  });
  fc.assert(same);
});

test('bytes that are no header are none, and no bytes make a reader fail', () => {
  const any = fc.property(fc.uint8Array({ maxLength: 512, minLength: 512 }), (bytes) => {
    expect(parseTarHeader(bytes)).toBeNull();
    expect(parsePaxRecords(Buffer.concat([Buffer.from('600 a=b\n'), bytes]))).toBeNull();
    expect(() => parsePaxRecords(bytes)).not.toThrow();
  });
  fc.assert(any);
});

test('a tar is scanned alike in one piece and in pieces whose memory is used again', () => {
  using own = aFolder();
  mkdirSync(join(own.path, 'tree', 'f'.repeat(120)), { recursive: true });
  writeFileSync(join(own.path, 'tree', 'f'.repeat(120), 'n'.repeat(150)), someBytes(3000));
  run('sh', [
    '-c',
    'cd "$0" && truncate -s 1M tree/sparse && printf end >> tree/sparse && ln -s tree/sparse l',
    own.path,
  ]);
  for (const format of ['gnu', 'posix']) {
    const names = ['tree', 'l'];
    const tar = run('tar', ['-C', own.path, '-c', `--format=${format}`, '--sparse', ...names], Buffer.alloc(0));
    const entries = tarScanner('whole')
      .write(tar)
      .map(({ entry }) => entry);
    expect(entries.length).toBe(5);
    for (const size of [100, 512, 700, 1536]) {
      const scanner = tarScanner('pieces');
      const memory = new Uint8Array(size);
      const found: unknown[] = [];
      for (let at = 0; at < tar.length; at += size) {
        const piece = tar.subarray(at, at + size);
        memory.set(piece);
        for (const { entry } of scanner.write(memory.subarray(0, piece.length))) found.push(entry);
        memory.fill(0x41);
      }
      scanner.end();
      expect(found).toEqual(entries);
    }
  }
});
