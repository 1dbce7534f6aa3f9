import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { giveBack } from '../../src/ports/bytes.ts';
import { readPipeline } from '../../src/process/run.ts';
import { framesOf } from '../../src/streams/frames.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-bulk-'));
afterAll(() => rmSync(folder, { recursive: true }));

const options = (signal = new AbortController().signal) => ({ signal, bulk: true });
const shell = (line: string) => [{ program: 'sh', args: ['-c', line] }];
const openFiles = (): number => readdirSync('/proc/self/fd').length;

/** A file whose size is no multiple of anything, and its hash by `sha256sum`. */
function sample(megabytes: number): { readonly path: string; readonly sha256: string } {
  const path = join(folder, `sample-${megabytes}`);
  execFileSync('sh', ['-c', `head -c ${megabytes * 1_000_003} /dev/urandom > "$0"`, path]);
  return { path, sha256: execFileSync('sha256sum', [path]).toString().slice(0, 64) };
}

test('every byte of a bulk output comes, in order, whether chunks are given back or not', async () => {
  const { path, sha256 } = sample(37);
  for (const back of [true, false]) {
    const hash = createHash('sha256');
    const kept: Uint8Array[] = [];
    for await (const chunk of readPipeline([{ program: 'cat', args: [path] }], options())) {
      hash.update(chunk);
      if (back) giveBack(chunk);
      else kept.push(chunk);
    }
    expect(hash.digest('hex')).toBe(sha256);
    const later = createHash('sha256');
    for (const chunk of kept) later.update(chunk); // what was not given back is as it was
    expect(back || later.digest('hex') === sha256).toBe(true);
  }
});

test('memory of chunks that are given back is used again', async () => {
  const { path } = sample(61);
  const buffers = new Set<ArrayBufferLike>();
  let chunks = 0;
  for await (const chunk of readPipeline([{ program: 'cat', args: [path] }], options())) {
    chunks += 1;
    buffers.add(chunk.buffer);
    giveBack(chunk);
  }
  expect(chunks).toBe(15);
  expect(buffers.size).toBeLessThan(5);
});

test('a bulk output of nothing, and one of a byte, are whole', async () => {
  for (const [line, expected] of [
    ['true', ''],
    ['printf x', 'x'],
  ] as const) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of readPipeline(shell(line), options())) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe(expected);
  }
});

test('bytes that all came are no success when their producer fails', async () => {
  const read = async () => {
    for await (const chunk of readPipeline(shell('head -c 9000000 /dev/zero; exit 3'), options())) giveBack(chunk);
  };
  await expect(read()).rejects.toMatchObject({ code: 'ProcessFailed' });
});

test('a program that is missing is told, and nothing stays open', async () => {
  const before = openFiles();
  const read = async () => {
    for await (const chunk of readPipeline([{ program: 'no-such-program', args: [] }], options())) giveBack(chunk);
  };
  await expect(read()).rejects.toMatchObject({ code: 'ToolMissing' });
  expect(openFiles()).toBe(before);
});

test('leaving a bulk output early ends its producer, and nothing stays open', async () => {
  const before = openFiles();
  const witness = join(folder, 'witness');
  writeFileSync(witness, '');
  for await (const chunk of readPipeline(shell(`cat /dev/zero; echo ended > ${witness}`), options())) {
    expect(chunk.length).toBe(4 * 1024 ** 2);
    break;
  }
  expect(openFiles()).toBe(before);
  expect(execFileSync('cat', [witness]).toString()).toBe(''); // killed, not ended
});

test('an abort ends the wait for bytes that a descendant never writes', async () => {
  const abort = new AbortController();
  // The descendant leaves the group and holds the output open; only its own limit would end it.
  const line = 'setsid sleep 30 & echo $!; exec sleep 30';
  const chunks: string[] = [];
  const read = async () => {
    for await (const chunk of readPipeline(shell(line), options(abort.signal))) chunks.push(`${chunk}`);
  };
  setTimeout(() => abort.abort(new Error('enough')), 200);
  await expect(read()).rejects.toThrow('enough');
  expect(chunks).toEqual([]);
});

test('without a folder for its pipe a bulk output comes all the same', async () => {
  const { path, sha256 } = sample(5);
  vi.stubEnv('TMPDIR', join(folder, 'missing'));
  try {
    const hash = createHash('sha256');
    for await (const chunk of readPipeline([{ program: 'cat', args: [path] }], options())) hash.update(chunk);
    expect(hash.digest('hex')).toBe(sha256);
  } finally {
    vi.unstubAllEnvs();
  }
});

test('programs that are read one after the other fill the same few buffers', async () => {
  const buffers = new Set<ArrayBufferLike>();
  for (let round = 0; round < 4; round++) {
    const command = { program: 'head', args: ['-c', `${12_000_000 + round}`, '/dev/zero'] };
    let size = 0;
    for await (const { bytes, release } of framesOf(readPipeline([command], options()))) {
      buffers.add(bytes.buffer);
      size += bytes.length;
      release();
    }
    expect(size).toBe(12_000_000 + round);
  }
  expect(buffers.size).toBeLessThan(5);
});
